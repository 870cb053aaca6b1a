"""`billing erase`: asks the portal on this machine to erase what is kept of persons, as any editor would."""

import uuid

from .client import Client, RequestFailed
from .folder import Folder
from .issuer import DevelopmentIssuer
from .roles import current_token

ALL = "erase-personal-data"


def erase(folder: Folder, account: str, contact: str | None, user: str) -> None:
    """contact: all of them, and all comments, when None. Raises SystemExit when it is refused."""
    issuer = DevelopmentIssuer(folder.issuer)
    client = Client(folder.read_state()["parts"]["gateway"]["url"], lambda name: current_token(folder, issuer, name))
    path = f"/api/v1/accounts/{account}/{f'contacts/{contact}/remove' if contact else ALL}"
    try:
        answer = client.post(user, path, {}, key=uuid.uuid4().hex)
    except RequestFailed as problem:
        raise SystemExit(f"Nothing was erased: {problem}") from None
    if not answer["events"]:
        print(f"Nothing of persons was kept of {account}.")
        return
    print(f"Erased, recorded as {answer['events'][0]['type']} at {answer['position']}.")
