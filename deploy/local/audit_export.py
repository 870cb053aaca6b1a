"""`billing audit export`: an account's history as a file, asked of the portal as any auditor asks."""

import http.client
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from .client import RequestFailed, problem_code
from .folder import Folder
from .issuer import DevelopmentIssuer
from .roles import current_token

TIMEOUT_S = 60.0
FORMS = ("csv", "jsonl")


def export(folder: Folder, account: str, form: str, user: str, output: Path | None) -> None:
    """Written as it comes; a file appears once it is whole. Raises SystemExit."""
    if form not in FORMS:
        raise SystemExit(f"There is no format {form!r}: choose csv or jsonl.")
    url = f"{folder.read_state()['parts']['gateway']['url']}/api/v1/accounts/{account}/history.{form}"
    try:
        token = current_token(folder, DevelopmentIssuer(folder.issuer), user)
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            if output is None:
                shutil.copyfileobj(answer, sys.stdout.buffer)
                return
            part = output.with_name(f"{output.name}.part")
            with part.open("wb") as file:
                shutil.copyfileobj(answer, file)
            part.replace(output)
    except urllib.error.HTTPError as problem:
        raise SystemExit(
            f"The history of {account} is not for {user}: {problem.code} {problem_code(problem)}."
        ) from None
    except (RequestFailed, OSError, http.client.HTTPException) as problem:
        raise SystemExit(f"The history cannot be exported: {problem}") from None
