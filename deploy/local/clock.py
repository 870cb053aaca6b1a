"""Moves the clock of a portal on this machine: it stops wherever something is due, until all that follows is done."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from contracts.plan_actions import Privilege
from services.chassis.clock import SetClock, Setting

from .folder import Folder
from .issuer import DevelopmentIssuer, Subject

OWNERS = ("plans", "devices", "renewals")
OPERATOR = Subject("user-operator", "operator", {"*": (Privilege.CLOCK_EDIT,)})
ROUNDS = 1000  # in which an owner may still record something at one instant; more is a mistake in its rules
TIMEOUT_S = 60.0
AWAY_S = 30.0

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class CannotMove(Exception):
    """The text says why in one sentence."""


def moment(text: str, now: datetime) -> datetime:
    """`45d`, `36h`, `10m` from now; or a date or an instant such as 2026-02-01T12:00Z. Raises CannotMove."""
    if found := re.fullmatch(r"([1-9][0-9]{0,4})([dhm])", text):
        return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CannotMove(f"{text!r} is neither a span such as 45d or 36h nor a date such as {date.today()}.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Mover:
    """Of the portal that runs in a data folder. Raises SystemExit when none does."""

    def __init__(self, folder: Folder) -> None:
        self._urls = {name: folder.read_state()["parts"][name]["url"] for name in OWNERS}
        self._token = DevelopmentIssuer(folder.issuer).token(OPERATOR)
        self.clock = SetClock(folder.clock)

    def move(self, until: datetime, told: Callable[[datetime], None]) -> int:
        """Lets time pass until an instant, in which everything due in between happens in order; then it runs on from
        there. told: called wherever it stops. How often that was. Raises CannotMove.

        Broken off, it stands where it was: moving on from there is all it takes.
        """
        now = self.clock.now()
        if until < now:
            raise CannotMove(f"It is {now:%Y-%m-%d %H:%M} UTC already, and time does not run backwards.")
        steps = 0
        self.clock.set(Setting(now, None, until))
        while (due := self._settled()) is not None and due <= until:
            now = max(now, due)
            self.clock.set(Setting(now, None, until))
            steps += 1
            told(now)
        self.clock.set(Setting(until, None, until))
        self._settled()
        self.clock.set(Setting(until, datetime.now(UTC)))
        return steps

    def _settled(self) -> datetime | None:
        """When something is due next, after every owner has done all that is due now and all that follows from it."""
        heads: dict[str, int] = {}
        for _ in range(ROUNDS):
            answers = {name: self._settle(name, url) for name, url in self._urls.items()}
            found = {name: answer[0] for name, answer in answers.items()}
            if found == heads:
                due = [at for _, at in answers.values() if at is not None]
                return min(due, default=None)
            heads = found
        raise CannotMove(f"At {self.clock.now()} there was no end to what is due.")

    def _settle(self, name: str, url: str) -> tuple[int, datetime | None]:
        """Where its log ends, and when something is due there next. Waits AWAY_S for an owner that is away."""
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{url}/settle", b"", headers, method="POST")
        deadline = time.monotonic() + AWAY_S
        while True:
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    members = json.load(answer)
                    at = members["next_due_at"]
                    return members["head"], at and datetime.fromisoformat(at)
            except urllib.error.HTTPError as problem:
                trouble = f"it answers with status {problem.code}"
            except OSError:
                trouble = "it does not answer"
            if time.monotonic() > deadline:
                raise CannotMove(
                    f"The {name} service cannot settle: {trouble}. The clock stands at {self.clock.now()}."
                )
            time.sleep(0.5)
