"""How clients reach Kafka: where it is, whom they speak as, whom they trust. The one place that tells them."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError
from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

MECHANISMS = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


@dataclass(frozen=True, slots=True)
class Login:
    """mechanism: one of MECHANISMS."""

    mechanism: str
    user: str
    password_file: Path


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form. ca_file: whom to trust, the system's authorities without it; the others: who we are."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Secured:
    """A Kafka that wants to know who speaks, or that nobody listens.

    Files are read for each client anew: a new password or certificate is used from the next session on, without a
    restart, and no secret is kept where it could be logged.
    """

    bootstrap: str
    login: Login | None = None
    tls: Tls | None = None


Address = str | Secured  # a str is host:port, several with commas, spoken to in clear and without a name


def servers(address: Address) -> list[str]:
    return (address if isinstance(address, str) else address.bootstrap).split(",")


def security(address: Address) -> BaseSecurity | None:
    """As FastStream takes it. Raises OSError (ssl.SSLError is one) when a file is not what it should be."""
    if isinstance(address, str):
        return None
    context = ssl_context(address.tls) if address.tls else None
    if login := address.login:
        return MECHANISMS[login.mechanism](login.user, password(login.password_file), ssl_context=context)
    return BaseSecurity(ssl_context=context)


def client(address: Address) -> dict[str, Any]:
    """What every client of aiokafka takes. Raises as `security`."""
    return {"bootstrap_servers": servers(address), **parse_security(security(address))}


async def unreachable_because(address: Address, timeout_ms: int) -> str:
    """What stands in the way; aiokafka logs it and raises without it. Empty when nothing does."""
    given = parse_security(security(address))
    reasons: list[str] = []
    for host, port, _ in collect_hosts(servers(address)):
        try:
            connection = await create_conn(host, port, request_timeout_ms=timeout_ms, **given)
        except (OSError, KafkaError, TimeoutError) as error:
            reasons.append(f"{host}:{port}: {error or type(error).__name__}")
        else:
            connection.close()
            return ""
    return "; ".join(reasons)


def password(file: Path) -> str:
    """Its text, without the line's end. Raises OSError, also when there is none."""
    if text := file.read_text().rstrip("\r\n"):
        return text
    raise OSError(f"{file} is empty")


def ssl_context(tls: Tls) -> ssl.SSLContext:
    """One that checks certificates and names. Raises OSError."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")  # without it, a terminal is asked
    return context
