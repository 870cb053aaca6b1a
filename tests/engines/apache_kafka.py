"""Apache Kafka on the JVM: one broker in KRaft mode, whose log outlives its process.

Its jars come from Maven Central (`kafka/pom.xml`) into a folder that git ignores, once.
"""

import asyncio
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from deploy.local.broker import HOST

from .broker import POLL_S, READY_S, answers, free_port
from .missing import Missing

POM = Path(__file__).parent / "kafka" / "pom.xml"
JARS = Path(__file__).parents[2] / ".engines" / "kafka"
MAVEN_S = 240
JAVA_VERSION = 17  # the oldest that brokers of version 4 run on
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
JAVA = ("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", QUIET)

# One node that is everything. A batch is on the disk before it is acknowledged.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/log
num.partitions=3
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.flush.interval.messages=1
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=200
log.initial.task.delay.ms=0
log.segment.delete.delay.ms=0
"""
# By default a broker that was killed is let in again only after 9 s, and the cleaner alone takes 128 MB.
QUICK = """
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=100
log.cleaner.dedupe.buffer.size=2097152
num.io.threads=2
num.network.threads=1
background.threads=2
"""


class ApacheKafka:
    """Made by `ApacheKafka.formatted`. `output`: what it said."""

    forgets = False

    def __init__(self, folder: Path, jars: Path) -> None:
        self.port, self._controller_port = free_port(), free_port()
        self.output = folder / "output.log"
        self._properties = folder / "server.properties"
        self._classes = ("-cp", f"{jars}/*")
        self._process: subprocess.Popen[bytes] | None = None
        text = PROPERTIES.format(host=HOST, port=self.port, controller_port=self._controller_port, folder=folder)
        self._properties.write_text(text + QUICK)

    @classmethod
    def formatted(cls, folder: Path) -> "ApacheKafka":
        """Not yet started, with an empty log in a folder of its own. Raises Missing."""
        broker = cls(folder, jars())
        format_log = ("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(broker._properties))
        subprocess.run((*JAVA, *broker._classes, *format_log), check=True, capture_output=True, timeout=60)
        return broker

    @property
    def pid(self) -> int:
        """Of its process; 0 when there is none."""
        return self._process.pid if self._process else 0

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        command = (*JAVA, *self._classes, "kafka.Kafka", str(self._properties))
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + READY_S
        while not await answers(self.bootstrap):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"Apache Kafka did not start: {self.output.read_text()[-2000:]}")
            await asyncio.sleep(POLL_S)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()


def jars() -> Path:
    """The folder that holds the broker's jars, filled the first time. Raises Missing."""
    version = _java_version()
    if version < JAVA_VERSION:
        raise Missing(f"it needs Java {JAVA_VERSION} or newer, and here is {version or 'none'}")
    copied_of = JARS / POM.name
    if copied_of.exists() and copied_of.read_bytes() == POM.read_bytes():
        return JARS
    if not shutil.which("mvn"):
        raise Missing("its jars need Maven (mvn), which is not installed")
    JARS.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=JARS.parent) as draft:
        _copy_jars(Path(draft, "whole"))
        shutil.copy(POM, Path(draft, "whole"))
        shutil.rmtree(JARS, ignore_errors=True)
        Path(draft, "whole").rename(JARS)
    return JARS


def _java_version() -> int:
    """The major version; 0 without Java."""
    if not shutil.which("java"):
        return 0
    told = subprocess.run(("java", "-version"), capture_output=True, text=True, timeout=30).stderr
    number = told.partition('version "')[2].partition('"')[0].partition(".")[0].partition("-")[0]
    return int(number) if number.isdigit() else 0


def _copy_jars(folder: Path) -> None:
    command = ("mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}")
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=MAVEN_S)
    except subprocess.TimeoutExpired:
        raise Missing(f"Maven did not bring its jars within {MAVEN_S} s") from None
    except subprocess.CalledProcessError as failed:
        errors = [line for line in failed.stdout.splitlines() if "ERROR" in line]
        raise Missing(f"Maven could not bring its jars: {(errors or ['no reason given'])[0][:300]}") from None
