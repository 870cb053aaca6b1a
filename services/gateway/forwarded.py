"""What the gateway knows of a command it forwards: enough for its route and for the OpenAPI document."""

from dataclasses import dataclass
from typing import Any

from contracts.plan_commands import Request
from contracts.topics import Owner

API = "/api/v1"
ACCOUNT = f"{API}/accounts/{{account_id}}"

Example = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forwarded:
    """name: what generated clients call it. codes: what its owner may refuse it with, beside what every forwarded
    request may meet (openapi.FORWARDED).

    revision: whether it needs If-Match. quote: whether it only asks what the command would do.
    """

    name: str
    method: str
    path: str
    summary: str
    body: type[Request]
    example: Example
    codes: tuple[str, ...]
    status: int = 200
    revision: bool = False
    quote: bool = False
    owner: Owner = Owner.PLANS
