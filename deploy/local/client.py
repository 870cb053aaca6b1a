"""A small HTTP client for the portal's own API, on the standard library: it is there before anything else is loaded."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 30.0
UNAVAILABLE = 503
TRIES = 10
RETRY_AFTER_S = 1.0


class RequestFailed(Exception):
    """The portal refused a request, or did not answer; the text is one sentence."""


class Client:
    """Speaks as the user named in each call. token_of: a token for that name."""

    def __init__(self, url: str, token_of: Callable[[str], str]) -> None:
        self._url, self._tokens = url, token_of
        self._known: dict[str, str] = {}

    def get(self, user: str, path: str) -> Any:
        return self._ask("GET", user, path, None, {})

    def put(self, user: str, path: str, body: dict[str, Any], key: str) -> Any:
        return self._ask("PUT", user, path, body, {"Idempotency-Key": key})

    def post(self, user: str, path: str, body: dict[str, Any], key: str, if_match: str = "*") -> Any:
        return self._ask("POST", user, path, body, {"Idempotency-Key": key, "If-Match": if_match})

    def _ask(self, method: str, user: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        """The JSON of the answer. Raises RequestFailed, with the problem's code, when it is not a success.

        A 503 says that asking again may help; keys make that safe."""
        if user not in self._known:
            self._known[user] = self._tokens(user)
        sent = {"Authorization": f"Bearer {self._known[user]}", "Content-Type": "application/json", **headers}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data, sent, method=method)
        for tries_left in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as problem:
                if problem.code != UNAVAILABLE or not tries_left:
                    raise RequestFailed(
                        f"{method} {path} was refused: {problem.code} {problem_code(problem)}"
                    ) from None
            except OSError as error:
                raise RequestFailed(f"{method} {self._url}{path} got no answer: {error}.") from None
            time.sleep(RETRY_AFTER_S)
        raise AssertionError("the last try returns or raises")


def problem_code(problem: urllib.error.HTTPError) -> str:
    text = problem.read(4096).decode(errors="replace")
    try:
        document = json.loads(text)
        return str(document.get("errors") or document["code"])
    except (ValueError, LookupError, AttributeError):
        return text
