"""A billing account: its currency and time zone, fixed when it is opened (DOMAIN M2, M3). Pure."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.money import Currency
from contracts.plans import AccountEvent, AccountOpened
from contracts.problems import Refused

from .commands import OpenAccount

# Names in the zone table that mean whatever a machine is set to, no place at all, or the same table in other seconds.
NO_PLACES = ("localtime", "posixrules", "Factory", "posix/", "right/")


@dataclass(frozen=True, slots=True)
class Account:
    currency: Currency
    time_zone: str


def decide(command: OpenAccount, account: Account | None) -> list[AccountEvent]:
    """Raises Refused time_zone_unknown, or account_exists when it is open with other terms. Empty: already so."""
    if not _is_zone(command.time_zone):
        raise Refused("time_zone_unknown")
    wanted = Account(command.currency, command.time_zone)
    if account is None:
        return [AccountOpened(currency=wanted.currency, time_zone=wanted.time_zone)]
    if account != wanted:
        raise Refused("account_exists", currency=account.currency, time_zone=account.time_zone)
    return []


def evolve(_account: Account | None, event: AccountEvent, _effective_on: date) -> Account:
    return Account(event.currency, event.time_zone)


def _is_zone(name: str) -> bool:
    if not name or name.startswith(NO_PLACES):
        return False
    try:
        return ZoneInfo(name) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
