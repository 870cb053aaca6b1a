"""A command as it was asked for over HTTP, what every event it records will say about that, and the answer it gets."""

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import date, datetime

from fastapi import Request, Response
from pydantic import BaseModel

from contracts.envelope import Actor, Metadata
from contracts.problems import Refused
from contracts.topics import Owner

from . import logs
from .auth import Caller
from .clock import instant
from .command_handler import Recorded

API = "/api/v1"
ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

_KEY = re.compile(r"[!-~]{1,128}")
_COMMANDS = uuid.UUID("0d3f8d4e-2a53-4d0c-9a0e-6d1c3f7e5b21")


@dataclass(frozen=True, slots=True)
class Asked:
    """One command as it was asked for. idempotency_key: None when the caller gave none."""

    account_id: str
    actor: Actor
    privileges: frozenset[str]
    name: str
    body: BaseModel
    idempotency_key: str | None
    expected_revision: int | None
    correlation_id: str
    traceparent: str

    def digest(self) -> str:
        """Tells one request from another under one key. A new quote for the same wish is the same request."""
        text = f"{self.name} {self.body.model_dump_json(exclude={'quote_token'})}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def command_id(self, scope: str) -> uuid.UUID:
        """The same for the same caller, stream and Idempotency-Key; new without a key."""
        if self.idempotency_key is None:
            return uuid.uuid4()
        return uuid.uuid5(_COMMANDS, "\n".join((self.account_id, self.actor.id, scope, self.idempotency_key)))

    def metadata(self, command_id: uuid.UUID, now: datetime, on: date) -> Metadata:
        """on: today in the account's zone."""
        return Metadata(
            account_id=self.account_id,
            actor=self.actor,
            recorded_at=instant(now),
            effective_on=on.isoformat(),
            causation_id=str(command_id),
            correlation_id=self.correlation_id,
            command_id=str(command_id),
            request_digest=self.digest(),
            traceparent=self.traceparent,
        )


def asked(
    request: Request, caller: Caller, account_id: str, privileges: frozenset[str], name: str, body: BaseModel
) -> Asked:
    """name: of the command. Raises Refused idempotency_key_invalid or revision_stale."""
    return Asked(
        account_id=account_id,
        actor=Actor(id=caller.subject, role=caller.role, via="api"),
        privileges=privileges,
        name=name,
        body=body,
        idempotency_key=_idempotency_key(request),
        expected_revision=_expected_revision(request),
        correlation_id=logs.correlation_id.get(),
        traceparent=logs.traceparent.get(),
    )


def answer(owner: Owner, recorded: Recorded, status: int = 200) -> Response:
    """A contracts.plan_commands.CommandAnswer, spliced from the recorded bytes: a repetition gets the same ones."""
    position = f"{owner}:{recorded.position}"
    first = recorded.revision - len(recorded.events) + 1
    events = b",".join(
        b'{"event_id":"%b","type":"%b","revision":%d,"data":%b}'
        % (event.event_id.encode(), event.type.encode(), revision, event.data)
        for revision, event in enumerate(recorded.events, first)
    )
    body = b'{"stream":"%b","revision":%d,"position":"%b","events":[%b]}' % (
        recorded.stream.encode(),
        recorded.revision,
        position.encode(),
        events,
    )
    headers = {"ETag": f'"{recorded.revision}"', "Billing-Position": position}
    return Response(body, status, headers, "application/json")


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Refused("idempotency_key_invalid")
    return key


def _expected_revision(request: Request) -> int | None:
    """The revision in If-Match; None when it is missing or `*`. A tag we never gave is stale by definition."""
    tag = request.headers.get("if-match")
    if tag is None or tag == "*":
        return None
    if found := re.fullmatch(r'"(0|[1-9][0-9]{0,17})"', tag):
        return int(found[1])
    raise Refused("revision_stale")
