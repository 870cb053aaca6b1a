"""The gateway's own reads and commands, asked by the portal with the token of whoever is signed in.

Nothing here knows a rule: what a page shows is what the HTTP API answers, and what it does is what the API forwards.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request

from contracts.problems import Refused
from services.gateway.forwarded import ACCOUNT
from services.gateway.inside import Commands, Members, Problem, offers
from services.gateway.routes import READS
from services.gateway.time_travel import AT
from services.gateway.what_if.routes import ask_what_if

__all__ = ["Api", "Members", "Problem", "offers"]


class Api(Commands):
    """One visitor's, in one account. at: the position reads shall have reached, so that one's own write is seen.

    as_of: when reads shall look, if not now. shown_at: the instant that was."""

    def __init__(
        self, request: Request, authorization: str, account_id: str, at: str | None, as_of: str | None = None
    ) -> None:
        super().__init__(request, authorization, account_id)
        self._at, self._as_of = at, as_of
        self.shown_at: str | None = None

    def as_of(self, day: str) -> "Api":
        """The same visitor's, on another day."""
        return Api(self._request, self._authorization, self._account_id, None, day)

    async def why(self, of: str, query: Mapping[str, str] | None = None) -> dict[str, Members]:
        """Why the amounts of a read are what they are, by their pointer."""
        amounts = (await self.read("/why", {"of": of, **(query or {})}))["amounts"]
        return {each["at"]: each for each in amounts}

    async def what_if(self, body: Members) -> Members:
        """A WhatIfAnswer. Raises Refused and RequestValidationError as the address does."""
        response = await ask_what_if(self.inner("POST", orjson.dumps(body), {}, {}))
        members: Members = orjson.loads(bytes(response.body))
        return members

    async def read(self, path: str, query: Mapping[str, str] | None = None, **ids: str) -> Any:
        """The answer of a read below the account's address. Raises Refused and RequestValidationError as it does."""
        asked = {**({"min_position": self._at} if self._at else {}), **({"as_of": self._as_of} if self._as_of else {})}
        asked |= query or {}
        response = await READS[f"{ACCOUNT}{path}"](self.inner("GET", b"", {}, ids, urlencode(asked)))
        self.shown_at = response.headers.get(AT, self.shown_at)
        members = orjson.loads(bytes(response.body))
        if response.status_code >= 400:  # an owner's answer, handed on
            raise Refused(members["code"])
        return members
