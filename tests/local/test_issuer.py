"""The development issuer: its tokens are sound, its key stays its own, and it refuses to be of use to anybody else."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest

from contracts.account_actions import PRIVILEGES, BillingRole
from deploy.local.folder import Folder
from deploy.local.issuer import AUDIENCE, ISSUER, SERVICES, USERS, DevelopmentIssuer, refuse_unsafe, service_token_file
from deploy.local.issuer_app import issuer_app
from deploy.local.roles import with_roles
from services.chassis.auth import Authenticator


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def issuer(folder: Folder) -> DevelopmentIssuer:
    return DevelopmentIssuer(folder.issuer)


@pytest.fixture
async def authenticator(issuer: DevelopmentIssuer) -> Authenticator:
    checking = Authenticator(str(issuer.jwks_file), ISSUER, AUDIENCE)
    await checking.refresh()
    return checking


@pytest.fixture
async def client(issuer: DevelopmentIssuer, folder: Folder) -> AsyncIterator[httpx2.AsyncClient]:
    app = issuer_app(issuer, folder)
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8001")
    async with app.router.lifespan_context(app), http as client:
        yield client


async def test_the_written_token_of_every_demo_user_and_service_is_accepted(
    issuer: DevelopmentIssuer, folder: Folder, authenticator: Authenticator
) -> None:
    issuer.write_tokens(folder.tokens)
    for name, user in USERS.items():
        caller = authenticator(f"Bearer {(folder.tokens / name).read_text()}")
        assert (caller.subject, caller.role, set(caller.grants)) == (user.subject, user.role, set(user.grants))
    for service in SERVICES:
        caller = authenticator(f"Bearer {service_token_file(folder.tokens, service).read_text()}")
        may_move_the_clock = {"Clock:Edit"} if service == "gateway" else set()
        assert caller.grants == {"*": {"Audit:Read"} | may_move_the_clock}


def test_key_and_tokens_are_readable_by_their_owner_only(issuer: DevelopmentIssuer, folder: Folder) -> None:
    issuer.write_tokens(folder.tokens)
    secret = [folder.issuer / "key.pem", folder.tokens / "olive", service_token_file(folder.tokens, "plans")]
    assert {file.stat().st_mode & 0o777 for file in secret} == {0o600}
    assert "d" not in json.loads(issuer.jwks_file.read_text())["keys"][0]


async def test_a_token_outlives_a_restart(
    issuer: DevelopmentIssuer, folder: Folder, authenticator: Authenticator
) -> None:
    again = DevelopmentIssuer(folder.issuer)
    assert again.jwks() == issuer.jwks()
    assert authenticator(f"Bearer {again.user_token('olive')}").subject == "user-olive"


async def test_a_token_is_given_to_whoever_names_a_demo_user(
    client: httpx2.AsyncClient, authenticator: Authenticator
) -> None:
    answer = (await client.post("/token", json={"user": "nora"})).json()
    assert authenticator(f"{answer['token_type']} {answer['access_token']}").subject == "user-nora"


@pytest.mark.parametrize(
    "body", [{"user": "mallory"}, {"user": "../olive"}, {"user": 1}, {}, {"user": "olive", "x": 1}]
)
async def test_nobody_else_gets_one(client: httpx2.AsyncClient, body: object) -> None:
    answer = await client.post("/token", json=body)
    assert answer.status_code in (404, 422)
    assert "access_token" not in answer.text


async def test_the_issuer_tells_where_its_keys_are(client: httpx2.AsyncClient, issuer: DevelopmentIssuer) -> None:
    configuration = (await client.get("/.well-known/openid-configuration")).json()
    assert configuration["issuer"] == ISSUER
    assert (await client.get(configuration["jwks_uri"])).json() == issuer.jwks()


async def test_a_name_of_the_web_pointed_at_this_machine_gets_no_token(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/token", json={"user": "olive"}, headers={"Host": "evil.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "portal.example"])
def test_the_issuer_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(SystemExit, match="loopback only"):
        refuse_unsafe("development", host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_every_loopback_address_will_do(host: str) -> None:
    refuse_unsafe("development", host)


def test_the_issuer_refuses_production(tmp_path: Path) -> None:
    settings = {"ENVIRONMENT": "production", "PORT": "1", "DATA_DIR": str(tmp_path / "issuer")}
    settings |= {"JWKS": "x", "ISSUER": "x", "AUDIENCE": "x"}
    environment = {**os.environ, **{f"BILLING_{name}": value for name, value in settings.items()}}
    command = [sys.executable, "-m", "deploy.local.issuer_app"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The development token issuer does not run in production")
    assert not list(tmp_path.iterdir())


def test_recorded_roles_count_for_more_than_the_demos_own() -> None:
    olive = USERS["olive"]
    assert with_roles(olive, {}) == olive
    assert with_roles(olive, {"acme": None}).grants == {}
    viewer = with_roles(olive, {"acme": BillingRole.VIEWER, "globex": BillingRole.AUDITOR}).grants
    assert {account: set(held) for account, held in viewer.items()} == {
        "acme": PRIVILEGES[BillingRole.VIEWER],
        "globex": PRIVILEGES[BillingRole.AUDITOR],
    }


class Plans(BaseHTTPRequestHandler):
    """A plans service as the issuer sees it: `roles` by subject, for who has a token of the issuer's."""

    roles: ClassVar[dict[str, dict[str, str | None]]] = {}

    def do_GET(self) -> None:
        subject = parse_qs(urlsplit(self.path).query)["subject"][0]
        body = json.dumps({"subject": subject, "roles": self.roles.get(subject, {})}).encode()
        self.send_response(200 if self.headers["Authorization"].startswith("Bearer ") else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def plans_at(folder: Folder) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Plans) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        folder.write_state({"plans": {"url": url, "pid": 0}})
        yield url
        server.shutdown()
        thread.join()


async def test_a_revoked_role_is_in_no_new_token(
    client: httpx2.AsyncClient, authenticator: Authenticator, plans_at: str
) -> None:
    Plans.roles = {"user-olive": {"acme": None}, "user-victor": {"globex": "editor"}}
    olive, victor = [(await client.post("/token", json={"user": name})).json() for name in ("olive", "victor")]
    assert authenticator(f"Bearer {olive['access_token']}").grants == {}
    grants = authenticator(f"Bearer {victor['access_token']}").grants
    assert grants["globex"] == PRIVILEGES[BillingRole.EDITOR]
    assert set(grants) == {"acme", "globex"}


async def test_nobody_gets_a_token_while_their_roles_cannot_be_asked_for(
    client: httpx2.AsyncClient, folder: Folder
) -> None:
    folder.write_state({"plans": {"url": "http://127.0.0.1:9", "pid": 0}})
    answer = await client.post("/token", json={"user": "olive"})
    assert (answer.status_code, answer.json()["code"]) == (503, "owner_unavailable")


SIGN_IN = {
    "client_id": "billing-portal",
    "redirect_uri": "http://127.0.0.1:8080/sign-in/done",
    "state": "state-1",
    "nonce": "nonce-1",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",  # RFC 7636, appendix B
    "code_challenge_method": "S256",
    "response_type": "code",
}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


async def chosen(client: httpx2.AsyncClient, **different: str) -> str:
    """The code that choosing olive on the page gives."""
    answer = await client.post("/authorize", data={**SIGN_IN, "user": "olive", **different})
    assert answer.status_code == 303, answer.text
    back = httpx2.URL(answer.headers["location"])
    assert (back.copy_with(query=None), back.params["state"]) == (SIGN_IN["redirect_uri"], "state-1")
    return str(back.params["code"])


async def redeem(client: httpx2.AsyncClient, code: str, **different: str) -> httpx2.Response:
    kept = {name: SIGN_IN[name] for name in ("client_id", "redirect_uri")}
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, **kept, **different}
    return await client.post("/token", data=form)


async def test_a_demo_user_chosen_on_the_page_is_signed_in(
    client: httpx2.AsyncClient, authenticator: Authenticator
) -> None:
    page = await client.get("/authorize", params=SIGN_IN)
    assert all(f'value="{name}"' in page.text for name in USERS)
    answer = (await redeem(client, await chosen(client))).json()
    assert authenticator(f"Bearer {answer['access_token']}").subject == "user-olive"
    said = jwt.decode(answer["id_token"], options={"verify_signature": False})
    assert (said["nonce"], said["aud"], said["name"]) == ("nonce-1", "billing-portal", "Olive")


@pytest.mark.parametrize("wrong", ["code_verifier", "client_id", "redirect_uri", "grant_type"])
async def test_a_code_is_for_whom_it_was_given_to(client: httpx2.AsyncClient, wrong: str) -> None:
    assert (await redeem(client, await chosen(client), **{wrong: "another"})).status_code == 400


async def test_a_code_is_good_once(client: httpx2.AsyncClient) -> None:
    code = await chosen(client)
    assert [(await redeem(client, code)).status_code for _ in range(2)] == [200, 400]


@pytest.mark.parametrize(
    "different",
    [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1.evil.example/"},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
        {"user": "nobody"},
    ],
)
async def test_codes_go_back_to_this_machine_only_and_never_without_pkce(
    client: httpx2.AsyncClient, different: dict[str, str]
) -> None:
    answer = await client.post("/authorize", data={**SIGN_IN, "user": "olive", **different})
    assert answer.status_code == 400
    assert "location" not in answer.headers
