"""The gateway's own reads and commands, asked by the portal with the token of whoever is signed in.

Nothing here knows a rule: what a page shows is what the HTTP API answers, and what it does is what the API forwards.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message

from contracts.problems import Refused
from services.gateway.commands import COMMANDS
from services.gateway.forwarded import ACCOUNT
from services.gateway.forwarding import Forwarder
from services.gateway.routes import READS, checked

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


class Api:
    """One visitor's, in one account. at: the position reads shall have reached, so that one's own write is seen."""

    def __init__(self, request: Request, authorization: str, account_id: str, at: str | None) -> None:
        self._request, self._authorization = request, authorization
        self._account_id, self._at = account_id, at

    async def read(self, path: str, query: Mapping[str, str] | None = None, **ids: str) -> Any:
        """The answer of a read below the account's address. Raises Refused and RequestValidationError as it does."""
        asked = {**(query or {}), **({"min_position": self._at} if self._at else {})}
        response = await READS[f"{ACCOUNT}{path}"](self._inner("GET", b"", {}, ids, urlencode(asked)))
        members = orjson.loads(bytes(response.body))
        if response.status_code >= 400:  # an owner's answer, handed on
            raise Refused(members["code"])
        return members

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
        answer = await forwarder.forward(self._inner(command.method, orjson.dumps(body), sent, ids), path)
        members: Members = orjson.loads(bytes(answer.body))
        if answer.status_code >= 400:
            raise Problem(members)
        return members

    def _inner(
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
