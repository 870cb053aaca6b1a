"""Moves the clock of a running portal and shows how far it has come."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from .client import Client, RequestFailed
from .folder import Folder
from .issuer import DevelopmentIssuer

CLOCK = "/api/v1/clock"
OPERATOR = "otto"
LOOK_EVERY_S = 0.1
AWAY_S = 30.0  # a gateway that was killed is back within that

View = dict[str, Any]


def show(folder: Folder) -> int:
    """Prints where the clock is; 0. Raises SystemExit, in one sentence, when that cannot be known."""
    print(_readable(_asked(_client(folder))))
    return 0


def command(folder: Folder, wish: Mapping[str, Any]) -> int:
    """Asks for a move, or for the clock to run or stand still; returns when it has arrived: 0, or 1 when it stopped on
    the way. wish: a body of POST /api/v1/clock. Raises SystemExit, in one sentence, when it is refused."""
    client = _client(folder)
    before = _asked(client)
    try:
        view = client.post(OPERATOR, CLOCK, dict(wish), key="clock")
    except RequestFailed as failure:
        raise SystemExit(str(failure)) from None
    target = view["moving_to"]
    if target is not None:
        view = _followed(client, _instant(before["now"]), target)
    print(_readable(view))
    return int(target is not None and _instant(view["now"]) < _instant(target))


def _client(folder: Folder) -> Client:
    return Client(folder.read_state()["parts"]["gateway"]["url"], DevelopmentIssuer(folder.issuer).user_token)


def _asked(client: Client) -> View:
    try:
        view: View = client.get(OPERATOR, CLOCK)
    except RequestFailed as failure:
        raise SystemExit(str(failure)) from None
    return view


def _followed(client: Client, begin: datetime, target: str) -> View:
    """Where the clock is once it is no longer being moved, with a bar over the time to go until then."""
    columns = (TextColumn("{task.fields[now]}"), BarColumn(None), TextColumn("{task.fields[said]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=(_instant(target) - begin).total_seconds(), now=_short(begin), said="")
        while True:
            view = _awaited(client)
            now = _instant(view["now"])
            said = view["reason"] or f"{view['steps']} steps, to {_short(_instant(target))}"
            progress.update(bar, completed=(now - begin).total_seconds(), now=_short(now), said=said)
            if view["moving_to"] != target:  # arrived, stopped, or somebody else wants something else by now
                return view
            time.sleep(LOOK_EVERY_S)


def _awaited(client: Client) -> View:
    """Raises SystemExit when the gateway stays away."""
    deadline = time.monotonic() + AWAY_S
    while True:
        try:
            view: View = client.get(OPERATOR, CLOCK)
            return view
        except RequestFailed as failure:
            if time.monotonic() > deadline:
                raise SystemExit(f"{failure} The move goes on when the gateway is back: see `billing clock`.") from None
            time.sleep(LOOK_EVERY_S)


def _readable(view: View) -> str:
    """One sentence, or two."""
    now = _short(_instant(view["now"]))
    if view["moving_to"]:
        where = f"It is {now}, on the way to {_short(_instant(view['moving_to']))}; {view['steps']} steps done."
        return f"{where} It waits: {view['reason']}" if view["reason"] else where
    goes = "and the clock stands still" if view["standing_still"] else "and time goes by"
    due = f" Next due: {_short(_instant(view['due_next_at']))}." if view["due_next_at"] else ""
    stopped = f" It stopped on its way: {view['reason']}" if view["reason"] else ""
    return f"It is {now}, {goes}.{due}{stopped}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _short(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
