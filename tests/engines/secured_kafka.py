"""Apache Kafka as deploy/ starts it: its properties, its start and its access lists, on this machine's loopback."""

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path

from deploy import secrets
from services.chassis.kafka_access import Login, Secured, Tls

from .apache_kafka import CLUSTER_ID, JAVA, QUICK, jars
from .broker import POLL_S, READY_S, answers, free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "localhost"  # certificates are for names
PROGRAMS = {
    "kafka-storage.sh": "kafka.tools.StorageTool",
    "kafka-server-start.sh": "kafka.Kafka",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
}
# And one listener more, which knows clients by their certificates.
HERE = """
controller.quorum.voters=1@localhost:{controller}
listeners=CLIENTS://localhost:{port},CERTIFIED://localhost:{certified},INSIDE://localhost:{inside},CONTROLLER://localhost:{controller}
advertised.listeners=CLIENTS://localhost:{port},CERTIFIED://localhost:{certified},INSIDE://localhost:{inside}
listener.security.protocol.map=CLIENTS:SASL_SSL,CERTIFIED:SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
listener.name.certified.ssl.client.auth=required
listener.name.certified.ssl.keystore.type=PEM
listener.name.certified.ssl.keystore.location={secrets}/kafka.pem
listener.name.certified.ssl.truststore.type=PEM
listener.name.certified.ssl.truststore.location={secrets}/ca.pem
log.dirs={folder}/log
listener.name.clients.ssl.keystore.location={secrets}/kafka.pem
"""


class SecuredKafka:
    """inside: host:port where everybody is the operator; certified: where a certificate says who it is. secrets: the
    folder of passwords and certificates."""

    def __init__(self, folder: Path) -> None:
        """Raises Missing."""
        self.secrets = folder / "secrets"
        port, certified, inside, controller = (free_port() for _ in range(4))
        self.certified = f"{HOST}:{certified}"
        self.bootstrap, self.inside = f"{HOST}:{port}", f"{HOST}:{inside}"
        self._output = folder / "output.log"
        self._process: subprocess.Popen[bytes] | None = None
        secrets.make(self.secrets)
        properties = folder / "server.properties"
        ports = {"port": port, "certified": certified, "inside": inside, "controller": controller}
        here = HERE.format(**ports, folder=folder, secrets=self.secrets)
        properties.write_text((DEPLOY / "kafka" / "server.properties").read_text() + here + QUICK)
        self._environment = {
            **os.environ,
            "KAFKA_HOME": str(folder),
            "SECRETS": str(self.secrets),
            "PROPERTIES": str(properties),
            "CLUSTER_ID": CLUSTER_ID,
            "KAFKA": self.inside,
        }
        (folder / "bin").mkdir()
        for name, main in PROGRAMS.items():
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {" ".join(JAVA)} -cp "{jars()}/*" {main} "$@"\n')
            program.chmod(0o755)

    async def start(self) -> None:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                DEPLOY / "kafka" / "start.sh", stdout=output, stderr=output, env=self._environment
            )
        deadline = time.monotonic() + 2 * READY_S
        while not await answers(self.inside):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"Apache Kafka did not start: {self._output.read_text()[-2000:]}")
            await asyncio.sleep(POLL_S)
        subprocess.run([DEPLOY / "kafka" / "acls.sh"], check=True, capture_output=True, env=self._environment)  # noqa: ASYNC221

    async def allow(self, *arguments: str) -> None:
        """What kafka-acls takes."""
        program = Path(self._environment["KAFKA_HOME"], "bin", "kafka-acls.sh")
        command = (program, "--bootstrap-server", self.inside, "--force", *arguments)
        done = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        assert await done.wait() == 0

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def speaking_as(self, user: str, password_file: Path | None = None) -> Secured:
        login = Login("SCRAM-SHA-512", user, password_file or self.secrets / f"kafka_password_{user}")
        return Secured(self.bootstrap, login, Tls(self.secrets / "ca.pem"))

    def copied(self, name: str, to: Path) -> Path:
        """One of its secrets, to be changed."""
        return Path(shutil.copyfile(self.secrets / name, to))
