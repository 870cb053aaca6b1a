"""KurrentDB over TLS: certificates and credentials come through the address alone, and are told to nobody."""

import ipaddress
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.chassis.event_store import NO_STREAM, AccessDenied, StoreUnavailable
from services.chassis.kurrent_store import KurrentEventStore
from tests.doubles.kurrentdb import KurrentDouble

from .event_store_contract import batch, new_stream

SECRET = "s3cret"


class Authority:
    """Signs certificates, its own first."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed("authority", self._key, x509.BasicConstraints(ca=True, path_length=None))

    def pair(self, name: str) -> tuple[bytes, bytes]:
        """A key and its certificate, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return pem, self._signed(name, key, address)

    def _signed(self, name: str, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=False)
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and the user's key.pem and cert.pem; server.key and server.pem."""
    folder, authority = tmp_path_factory.mktemp("tls"), Authority()
    for names, pair in (
        (("key.pem", "cert.pem"), authority.pair("plans")),
        (("server.key", "server.pem"), authority.pair("kurrentdb")),
    ):
        for name, content in zip(names, pair, strict=True):
            (folder / name).write_bytes(content)
    (folder / "ca.pem").write_bytes(authority.certificate)
    return folder


@pytest.fixture
async def server(files: Path) -> AsyncIterator[KurrentDouble]:
    """One that wants to see a certificate and a password."""
    pair = (files / "server.key").read_bytes(), (files / "server.pem").read_bytes()
    double = KurrentDouble(credentials=grpc.ssl_server_credentials([pair], (files / "ca.pem").read_bytes(), True))
    double.authorization = b"Basic " + b64encode(f"ann:{SECRET}".encode())
    await double.start()
    yield double
    await double.stop()


def address(server: KurrentDouble, password: str, **options: Path) -> str:
    return f"kurrentdb://ann:{password}@127.0.0.1:{server.port}?" + "&".join(f"{k}={v}" for k, v in options.items())


async def test_certificates_and_credentials_come_with_the_address(server: KurrentDouble, files: Path) -> None:
    known = {"TlsCaFile": files / "ca.pem", "UserCertFile": files / "cert.pem", "UserKeyFile": files / "key.pem"}
    store = await KurrentEventStore.open(address(server, SECRET, **known), "plans")
    stream = new_stream()
    result = await store.append(stream, batch(2), NO_STREAM)
    assert (await store.read_stream(stream))[-1].position == result.position == await store.head()
    await store.close()
    with pytest.raises(AccessDenied) as refused:
        await KurrentEventStore.open(address(server, "wr0ng", **known), "plans")
    assert "wr0ng" not in str(refused.value)


@pytest.mark.parametrize("left_out", ["TlsCaFile", "UserCertFile"])
async def test_without_certificates_nobody_is_reached(server: KurrentDouble, files: Path, left_out: str) -> None:
    known = {"TlsCaFile": files / "ca.pem", "UserCertFile": files / "cert.pem", "UserKeyFile": files / "key.pem"}
    del known[left_out]
    if left_out == "UserCertFile":
        del known["UserKeyFile"]
    with pytest.raises(StoreUnavailable) as refused:
        await KurrentEventStore.open(address(server, SECRET, **known), "plans")
    assert SECRET not in str(refused.value)
