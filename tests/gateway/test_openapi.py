"""The public OpenAPI document: every address, every body, every way to fail, and examples that are true."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from contracts.problems import PROBLEMS
from services.gateway import openapi
from services.gateway.commands import COMMANDS
from services.gateway.examples import ANSWERS
from services.gateway.forwarded import Forwarded
from services.gateway.routes import routes

from .gateway import gateway

DOCUMENT: dict[str, Any] = orjson.loads(orjson.dumps(openapi.document()))
OPERATIONS = {
    (method, path): operation for path, of_path in DOCUMENT["paths"].items() for method, operation in of_path.items()
}
# Documents about what is served, and no operations of it.
EVENTS = {"/events/asyncapi.json", "/events/schemas/{name}/{version}.json", "/events/schemas/{name}.json"}
OWN = {("get", "/"), ("get", "/openapi.json"), *(("get", path) for path in EVENTS)}


def references(part: Any) -> set[str]:
    match part:
        case {"$ref": str(reference)}:
            return {reference}
        case dict():
            return set().union(*map(references, part.values()), set())
        case list():
            return set().union(*map(references, part), set())
    return set()


def test_it_is_what_openapi_says_a_document_is() -> None:
    validate(DOCUMENT)


def test_every_address_is_documented_and_no_other() -> None:
    served = {(method.lower(), route.path) for route in routes() for method in (route.methods or set()) - {"HEAD"}}
    assert served - OWN == set(OPERATIONS)


def test_every_reference_leads_somewhere() -> None:
    schemas = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references(DOCUMENT) <= schemas
    assert schemas <= references(DOCUMENT)


def test_every_operation_can_be_told_from_the_others() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9_]+", each) for each in ids)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_names_its_parameters_its_answers_and_every_problem(method: str, path: str) -> None:
    operation = OPERATIONS[method, path]
    in_path = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
    assert in_path == set(re.findall(r"{(\w+)}", path))
    assert all("schema" in each for each in operation["parameters"])
    (success,) = [status for status in operation["responses"] if status.startswith("2")]
    ((media_type, content),) = operation["responses"][success]["content"].items()
    assert "$ref" in str(content["schema"]) or media_type == "text/csv"
    for status, answer in operation["responses"].items():
        if status >= "400":
            problem = answer["content"]["application/problem+json"]
            codes = problem["schema"]["properties"]["code"]["enum"]
            assert {PROBLEMS[code].status for code in codes} == {int(status)}
            assert set(problem["examples"]) == set(codes)
    told_something = operation["parameters"] or "requestBody" in operation
    assert {"401", "404", "500", *(["422"] if told_something else [])} <= set(operation["responses"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.method} {command.path}")
def test_the_example_of_a_command_is_a_sound_body(command: Forwarded) -> None:
    command.body.model_validate_json(orjson.dumps(command.example))


@pytest.mark.parametrize("model", ANSWERS, ids=lambda model: model.__name__)
def test_the_example_of_an_answer_is_a_whole_answer(model: type[BaseModel]) -> None:
    example = ANSWERS[model]
    assert orjson.loads(model.model_validate_json(orjson.dumps(example)).model_dump_json()) == example


def test_every_refusal_of_the_owners_is_documented_somewhere() -> None:
    """Read from their source: a rule that is added there must be added here."""
    services = Path(__file__).parents[2] / "services"
    sources = [file.read_text() for owner in ("plans", "devices") for file in (services / owner).glob("*.py")]
    raised = {code for source in sources for code in re.findall(r'Refused\(\s*"(\w+)"', source)}
    raised |= {
        code
        for source in sources
        for pair in re.findall(r'Refused\("(\w+)" if .* else "(\w+)"', source)
        for code in pair
    }
    documented = {
        code
        for operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert raised > {"licences_assigned", "quote_stale", "device_ratio"}
    assert raised - documented - {"not_found"} == set()


async def test_the_document_and_the_landing_answer_need_no_token(tmp_path: Path) -> None:
    async with gateway(tmp_path) as opened:
        document = await opened.client.get("/openapi.json")
        assert document.json() == DOCUMENT
        landing = await opened.client.get("/")
        assert landing.json()["openapi"] == "/openapi.json"
        assert "GET /api/v1/accounts/{account_id}/product-cards" in landing.json()["reads"]
        assert "http" not in landing.text
