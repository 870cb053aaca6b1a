"""The gateway's own commands, asked from inside it with the caller's token: they travel as those from outside do."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message

from contracts.problems import Refused

from .addresses import checked
from .commands import COMMANDS
from .forwarding import Forwarder

_COMMANDS = {command.name: command for command in COMMANDS}

Members = dict[str, Any]


class Problem(Exception):
    """The owner's answer to a command was a problem document (RFC 9457)."""

    def __init__(self, document: Members) -> None:
        super().__init__(document.get("code"))
        self.document = document

    @property
    def code(self) -> str:
        return str(self.document.get("code", "internal_error"))


def offers(command: str) -> bool:
    """Whether the API has a command of that name."""
    return command in _COMMANDS


class Commands:
    """Of one caller, in one account."""

    def __init__(self, request: Request, authorization: str, account_id: str) -> None:
        self._request, self._authorization, self._account_id = request, authorization, account_id

    async def command(
        self, name: str, body: Members, key: str | None = None, if_match: str | None = None, **ids: str
    ) -> Members:
        """What the command recorded, or its quote. Raises Problem when it was refused, Refused when nobody answers."""
        command = _COMMANDS.get(name)
        if command is None:
            raise Refused("not_found")
        sent = {"content-type": "application/json"}
        sent |= {"idempotency-key": key} if key else {}
        sent |= {"if-match": if_match} if if_match else {}
        path = command.path.format(
            account_id=self._account_id, **{name: checked(name, text) for name, text in ids.items()}
        )
        forwarder: Forwarder = self._request.state.forwarders[command.owner]
        answer = await forwarder.forward(self.inner(command.method, orjson.dumps(body), sent, ids), path)
        members: Members = orjson.loads(bytes(answer.body))
        if answer.status_code >= 400:
            raise Problem(members)
        return members

    def inner(
        self, method: str, body: bytes, headers: Mapping[str, str], ids: Mapping[str, str], query: str = ""
    ) -> Request:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {
            **self._request.scope,
            "method": method,
            "headers": [],
            "query_string": query.encode(),
            "path_params": {"account_id": self._account_id, **ids},
        }
        sent = MutableHeaders(scope=scope)
        sent["authorization"] = self._authorization
        sent.update(headers)
        return Request(scope, receive)
