"""What is said with a cancellation is personal: it is kept in an erasable record, and the event names that.

The name is made of the words with a secret, so that a quote and its commit, and a command that is sent again, come to
the same one, and nobody can guess the words from it.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace

import orjson

from contracts.plan_commands import CancelPlanBody
from services.chassis.asked import Asked
from services.chassis.command_handler import Recorded

from .personal import PersonalRecords

_CANCELLED = "plans.PlanCancelled"


@dataclass(frozen=True, slots=True)
class Comments:
    """secret: makes the names."""

    records: PersonalRecords
    secret: bytes

    def named(self, asked: Asked, bundle_id: str) -> Asked:
        """The same command, with a name where its words were."""
        if not isinstance(asked.body, CancelPlanBody) or not asked.body.comment:
            return asked
        said = f"{asked.account_id} {bundle_id} {asked.body.comment}"
        name = hmac.new(self.secret, said.encode(), hashlib.sha256).hexdigest()[:32]
        return replace(asked, body=asked.body.model_copy(update={"comment": name}))

    async def keep(self, asked: Asked, recorded: Recorded) -> None:
        """asked: with its words. After the event, which names nothing until then. Raises StoreUnavailable."""
        if isinstance(asked.body, CancelPlanBody) and asked.body.comment:
            (event,) = [each for each in recorded.events if each.type == _CANCELLED]
            await self.records.say(orjson.loads(event.data)["comment"], asked.account_id, asked.body.comment)
