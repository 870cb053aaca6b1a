"""The contract of the events, for programs: JSON Schemas and the AsyncAPI document. No secret: nobody signs in."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from contracts import asyncapi, json_schemas
from contracts.problems import Refused

SCHEMA = "/events/schemas/{name}/{version}.json"
ENVELOPE = "/events/schemas/{name}.json"
ASYNCAPI = "/events/asyncapi.json"
HEADERS = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}


async def read_schema(request: Request) -> Response:
    """Of one version of an event."""
    return _schema(json_schemas.file_name(request.path_params["name"], request.path_params["version"]))


async def read_envelope_schema(request: Request) -> Response:
    """Of a record's headers, or of the metadata in a line of a feed."""
    return _schema(f"{request.path_params['name']}.json")


async def read_asyncapi(request: Request) -> Response:
    return Response(_asyncapi(), headers=HEADERS, media_type="application/json")


def _schema(name: str) -> Response:
    try:
        return Response(_schemas()[name], headers=HEADERS, media_type="application/schema+json")
    except KeyError:
        raise Refused("not_found") from None


@lru_cache(1)
def _asyncapi() -> bytes:
    return asyncapi.FILE.read_bytes()


@lru_cache(1)
def _schemas() -> dict[str, bytes]:
    """By file name: what somebody asks for is looked up, and never a path."""
    return {file.name: file.read_bytes() for file in json_schemas.FOLDER.iterdir()}
