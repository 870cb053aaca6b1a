"""What an identity provider does: before it makes a token it asks the plans service for the roles of its subject.

Tokens stay the one thing services check; a role that was revoked ends with the last token that has it.
"""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from contracts.account_actions import PRIVILEGES, BillingRole
from contracts.billing_management import RecordedRoles

from .client import Client
from .folder import Folder
from .issuer import USERS, DevelopmentIssuer, Subject


def current_token(folder: Folder, issuer: DevelopmentIssuer, user: str) -> str:
    """A token of a demo user with the roles they have now. Raises KeyError, and RequestFailed when the plans service,
    which knows them, does not answer: without it a revoked role would come back."""
    subject = USERS[user]
    return issuer.token(with_roles(subject, _recorded(folder, issuer, subject.subject)))


def with_roles(subject: Subject, recorded: Mapping[str, BillingRole | None]) -> Subject:
    """The demo's own grants, but in accounts that have said something else: None where a role was revoked."""
    grants = {account: held for account, held in subject.grants.items() if account not in recorded}
    grants |= {account: tuple(sorted(PRIVILEGES[role])) for account, role in recorded.items() if role}
    return replace(subject, grants=grants)


def _recorded(folder: Folder, issuer: DevelopmentIssuer, subject: str) -> Mapping[str, BillingRole | None]:
    """Nothing while no portal runs in the folder."""
    try:
        parts = folder.read_state()["parts"]
    except SystemExit:
        return {}
    if "plans" not in parts:
        return {}
    client = Client(parts["plans"]["url"], issuer.service_token)
    answer = client.get("issuer", f"/api/v1/roles?subject={quote(subject)}")
    return RecordedRoles.model_validate(answer).roles
