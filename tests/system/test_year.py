"""A year of the demo account, once in peace and once with its services killed as it goes by: the same facts."""

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2 as httpx

from contracts.topics import Owner
from tests.portal import Portal
from tests.system import logs

YEAR_ENDS = "2027-05-20T03:00:00Z"
PARTS = ("plans", "devices", "renewals", "gateway", "broker")
KILLS = 12
WAIT_S = 240.0
POLL_S = 0.05


class Year:
    """A portal whose clock goes to the end of the year, whatever happens to its parts."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.operator = {"Authorization": f"Bearer {portal.token('otto')}"}

    def goes_by(self, chance: random.Random | None = None) -> None:
        """chance: when a part is killed, and which."""
        deadline, killed, quiet_until = time.monotonic() + WAIT_S, 0, 0.0
        while not self._over():
            assert time.monotonic() < deadline, "the year does not end"
            if chance and killed < KILLS and time.monotonic() > quiet_until:
                killed += self._kill(chance.choice(PARTS))
                quiet_until = time.monotonic() + chance.uniform(0.1, 1.5)
            time.sleep(POLL_S)
        assert not chance or killed >= KILLS // 4, "it was over before much was killed"

    def _over(self) -> bool:
        """Whether the clock has arrived. A move that a killed gateway has forgotten is asked for again."""
        clock = f"{self.portal.url()}/api/v1/clock"
        try:
            view = self.portal.http.get(clock, headers=self.operator).raise_for_status().json()
            if view["now"] >= YEAR_ENDS:
                return True
            if not view["moving_to"]:
                self.portal.http.post(clock, json={"to": YEAR_ENDS}, headers=self.operator)
        except (OSError, httpx.HTTPError):
            pass  # the gateway is on its way back
        return False

    def _kill(self, part: str) -> bool:
        try:
            self.portal.kill(part)
        except ProcessLookupError:  # killed before, and not back yet
            return False
        return True

    def facts(self) -> Counter[str]:
        """Every event by its stream, revision and body, but for the names of erasable records, which no two portals
        share."""
        found: Counter[str] = Counter()
        for owner in Owner:
            for event in logs.feed(self.portal, owner):
                body = {name: value for name, value in event["data"].items() if name not in ("record", "comment")}
                found[f"{event['stream']} {event['revision']} {event['type']} {json.dumps(body, sort_keys=True)}"] += 1
        return found

    def invoices(self) -> list[dict[str, Any]]:
        olive = {"Authorization": f"Bearer {self.portal.token('olive')}"}
        read = f"{self.portal.url()}/api/v1/accounts/acme/invoices"
        at = f"renewals:{logs.head(self.portal, Owner.RENEWALS)}"
        self.portal.until(lambda: self.portal.http.get(read, headers=olive, params={"min_position": at}).is_success)
        found: list[dict[str, Any]] = self.portal.http.get(read, headers=olive).json()["invoices"]
        return found


def test_a_year_with_kills_is_the_year_without_them(tmp_path: Path) -> None:
    with Portal(tmp_path / "peace") as peaceful:
        year = Year(peaceful)
        year.goes_by()
        facts, invoices = year.facts(), year.invoices()
    assert len(invoices) > 40
    with Portal(tmp_path / "war") as troubled:
        year = Year(troubled)
        year.goes_by(random.Random(7))
        troubled.until(lambda: year.facts() == facts)
        assert year.invoices() == invoices
