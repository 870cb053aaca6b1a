"""Makes what the containers of deploy/compose.yaml need to trust each other: an authority, certificates, passwords.

What is there already stays as it is, so it may be run again. The folder is its owner's alone; the files in it can be
read by all, because a container reads them as another user.
"""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.chassis.heads import new_key, public_text

from .local.issuer import SERVICES, USERS, DevelopmentIssuer

ENGINES = ("kafka", "kurrentdb", "postgres")
VALID = timedelta(days=825)
PASSWORD_BYTES = 24


def make(folder: Path) -> None:
    """Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # also when it was there
    authority = _Authority(folder)
    for engine in ENGINES:
        authority.certify(engine)
    for user in ("operator", *SERVICES):
        _once(folder / f"kafka_password_{user}", _password)
    _once(folder / "quote_secret", _password)
    _once(folder / "audit_key.pem", lambda: new_key().decode())
    _once(folder / "audit.pem", lambda: public_text(folder / "audit_key.pem").decode())  # for auditors
    kurrentdb = _once(folder / "kurrentdb_password", _password)
    postgres = _once(folder / "postgres_password", _password)
    trusted = "/run/secrets/ca.pem"
    _once(
        folder / "event_store_uri",
        lambda: f"kurrentdb://admin:{kurrentdb}@kurrentdb:2113?tls=true&tlsCaFile={trusted}",
    )
    _once(
        folder / "database_uri",
        lambda: f"postgresql://billing:{postgres}@postgres/billing?sslmode=verify-full&sslrootcert={trusted}",
    )
    _once(folder / "authorities" / "ca.pem", (folder / "ca.pem").read_text)  # KurrentDB asks for a folder
    for mounted in ("authorities", "keys", "tokens", *(f"tokens/{service}" for service in SERVICES)):
        (folder / mounted).mkdir(exist_ok=True)
        (folder / mounted).chmod(0o755)  # whatever the umask: another user reads it
    # KurrentDB and Compose take these from nowhere but the environment.
    _once(folder / "compose.env", lambda: f"BILLING_SECRETS={folder.resolve()}\nKURRENTDB_PASSWORD={kurrentdb}\n")


def development_tokens(folder: Path) -> None:
    """After `make`: the keys, and fresh tokens for two hours, that a company's own issuer keeps there otherwise."""
    issuer = DevelopmentIssuer(folder / "development_issuer")
    for service in SERVICES:
        _readable(folder / "tokens" / service / "token", issuer.service_token(service))
    _readable(folder / "keys" / "jwks.json", json.dumps(issuer.jwks()))
    (folder / "users").mkdir(exist_ok=True)
    for name in USERS:
        (folder / "users" / name).write_text(issuer.user_token(name))


class _Authority:
    """Private, and new with each folder. Its key stays in the folder and is given to no container."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = _key(_once(folder / "ca_key.pem", _new_key, 0o400))
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "billing")])
        _once(folder / "ca.pem", lambda: _text(self._sign(self._name, self._key, None)))

    def certify(self, host: str) -> None:
        """host.crt, host.key, and host.pem with both. For the host's name, and this machine's for tests."""
        key = _once(self._folder / f"{host}.key", _new_key)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        hosts = x509.SubjectAlternativeName([x509.DNSName(host), x509.DNSName("localhost")])
        certificate = _once(self._folder / f"{host}.crt", lambda: _text(self._sign(name, _key(key), hosts)))
        _once(self._folder / f"{host}.pem", lambda: key + certificate)

    def _sign(
        self, name: x509.Name, key: EllipticCurvePrivateKey, hosts: x509.SubjectAlternativeName | None
    ) -> x509.Certificate:
        """hosts: None for the authority itself."""
        now = datetime.now(UTC)
        draft = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + VALID)
            .add_extension(x509.BasicConstraints(ca=hosts is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
            draft = draft.add_extension(hosts, critical=False).add_extension(uses, critical=False)
        return draft.sign(self._key, hashes.SHA256())


def _readable(file: Path, text: str) -> None:
    """By containers too, whatever the umask."""
    file.write_text(text)
    file.chmod(0o644)


def _once(file: Path, made: Callable[[], str], mode: int = 0o444) -> str:
    """The text of a file, made if it is not there."""
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        new = file.with_suffix(file.suffix + ".new")
        new.write_text(made())
        new.chmod(mode)
        new.replace(file)
    return file.read_text()


def _password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _new_key() -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return generate_private_key(SECP256R1()).private_bytes(*form).decode()


def _key(text: str) -> EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(text.encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
