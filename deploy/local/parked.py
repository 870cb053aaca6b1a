"""What the consumers of a running portal have set aside, as a table, and taking it in again."""

from rich.console import Console
from rich.table import Table

from .client import Client, RequestFailed
from .folder import Folder
from .issuer import DevelopmentIssuer

CONSUMERS = ("devices", "renewals", "gateway")


def show(folder: Folder, replay: bool) -> int:
    """Prints the table. Returns 0 when nothing waits any more, else 1. Raises SystemExit when no portal runs here."""
    table = Table("consumer", "owner", "stream", "state")
    parts = folder.read_state()["parts"]
    waiting = 0
    for name in CONSUMERS:
        client = Client(parts[name]["url"], DevelopmentIssuer(folder.issuer).service_token)
        for row in client.get(name, "/parked"):
            state = _replayed(client, name, row) if replay else "waits"
            waiting += not state.startswith("taken in")
            table.add_row(name, row["owner"], row["stream"], state)
    Console().print(table if table.row_count else "Nothing is parked.")
    return int(waiting > 0)


def _replayed(client: Client, name: str, row: dict[str, str]) -> str:
    path = f"/parked/{row['owner']}/{row['stream']}/replay"
    try:
        return f"taken in: {client.post(name, path, {}, key='replay')['replayed']} events"
    except RequestFailed as failure:
        return str(failure)
