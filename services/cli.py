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
      billing clock forward 45d       let 45 days go by, with everything that is due in them
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
    kafka: Annotated[
        str | None, typer.Option(help="host:port of an Apache Kafka; embedded if left out.", envvar="BILLING_RUN_KAFKA")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(help="postgresql://… for the read models; SQLite if left out.", envvar="BILLING_RUN_DATABASE"),
    ] = None,
    event_store: Annotated[
        str | None,
        typer.Option(help="kurrentdb://… for the events; SQLite if left out.", envvar="BILLING_RUN_EVENT_STORE"),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every log line.")] = False,
) -> None:
    """Start the portal: broker, issuer, plans, devices, renewals and gateway, until Ctrl-C.

    A second run goes on where the first one stopped. With engines of yours, which keep what they were given, begin in
    a data folder of its own. A password belongs into the variable rather than on the command line.

    Examples:

      billing run

      billing run --port 9000 --data-dir /tmp/try --verbose

      billing run --kafka 127.0.0.1:9092 --database postgresql://me@127.0.0.1/billing --data-dir /tmp/try
    """
    from deploy.local.launcher import Engines, Options
    from deploy.local.launcher import run as run_portal

    run_portal(Options(data_dir, port, verbose, demo, Engines(kafka, database, event_store)))


@app.command()
def token(
    user: Annotated[str, typer.Argument(help="olive, victor, aude (acme), mia (both), nora (globex), seller or otto.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Print a fresh token of a demo user.

    Example:

      export TOKEN=$(billing token olive)
    """
    from deploy.local.client import RequestFailed
    from deploy.local.folder import Folder
    from deploy.local.issuer import USERS, DevelopmentIssuer
    from deploy.local.roles import current_token

    if user not in USERS:
        raise SystemExit(f"There is no demo user {user!r}: choose one of {', '.join(USERS)}.")
    folder = Folder(data_dir)
    try:
        typer.echo(current_token(folder, DevelopmentIssuer(folder.issuer), user))
    except RequestFailed as failure:
        raise SystemExit(str(failure)) from None


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


@app.command()
def reconcile(
    account: Annotated[str | None, typer.Option(help="This account alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Prove that invoices, credits, payments and refunds are what plans and devices said was to be paid, to the unit.

    All logs are read and counted anew. Ends with 1 when an account does not reconcile, and names the first one with the
    event that is not accounted for.

    Examples:

      billing reconcile

      billing reconcile --account acme --json
    """
    from deploy.local.folder import Folder
    from deploy.local.reconcile import reconcile as run_reconcile

    raise SystemExit(run_reconcile(Folder(data_dir), account, as_json))


@app.command()
def replay(
    owner: Annotated[str | None, typer.Option(help="plans, devices or renewals; all, one after the other.")] = None,
    account: Annotated[str | None, typer.Option(help="Events of this account alone.")] = None,
    stream: Annotated[str | None, typer.Option(help="Events of this stream alone, as in plan-….")] = None,
    since: Annotated[str | None, typer.Option(help="Recorded on this day, or at this instant, or later.")] = None,
    before: Annotated[str | None, typer.Option(help="Recorded before this day or instant.")] = None,
    after: Annotated[int, typer.Option(help="After this position of the owner.", min=0)] = 0,
    until: Annotated[int | None, typer.Option(help="Up to and with this position of the owner.", min=0)] = None,
    form: Annotated[str, typer.Option("--format", help="jsonl or cloudevents.")] = "jsonl",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output if left out.")] = None,
    topic: Annotated[str | None, typer.Option(help="A topic of your own instead, in the portal's broker.")] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Stream the log, or a part of it: one event a line, the same bytes every time.

    A file appears once it is whole. What was interrupted goes on with the same command, into a file or a topic; the
    result is as if it had not been.

    Examples:

      billing replay --account acme                                      an account's history, on standard output

      billing replay --owner renewals --since 2026-05-01 -o may.jsonl    what renewals recorded since

      billing replay --stream plan-7c9e6679f3b24a1e8d55 --format cloudevents

      billing replay --owner plans --topic team-blue.plans               into a topic of a team's own
    """
    from contracts.topics import Owner
    from deploy.local.folder import Folder
    from deploy.local.replay import Wish, command
    from services.chassis.selection import Selection, an_instant
    from services.replay.formats import Format

    try:
        since, before = (text and an_instant(text) for text in (since, before))
        owners = [Owner(owner)] if owner else list(Owner)
        written = Format(form)
    except ValueError as problem:
        raise SystemExit(f"{problem}: see billing replay --help.") from None
    selection = Selection(account, stream, since, before)
    command(Folder(data_dir), Wish(owners, selection, after, until, written, output, topic))


@app.command()
def rebuild(
    compare: Annotated[bool, typer.Option("--compare", help="Only compare; leave in place what is there.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Build the read models anew from the logs, beside those in use; compare them row by row; put them in place.

    Readers and commands go on meanwhile. What differed is listed. Interrupted, all is as it was: run it again. With
    --compare it ends with 1 when something differs.

    Examples:

      billing rebuild --compare        is every card what the log says?

      billing rebuild
    """
    from deploy.local.folder import Folder
    from deploy.local.rebuild import command

    raise SystemExit(command(Folder(data_dir), compare))


audit = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Prove that no event was ever changed, removed, inserted or moved.

    Each owner keeps a ledger of its log's hashes, and signs the log's head every day into a folder outside the store.
    With the public key and that folder, kept where nobody can write who can write to the store, anybody can tell.
    """,
)
app.add_typer(audit, name="audit")
Heads = Annotated[Path | None, typer.Option(help="The folder of signed heads; the portal's if left out.")]
Key = Annotated[Path | None, typer.Option(help="PEM of the public key; the portal's if left out.")]
Ledgers = Annotated[Path | None, typer.Option(help="The folder of ledgers; the portal's if left out.")]


@audit.command()
def verify(
    owner: Annotated[str | None, typer.Option(help="plans, devices or renewals; all if left out.")] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="What `billing replay` wrote, or an owner's .sqlite3; the running services if left out."),
    ] = None,
    heads: Heads = None,
    ledgers: Ledgers = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Count the log anew and compare it with ledger and signed heads; ends with 1 when they do not agree.

    Names the first event that was edited, removed, inserted or moved. A tail that was cut shows beside a head that knew
    it. Where the ledger was rewritten too, the heads say between which days; where all agree, nothing was changed up to
    the last head. Believe only heads and a key that were kept elsewhere.

    Examples:

      billing audit verify                                       the portal that runs here

      billing replay -o log.jsonl && billing audit verify --log log.jsonl --heads /mnt/heads --key audit.pem

      billing audit verify --log .data/plans/plans.sqlite3       a file, its service stopped or not
    """
    from contracts.topics import Owner
    from deploy.local.audit import Sources
    from deploy.local.audit import verify as run_verify
    from deploy.local.folder import Folder

    named = owner or (log.stem if log and log.suffix == ".sqlite3" else None)
    try:
        owners = [Owner(named)] if named else list(Owner)
    except ValueError:
        raise SystemExit(f"There is no owner {named!r}: say --owner plans, devices or renewals.") from None
    raise SystemExit(run_verify(Sources(Folder(data_dir), log, ledgers, heads, key), owners))


@audit.command()
def sign(data_dir: DataDir = DATA_DIR) -> None:
    """Have every owner sign the head of its log now, instead of tomorrow.

    Example:

      billing audit sign
    """
    from deploy.local.audit import sign as run_sign
    from deploy.local.folder import Folder

    raise SystemExit(run_sign(Folder(data_dir)))


@audit.command()
def prove(
    event_id: Annotated[str, typer.Argument(help="As History and the feed name it.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output if left out.")] = None,
    heads: Heads = None,
    ledgers: Ledgers = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Write a proof that an event is in the log that was signed: a few kB, however long the log is.

    Example:

      billing audit prove 5f0e4a52-0d5c-5f3e-8f0a-0f8f6a1d2c11 -o proof.json
    """
    from deploy.local.audit import Sources
    from deploy.local.audit import prove as run_prove
    from deploy.local.folder import Folder

    run_prove(Sources(Folder(data_dir), None, ledgers, heads, key), event_id, output)


@audit.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="What `billing audit prove` wrote.")],
    key: Annotated[Path, typer.Option(help="PEM of the public key.")],
) -> None:
    """Check a proof with the public key and nothing else; ends with 1 when it does not hold.

    Example:

      billing audit check-proof proof.json --key audit.pem
    """
    from deploy.local.audit import check_proof as run_check

    run_check(file, key)


@audit.command("export")
def export_history(
    account: Annotated[str, typer.Option(help="The account.")] = "acme",
    form: Annotated[str, typer.Option("--format", help="csv, for a spreadsheet; or jsonl, with hashes.")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output if left out.")] = None,
    user: Annotated[str, typer.Option(help="The demo user who asks.")] = "aude",
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Write an account's history, the newest event first, with who did it, what caused it and what it says.

    Examples:

      billing audit export --account acme -o acme.csv

      billing audit export --account acme --format jsonl -o acme.jsonl
    """
    from deploy.local.audit_export import export as run_export
    from deploy.local.folder import Folder

    run_export(Folder(data_dir), account, form, user, output)


@app.command()
def erase(
    account: Annotated[str, typer.Argument(help="The account.")],
    contact: Annotated[str | None, typer.Option(help="bill_to, sold_to, extra_1 …; everything if left out.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    user: Annotated[str, typer.Option(help="The demo user who asks.")] = "olive",
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Erase what is kept of persons in an account: its contacts, and what was said with cancellations. For good.

    No event holds any of it, so nothing else has to change: folds, exports and `billing audit verify` go on as before.

    Examples:

      billing erase acme --contact bill_to

      billing erase acme --yes
    """
    from deploy.local.erase import erase as run_erase
    from deploy.local.folder import Folder

    what = f"the contact {contact}" if contact else "all contacts and comments"
    if not yes:
        typer.confirm(f"Erase {what} of {account}? This cannot be undone.", abort=True)
    run_erase(Folder(data_dir), account, contact, user)


@app.command("what-if")
def what_if(
    account: Annotated[str, typer.Argument(help="The account.")],
    until: Annotated[str, typer.Option(help="A day or an instant, at most 24 months ahead.")],
    commands: Annotated[Path | None, typer.Option(help="JSON Lines, a command each; nothing if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Show the invoices that would come out if commands were given, beside those that come out anyway.

    The account's real history is forked in memory and the clock rolled on: nothing is recorded, and no time goes by.
    Ends with 1 when a command would be refused.

    A line of the file says when (now, if left out), which plan and command, or a path below the account, and the body
    as the HTTP API takes it:

      {"at": "2027-01-05", "plan": "7c9e6679f3b24a1e8d55", "command": "edit", "body": {"quantity": 20}}

      {"path": "/plans", "body": {"sku": "rooms", "quantity": 1, "cycle": "monthly"}}

    Examples:

      billing what-if acme --until 2027-01-31                              what is to come anyway

      billing what-if acme --until 2027-01-31 --commands more-seats.jsonl

      billing what-if acme --until 2027-01-31 --commands more-seats.jsonl --json
    """
    from deploy.local.folder import Folder
    from deploy.local.what_if import command

    raise SystemExit(command(Folder(data_dir), account, until, commands, as_json))


bulk = typer.Typer(no_args_is_help=True, help="Change many plans of an account with one file.")
app.add_typer(bulk, name="bulk")
Account = Annotated[str, typer.Option(help="The account.")]
User = Annotated[str, typer.Option(help="The demo user who asks.")]


@bulk.command()
def export(
    account: Account = "acme",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output if left out.")] = None,
    user: User = "olive",
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Write the lines of every plan as a CSV file: change quantities in it, and send it back with `billing bulk edit`.

    Example:

      billing bulk export --account acme -o plans.csv
    """
    from deploy.local.bulk import export as write
    from deploy.local.folder import Folder

    write(Folder(data_dir), account, user, output)


@bulk.command()
def edit(
    file: Annotated[Path, typer.Argument(help="CSV with a heading, or JSON Lines (.jsonl): bundle_id, quantity, …")],
    account: Account = "acme",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what each row would do.")] = False,
    atomic: Annotated[bool, typer.Option("--atomic", help="Nothing, unless every row can be done.")] = False,
    key: Annotated[str | None, typer.Option(help="Another one does the same file anew.")] = None,
    user: User = "olive",
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Carry out up to 5,000 edits; a result per row, and 1 at the end when one was refused.

    Columns: bundle_id and quantity; line_id (the base if left out), effective_on, revision; product is not looked at.
    Interrupted, the same command does the rest: what was done is not done again, unless the file was changed.

    Examples:

      billing bulk edit plans.csv --dry-run

      billing bulk edit plans.csv --atomic
    """
    from deploy.local.bulk import edit as send
    from deploy.local.folder import Folder

    raise SystemExit(send(Folder(data_dir), account, user, file, dry_run, atomic, key))


@app.command()
def clock(
    action: Annotated[str | None, typer.Argument(help="set, forward, run or stop; shows the time if left out.")] = None,
    value: Annotated[
        str | None, typer.Argument(help="For set: a day or an instant. For forward: 45d, 36h, 90m.")
    ] = None,
    stand_still: Annotated[bool, typer.Option("--stand-still", help="Stay there instead of running on.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Show the time the portal lives in, or move it on; ends with 1 when the clock stopped on the way.

    A move stops at every instant at which something is due, until every service has done all of it: the renewals,
    invoices and parcels of a year happen in their order and on their days. The clock never goes back.

    Examples:

      billing clock                              what time it is, and what is due next

      billing clock forward 45d                  let 45 days go by (d days, h hours, m minutes)

      billing clock set 2026-02-01               go on to noon UTC of that day

      billing clock set 2026-02-01T00:00+01:00   go on to an instant, with its offset

      billing clock stop                         stand still here; ends a move, too

      billing clock run                          let time go by
    """
    from deploy.local.clock import command, show
    from deploy.local.folder import Folder

    match action, value:
        case None, None:
            raise SystemExit(show(Folder(data_dir)))
        case (("set" | "forward"), str()):
            wish = {"to" if action == "set" else "forward": value, "stand_still": stand_still}
        case (("run" | "stop"), None):
            wish = {"run": action == "run"}
        case _:
            raise SystemExit("Say `set` and a day, `forward` and how long, `run` or `stop`: see billing clock --help.")
    raise SystemExit(command(Folder(data_dir), wish))


@app.command()
def serve(service: Annotated[str, typer.Argument(help="plans, devices, renewals or gateway.")]) -> None:
    """Run one service with the BILLING_* settings in the environment, until SIGTERM.

    Example:

      billing serve plans
    """
    import runpy

    if service not in ("plans", "devices", "renewals", "gateway"):
        raise SystemExit(f"There is no service {service!r}: choose plans, devices, renewals or gateway.")
    runpy.run_module(f"services.{service}", run_name="__main__")


@app.command()
def topics() -> None:
    """Make the topics in the Kafka that BILLING_KAFKA_* tells, or check those that are there.

    Example:

      BILLING_KAFKA_BOOTSTRAP=localhost:9092 BILLING_KAFKA_REPLICATION=3 billing topics
    """
    import asyncio

    from services.chassis.settings import load
    from services.topics import TopicsSettings, make_topics

    settings = load(TopicsSettings)
    try:
        made = asyncio.run(make_topics(settings))
    except Exception as failure:  # whatever a client library throws: the operator wants its reason
        raise SystemExit(f"{type(failure).__name__}: {failure}") from None
    typer.echo(f"With {settings.partitions} partitions each: {', '.join(made)}.")


contracts = typer.Typer(no_args_is_help=True, help="What other teams read: written, compared, released.")
app.add_typer(contracts, name="contracts")


@contracts.command("write")
def write_contracts() -> None:
    """Write the JSON Schemas and the AsyncAPI document anew from the models.

    Example:

      billing contracts write
    """
    from deploy.local.contracts import write

    for name in write():
        typer.echo(name)


@contracts.command("check")
def check_contracts() -> None:
    """Refuse what breaks consumers of the last released schemas, or the replay of what is stored; ends with 1 then.

    Example:

      billing contracts check
    """
    from deploy.local.contracts import check, news

    if found := check():
        raise SystemExit("\n".join(found))
    typer.echo("\n".join(["Nothing breaks.", *(f"new or compatible: {name}" for name in news())]))


@contracts.command("release")
def release_contracts() -> None:
    """Make today's schemas the ones that are compared with. The number is __version__ in contracts/__init__.py.

    Example:

      billing contracts release
    """
    from deploy.local.contracts import NotReleased, release

    try:
        typer.echo(f"Released {release()}.")
    except NotReleased as refused:
        raise SystemExit(str(refused)) from None


@app.command()
def secrets(
    folder: Annotated[Path, typer.Argument(help="Where to; what is there already stays as it is.")],
    development: Annotated[bool, typer.Option(help="Also keys and tokens of demo users and services.")] = False,
) -> None:
    """Make an authority, certificates and passwords for the containers of deploy/compose.yaml.

    Example:

      billing secrets deploy/secrets
    """
    from deploy.secrets import development_tokens, make

    make(folder)
    if development:
        development_tokens(folder)


if __name__ == "__main__":
    app()
