"""What `billing run` prints when all is up: the address, the demo users, and five curl lines that work as they are."""

import json
import os
import shlex
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.plan_actions import Privilege

from .client import Client
from .issuer import TOKEN_VALID_S, USERS

ACCOUNT = "/api/v1/accounts/acme"
CAPACITIES = ("large_meeting_1000", "storage_1000", "storage_30", "storage_5000", "storage_200", "large_meeting_500")
MORE_LICENCES = 3


def address(url: str) -> str:
    portal = f"Open {url}/plan-management in a browser and sign in as one of the demo users.\n"
    return f"\nPlans and Billing is running at {url}. Ctrl-C stops it.\n{portal}"


def introduction(url: str, tokens: Path, client: Client, min_position: str) -> str:
    """The demo users, and lines to try on a plan of acme's as it stands at `min_position` (plans:N) or later. Returns
    when everything up to there is shown."""
    client.get("olive", f"{ACCOUNT}/plan-summary?min_position={min_position}")
    cards: list[dict[str, Any]] = client.get("olive", f"{ACCOUNT}/product-cards?min_position={min_position}")["cards"]
    export = f"  export TOKEN=$(cat {shlex.quote(_short(tokens / 'olive'))})"
    now = client.get("otto", "/api/v1/clock")["now"]
    when = f"There it is {now[:10]}; `billing clock forward 45d` lets 45 days go by."
    return "\n".join(
        (address(url), when, "", *_users(tokens), "", "Try it as olive, line by line:", export, *_lines(url, cards))
    )


def _users(tokens: Path) -> Iterator[str]:
    yield f"Demo users; their tokens last {TOKEN_VALID_S // 3600} hours and are renewed while this runs:"
    for name, user in USERS.items():
        everywhere = "the clock" if Privilege.CLOCK_EDIT in user.grants.get("*", ()) else "the price book"
        accounts = ", ".join(user.grants).replace("*", everywhere)
        yield f"  {name:<7}{user.role + ' of ' + accounts:<25}export TOKEN=$(cat {shlex.quote(_short(tokens / name))})"


def _lines(url: str, cards: list[dict[str, Any]]) -> Iterator[str]:
    account = f"{url}{ACCOUNT}"
    yield from _line("the product cards of acme", f"{account}/product-cards")
    card = next((card for card in cards if _can_grow(card)), None)
    if card is not None:
        plan, licences = f"{account}/plans/{card['bundle_id']}", card["licences"]["total"] + MORE_LICENCES
        wish = {"quantity": licences}
        yield from _line(f"what {licences} licences of {card['name']} would cost", f"{plan}/quotes/edit", wish)
        yield from _line(
            f"buy them: {MORE_LICENCES} more, charged for the rest of the term; sent again, it is the same command",
            f"{plan}/edit",
            wish,
            {"If-Match": f'"{card["revision"]}"', "Idempotency-Key": str(uuid.uuid4())},
        )
        have = {line["sku"] for line in card["lines"]}
        sku = next((sku for sku in CAPACITIES if sku not in have), CAPACITIES[0])
        yield from _line(
            f"buy a capacity, {sku}, whatever the plan's revision is by now",
            f"{plan}/capacities",
            {"sku": sku, "quantity": 1},
            {"If-Match": "*", "Idempotency-Key": str(uuid.uuid4())},
        )
    yield from _line("the plan summary: what acme will pay, and when", f"{account}/plan-summary")


def _line(
    meaning: str, url: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> Iterator[str]:
    parts = ["curl -s", '-H "Authorization: Bearer $TOKEN"']
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in (headers or {}).items()]
    parts += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(body))}"] if body else []
    yield f"  # {meaning}"
    yield f"  {' '.join(parts)} {url} | python3 -m json.tool"


def _can_grow(card: dict[str, Any]) -> bool:
    return card["family"] == "workplace" and bool(card["allowed_actions"]["edit_plan"]["allowed"])


def _short(path: Path) -> str:
    """As a person would type it from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
