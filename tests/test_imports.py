"""The import rules of the tree: what each room may know."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVICES = ("plans", "devices", "renewals", "gateway")
PURE = (
    *("commands.py", "decider.py", "plan.py", "account.py", "catalogue.py", "charges.py", "term_end.py"),
    *("edits.py", "purchases.py", "cancellations.py", "licences.py", "offers.py", "scheduled.py", "telling.py"),
    *("forecast.py", "billing.py", "rentals.py", "invoice.py", "tax.py", "policy.py"),
    *("order.py", "order_decider.py", "lease.py", "lease_decider.py", "shop.py", "parcels.py", "schedule.py"),
)
# Who may name a vendor: adapters of the chassis, and the wiring of a service.
VENDORS = {
    "sqlite3": (
        "chassis/sqlite_store.py",
        "chassis/sqlite_writer.py",
        "chassis/sqlite_file.py",
        "chassis/checkpoints.py",
        "gateway/sqlite_read_store.py",
        "chassis/derived_file.py",
        "chassis/log_index.py",
        "chassis/ledger.py",
        "chassis/notary.py",
        "devices/plans_index.py",
        "devices/due_index.py",
        "plans/personal.py",
    ),
    "aiokafka": ("chassis/kafka.py", "chassis/kafka_access.py", "chassis/relay.py", "chassis/consumer.py"),
    "faststream": ("chassis/kafka_access.py", "chassis/consumer.py"),
    "kurrentdbclient": ("chassis/kurrent_store.py", "chassis/kurrent_connection.py", "chassis/kurrent_wire.py"),
    "grpc": ("chassis/kurrent_wire.py",),
    "psycopg": ("chassis/postgres.py",),
    "psycopg_pool": ("chassis/postgres.py",),
    "uvicorn": ("chassis/serve.py",),
}


def imports(file: Path) -> Iterator[str]:
    """Absolute names of everything a file imports, inside functions too."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*above, node.module or "")).strip(".")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def test_contracts_import_pydantic_and_the_standard_library_only() -> None:
    allowed = {"contracts", "pydantic", *sys.stdlib_module_names}
    ours = [file for file in files("contracts") if file.parent.name != "examples"]  # those are of other teams
    assert {(file.name, name) for file in ours for name in imports(file)}
    assert not {(file.name, name) for file in ours for name in imports(file) if name.split(".")[0] not in allowed}


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_imports_another(service: str) -> None:
    others = tuple(f"services.{other}" for other in SERVICES if other != service)
    assert not [(f.name, n) for f in files(f"services/{service}") for n in imports(f) if n.startswith(others)]


def test_the_chassis_knows_no_service() -> None:
    rooms = tuple(f"services.{service}" for service in SERVICES)
    assert not [(f.name, n) for f in files("services/chassis") for n in imports(f) if n.startswith(rooms)]


def test_nobody_but_an_operators_command_imports_what_if() -> None:
    """It is made of all services, so whoever imported it would know them all; the gateway starts it as a process."""
    others = [f for f in files("services") if f.parent.name != "whatif"]
    assert not [(f.name, n) for f in others for n in imports(f) if n.startswith("services.whatif")]
    assert [n for f in files("services/whatif") for n in imports(f) if n.startswith("services.plans")]


def test_services_do_not_import_the_deployment() -> None:
    found = [(f.name, n) for f in files("services") for n in imports(f) if n.startswith(("deploy", "tests"))]
    assert not [row for row in found if row[0] != "cli.py"]


def test_the_gateway_never_imports_the_event_store() -> None:
    stores = tuple(
        f"services.chassis.{name}" for name in ("event_store", "sqlite_store", "memory_store", "command_han")
    )
    assert not [(f.name, n) for f in files("services/gateway") for n in imports(f) if n.startswith(stores)]


def test_rules_and_projections_do_no_input_or_output() -> None:
    pure = [f for s in SERVICES for f in files(f"services/{s}") if f.name in PURE or f.parent.name == "projections"]
    allowed = ("contracts", "pydantic", "services.")
    plain = {
        "collections",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "graphlib",
        "hashlib",
        "itertools",
        "math",
        "types",
        "typing",
        "uuid",
    }
    plain |= {"zoneinfo"}  # the time zone table is data
    wrong = [
        (f.name, n)
        for f in pure
        for n in imports(f)
        if (n.split(".")[0] not in plain and not n.startswith(allowed)) or n.startswith("services.chassis")
    ]
    assert pure
    assert not wrong


@pytest.mark.parametrize("vendor", VENDORS)
def test_only_adapters_and_wiring_name_a_vendor(vendor: str) -> None:
    users = [f for f in files("services") if any(n.split(".")[0] == vendor for n in imports(f))]
    strangers = [f for f in users if not f.as_posix().endswith(VENDORS[vendor]) and f.name != "app.py"]
    assert not strangers


def test_only_the_clock_asks_the_machine_what_time_it_is() -> None:
    """Others may measure how old something is, or whether a token has expired; what happens when is the clock's."""
    asking = re.compile(r"datetime\.now|utcnow|date\.today|time\.time\b|time\.time_ns|fromtimestamp")
    allowed = {"chassis/clock.py", "chassis/auth.py", "chassis/relay.py", "chassis/follower.py"}
    found = {f.relative_to(ROOT / "services").as_posix() for f in files("services") if asking.search(f.read_text())}
    assert found == allowed
