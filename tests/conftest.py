"""What tests of every folder may ask for: engines, and what becomes of them at the end."""

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from .engines import Broker, Tansu, postgres
from .engines.addresses import SOURCES, address, kafka, made_new
from .engines.missing import Missing, go_without, report, required, used

settings.register_profile("patient", deadline=None)  # a slow machine is no fault of the code
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        choices=SOURCES,
        default="embedded",
        help="where Apache Kafka, KurrentDB and PostgreSQL come from: started here, as containers, or as"
        " $KAFKA_BOOTSTRAP, $KURRENTDB_URI and $POSTGRES_URL say",
    )


def pytest_configure() -> None:
    required()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := report():
        terminalreporter.section(f"engines ({config.getoption('--engines')})")
        for line in lines:
            terminalreporter.line(line, red="NOT TESTED" in line)


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> str:
    """Where engines come from."""
    return str(request.config.getoption("--engines"))


@pytest.fixture(scope="session")
def kurrentdb_uri(engines: str) -> Iterator[str]:
    """A real server's."""
    with address("kurrentdb", engines) as uri:
        yield uri


@pytest.fixture(scope="session")
def postgres_url(engines: str) -> Iterator[str]:
    """A real server's, where databases may be made."""
    with address("postgres", engines, postgres.started) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of one database for all who keep out of each other's way."""
    with postgres.database(postgres_url) as url:
        yield url


@pytest.fixture
def own_server() -> Iterator[postgres.Postgres]:
    """To be killed and started again."""
    try:
        with postgres.server() as server:
            yield server
    except Missing as missing:
        go_without("postgres", str(missing))


@pytest.fixture
async def tansu() -> AsyncIterator[Tansu]:
    """An embedded broker of its own for each test: it is up in milliseconds, and topics are named by their owners."""
    broker = Tansu()
    await broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
async def running_kafka(engines: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """One for all: a JVM takes its time."""
    try:
        broker = kafka(engines, tmp_path_factory.mktemp("kafka"))
        await broker.start()
    except Missing as missing:
        go_without("kafka", str(missing))
    used["kafka"] = f"Apache Kafka, {engines}"
    yield broker
    broker.close()


@pytest.fixture
async def apache_kafka(running_kafka: Broker) -> Broker:
    """Apache Kafka, without topics of ours. Killed, it keeps its log."""
    await made_new(running_kafka)
    return running_kafka


@pytest.fixture(params=["tansu", "apache_kafka"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each engine in turn: what a test asks of a broker, it asks of both."""
    broker: Broker = request.getfixturevalue(request.param)
    return broker
