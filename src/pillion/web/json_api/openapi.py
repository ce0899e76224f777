"""The OpenAPI 3.1 document, made from the table of routes and from the view models that the API answers with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, get_type_hints

import msgspec

from pillion._version import __version__
from pillion.web import paths
from pillion.web.data.models import BulkReport, Outcome
from pillion.web.json_api.encode import JSON_TYPE, PROBLEM_TYPE
from pillion.web.params import Param
from pillion.web.routes import API, Route

Json = dict[str, Any]

_MODEL_REF: Final = "#/components/schemas/{name}"
_PROBLEM: Final[Json] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_DESCRIPTION: Final = (
    "What the dashboard shows and does, for programs. Times ending in _at are epoch seconds, _s seconds, _bytes bytes, "
    "_share a share of 1. Integers may be larger than 2^53. Actions that remove something answer 428 with count and "
    "samples until they come with confirmed, and 409 if expected_count is far from what is there by then."
)


def document(routes: Iterable[Route], loads: Mapping[str, Callable[..., Any]], *, root: str, title: str) -> Json:
    """The document. Parameters: `loads` are the functions that answer, by name of the route; `root` is the mount."""
    api = [route for route in routes if route.kind == "api"]
    models = {route.name: _returned(route, loads) for route in api}
    schemas, components = msgspec.json.schema_components(
        [model for model in models.values() if model is not None], ref_template=_MODEL_REF
    )
    found = dict(zip((name for name, model in models.items() if model is not None), schemas, strict=True))
    document_paths: Json = {}
    for route in api:
        document_paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, found.get(route.name))
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{title} API", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": root or "/"}],
        "paths": document_paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {"host": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"host": []}],
    }


def _returned(route: Route, loads: Mapping[str, Callable[..., Any]]) -> Any:
    if route.method != "GET":
        return BulkReport if route.name in _STARTS else Outcome
    load = loads.get(route.name)
    return None if load is None else get_type_hints(load).get("return")


_STARTS: Final = frozenset({"api_bulk_retry", "api_bulk_kill", "api_bulk_delete", "api_bulk_resume"})


def _operation(route: Route, schema: Json | None) -> Json:
    names = [_path_parameter(name) for name in paths.places(route.path)]
    responses: Json = {
        "202" if route.name in _STARTS else "200": _answer("Done" if route.method == "POST" else "As asked", schema),
        "default": {"description": "An error", "content": {PROBLEM_TYPE: {"schema": {"$ref": _ref("Problem")}}}},
    }
    if route.confirm:
        responses["428"] = {"description": "What would be done; send confirmed", "content": {PROBLEM_TYPE: {}}}
    operation: Json = {
        "operationId": route.name.removeprefix("api_"),
        "summary": route.summary,
        "description": f"Needs the role {route.role}.",
        "parameters": names,
        "responses": responses,
    }
    if route.method == "GET":
        operation["parameters"] = [*names, *map(_query_parameter, route.params)]
    elif route.params:
        properties = {param.name: {**_schema(param), "description": param.summary} for param in route.params}
        body: Json = {"type": "object", "properties": properties, "additionalProperties": False}
        operation["requestBody"] = {"content": {JSON_TYPE: {"schema": body}}}
    return operation


def _answer(description: str, schema: Json | None) -> Json:
    return {"description": description, "content": {JSON_TYPE: {"schema": schema if schema is not None else {}}}}


def _ref(name: str) -> str:
    return _MODEL_REF.format(name=name)


def _path_parameter(name: str) -> Json:
    summary = "A name; what a path cannot carry is ~ and two hexadecimal digits, as ~2F for a slash"
    return {"name": name, "in": "path", "required": True, "description": summary, "schema": {"type": "string"}}


def _query_parameter(param: Param) -> Json:
    return {"name": param.name, "in": "query", "description": param.summary, "schema": _schema(param)}


def _schema(param: Param) -> Json:
    schema: Json
    match param.kind:
        case "whole":
            schema = {"type": "integer", "minimum": int(param.low), "maximum": int(param.high)}
        case "number":
            schema = {"type": "number"}
        case "flag":
            schema = {"type": "boolean"}
        case "choice":
            schema = {"type": "string", "enum": list(param.choices)}
        case "texts":
            schema = {"type": "array", "maxItems": param.many, "items": {"type": "string", "maxLength": param.most}}
        case _:
            schema = {"type": "string", "maxLength": param.most}
    if param.default not in (None, "", ()):
        schema["default"] = param.default
    return schema


def is_api(path: str) -> bool:
    """Whether programs ask there, so that errors are JSON."""
    return path == API or path.startswith(f"{API}/")
