"""Which events of a log somebody asks for."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson

from contracts.envelope import Record

from .clock import instant


@dataclass(frozen=True, slots=True)
class Selection:
    """Events of one account, of one stream, recorded from an instant on and before another; all that is said must hold.
    Instants are as they stand in events."""

    account: str | None = None
    stream: str | None = None
    since: str | None = None
    before: str | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """First words of the streams it can be in; none when it can be in any."""
        return (self.stream.partition("-")[0],) if self.stream else ()

    def __call__(self, record: Record) -> bool:
        if self.stream not in (None, record.stream):
            return False
        if not (self.account or self.since or self.before):
            return True
        metadata = orjson.loads(record.metadata)
        if self.account not in (None, metadata["account_id"]):
            return False
        at: str = metadata["recorded_at"]
        return (self.since is None or at >= self.since) and (self.before is None or at < self.before)

    def members(self) -> Mapping[str, str]:
        return {name: said for name, said in asdict(self).items() if said}


def an_instant(text: str) -> str:
    """The instant in `2026-05-01`, `2026-05-01T12:00+02:00` and the like, as events say it; without an offset it is in
    UTC. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return instant(at if at.tzinfo else at.replace(tzinfo=UTC))
