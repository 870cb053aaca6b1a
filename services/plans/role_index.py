"""Which roles a subject has in which accounts: asked by the identity provider when it makes a token (DOMAIN B17)."""

import orjson

from contracts import codec
from contracts.account_actions import BillingRole
from contracts.envelope import Record
from contracts.plans import BillingRoleGranted, BillingRoleRevoked
from services.chassis.log_index import LogIndex


class RoleIndex(LogIndex):
    VERSION = 1
    SCHEMA = """
CREATE TABLE roles (subject TEXT NOT NULL, account_id TEXT NOT NULL, role TEXT, PRIMARY KEY (subject, account_id));
"""
    TYPES = frozenset({"plans.BillingRoleGranted", "plans.BillingRoleRevoked"})

    async def roles(self, subject: str) -> dict[str, BillingRole | None]:
        """By account; None where a role was revoked. Raises StoreError."""
        await self.catch_up()
        rows = self._db.execute("SELECT account_id, role FROM roles WHERE subject = ?", (subject,))
        return {account_id: BillingRole(role) if role else None for account_id, role in rows}

    def apply(self, record: Record) -> None:
        account_id = orjson.loads(record.metadata)["account_id"]
        event = codec.decode(record.type, record.version, record.data)
        assert isinstance(event, BillingRoleGranted | BillingRoleRevoked)
        role = event.role if isinstance(event, BillingRoleGranted) else None
        self._db.execute("INSERT OR REPLACE INTO roles VALUES (?, ?, ?)", (event.subject, account_id, role))
