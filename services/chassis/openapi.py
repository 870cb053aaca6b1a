"""Completes FastAPI's OpenAPI document with what it cannot see: bodies read from bytes, and problem documents."""

from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

REF = "#/components/schemas/{model}"

PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` is stable; a code may bring further members (limits, lines, a fresh quote).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "correlation_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
                    "message": {"type": "string"},
                    "kind": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}


class DocumentedApp(FastAPI):
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        if "Problem" not in document.setdefault("components", {}).setdefault("schemas", {}):
            document["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
            _add_bodies(document, self)
            _drop_unused_errors(document)
        return document


def _add_bodies(document: dict[str, Any], app: FastAPI) -> None:
    bodies = dict(_bodies(app))
    models = sorted(set(bodies.values()), key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    for name, schema in schemas.get("$defs", {}).items():
        document["components"]["schemas"].setdefault(name, schema)
    for (path, method), model in bodies.items():
        content = {"application/json": {"schema": {"$ref": REF.format(model=model.__name__)}}}
        operation = document["paths"][path][method]
        operation.setdefault("requestBody", {"required": True, "content": content})


def _bodies(app: FastAPI) -> dict[tuple[str, str], type[BaseModel]]:
    """The body model of each documented operation whose body is read by chassis.http.json_body."""
    found = {}
    for route in iter_route_contexts(app.routes):
        if getattr(route, "include_in_schema", False) and (model := _body_of(getattr(route, "dependant", None))):
            for method in route.methods or ():
                found[route.path_format or "", method.lower()] = model
    return found


def _body_of(dependant: Dependant | None) -> type[BaseModel] | None:
    for dependency in dependant.dependencies if dependant else ():
        model = getattr(dependency.call, "model", None)
        if isinstance(model, type) and issubclass(model, BaseModel):
            return model
    return None


def _drop_unused_errors(document: dict[str, Any]) -> None:
    """FastAPI documents its own form of a 422 for every route with a parameter; ours are problem documents."""
    for operations in document["paths"].values():
        for operation in operations.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if "HTTPValidationError" in str(content.get("application/json", {})):
                operation["responses"]["422"] = {
                    "description": "The request does not fit its schema",
                    "content": {"application/problem+json": {"schema": {"$ref": REF.format(model="Problem")}}},
                }
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
