"""The operator's command `billing`: thin, and quick to start, over the functions that do the work."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="""Plans and Billing on this machine.

    [bold]Try it:[/bold]

      billing run                     start everything, with a demo account
      billing status                  how each part is doing
      export TOKEN=$(billing token olive)
      curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/api/v1/accounts/acme/product-cards
    """,
)

DataDir = Annotated[Path, typer.Option(help="The folder all data is kept in.", envvar="BILLING_RUN_DATA_DIR")]
DATA_DIR = Path(".data")

# Every command imports what it needs itself: `billing --help` answers at once.


@app.command()
def run(
    data_dir: DataDir = DATA_DIR,
    port: Annotated[int, typer.Option(help="The portal's port; 0 takes any free one.", min=0, max=65535)] = 8080,
    demo: Annotated[bool, typer.Option(help="Load the demo accounts.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every log line.")] = False,
) -> None:
    """Start the portal: broker, issuer, plans, devices, renewals and gateway, until Ctrl-C.

    A second run goes on where the first one stopped.

    Examples:

      billing run

      billing run --port 9000 --data-dir /tmp/try --verbose
    """
    from deploy.local.launcher import Options
    from deploy.local.launcher import run as run_portal

    run_portal(Options(data_dir, port, verbose, demo))


@app.command()
def token(
    user: Annotated[str, typer.Argument(help="olive, victor, aude (acme), nora (globex) or seller.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print a fresh token of a demo user.

    Example:

      export TOKEN=$(billing token olive)
    """
    from deploy.local.folder import Folder
    from deploy.local.issuer import USERS, DevelopmentIssuer

    if user not in USERS:
        raise SystemExit(f"There is no demo user {user!r}: choose one of {', '.join(USERS)}.")
    typer.echo(DevelopmentIssuer(Folder(data_dir).issuer).user_token(user))


@app.command()
def demo(data_dir: DataDir = DATA_DIR) -> None:
    """Load the demo accounts into the portal that runs in a data folder; what is there already stays as it is.

    Example:

      billing demo
    """
    from deploy.local.client import Client, RequestFailed
    from deploy.local.demo import load
    from deploy.local.folder import Folder
    from deploy.local.issuer import DevelopmentIssuer

    folder = Folder(data_dir)
    client = Client(folder.read_state()["parts"]["gateway"]["url"], DevelopmentIssuer(folder.issuer).user_token)
    try:
        load(client)
    except RequestFailed as failure:
        raise SystemExit(str(failure)) from None
    typer.echo("The demo is loaded.")


@app.command()
def status(data_dir: DataDir = DATA_DIR) -> None:
    """Show how each part of the portal is doing; ends with 1 when one is not well.

    Example:

      billing status
    """
    from deploy.local.folder import Folder
    from deploy.local.status import show

    raise SystemExit(show(Folder(data_dir).read_state()))


clock_app = typer.Typer(no_args_is_help=True, help="The portal's clock: what time it is, and moving it forward.")
app.add_typer(clock_app, name="clock")


@clock_app.command("show")
def clock_show(data_dir: DataDir = DATA_DIR) -> None:
    """Print what time it is in the portal."""
    from deploy.local.folder import Folder
    from services.chassis.clock import SetClock

    clock = SetClock(Folder(data_dir).clock)
    setting = clock.setting()
    stands = " and stands still" if setting and not setting.since else ""
    way = f" on the way to {setting.until:%Y-%m-%d %H:%M} UTC" if setting and setting.until else ""
    typer.echo(f"It is {clock.now():%Y-%m-%d %H:%M:%S} UTC{stands}{way}.")


@clock_app.command("forward")
def clock_forward(
    to: Annotated[str, typer.Argument(help="How far: 45d, 36h or 10m; or until when: a date or an instant.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Let time pass. Everything due in between happens in order, and has all its effects, at its own instant:
    renewals, payments and their reminders, the ends of plans.

    Examples:

      billing clock forward 45d

      billing clock forward 2027-02-01
    """
    from datetime import datetime

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from deploy.local.clock import CannotMove, Mover, moment
    from deploy.local.folder import Folder

    mover = Mover(Folder(data_dir))
    try:
        begun = mover.clock.now()
        until = moment(to, begun)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, transient=True) as progress:
            task = progress.add_task(f"{begun:%Y-%m-%d}", total=max(1.0, (until - begun).total_seconds()))

            def tell(at: datetime) -> None:
                progress.update(task, description=f"{at:%Y-%m-%d}", completed=(at - begun).total_seconds())

            steps = mover.move(until, tell)
    except CannotMove as reason:
        raise SystemExit(str(reason)) from None
    typer.echo(f"It is {until:%Y-%m-%d %H:%M} UTC. On the way something was due at {steps} instants.")


@app.command()
def parked(
    replay: Annotated[bool, typer.Option(help="Take them in again, once what stood against them is mended.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Show the streams that wait for an event that could not be applied; --replay takes them in again.

    Examples:

      billing parked

      billing parked --replay
    """
    from deploy.local.folder import Folder
    from deploy.local.parked import show

    raise SystemExit(show(Folder(data_dir), replay))


if __name__ == "__main__":
    app()
