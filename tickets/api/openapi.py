"""The OpenAPI document, made from the table of operations and the models that check and answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from tickets.api.documents import Problem
from tickets.api.operations import OPERATIONS, Doing, Operation, Reading

Json = dict[str, Any]

_REF = "#/components/schemas/{model}"

_PROBLEMS: Mapping[int, str] = {
    400: "The body or a header cannot be read",
    401: "No token, or one that is unknown, expired or revoked",
    403: "The token does not allow this",
    404: "There is no such ticket, or none that this token may see",
    409: "The ticket has changed since, or its status does not allow this",
    413: "The body is larger than 1 MiB",
    415: "The body is not of type application/json",
    422: "A field or parameter is not right; or the Idempotency-Key came with another request",
    429: "Too many wrong tokens came from this address",
    503: "A part of Fettle does not answer; nothing was done",
}

_HEADERS: Mapping[int, str] = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}

_REFERENCE: Json = {
    "name": "ref",
    "in": "path",
    "required": True,
    "description": "The ticket's reference.",
    "schema": {"type": "string", "pattern": "^(T-)?[0-9]{1,9}$", "examples": ["T-1042"]},
}

_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Your name for this request, unique for 24 hours: sent again, the same request"
    " gets the same answer and has no second effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def openapi_document(*, version: str) -> Json:
    """Return the API's description (OpenAPI 3.1); ``version`` is the product's own."""
    doings = [one for one in OPERATIONS if isinstance(one, Doing)]
    answers = {one.answer for one in OPERATIONS} | {Problem}
    _, schemas = models_json_schema(
        [
            *((one.order, "validation") for one in doings),
            *((one, "serialization") for one in sorted(answers, key=lambda one: one.__name__)),
        ],
        ref_template=_REF,
    )
    paths: dict[str, Json] = {"/openapi.json": {"get": _openapi_itself()}}
    for one in OPERATIONS:
        method = "post" if isinstance(one, Doing) else "get"
        paths.setdefault(one.path, {})[method] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fettle",
            "version": version,
            "description": "Tickets, and what may be done to them. Instants are ISO 8601; answers"
            " give them in UTC. Every refusal is a problem document (RFC 9457).",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made by `fettle token add`.",
                }
            },
            "schemas": schemas["$defs"],
        },
    }


def _openapi_itself() -> Json:
    schema = {"type": "object", "required": ["openapi"]}
    return {
        "operationId": "show_openapi",
        "summary": "This document",
        "security": [],
        "responses": {
            "200": {
                "description": "The document",
                "content": {"application/json": {"schema": schema}},
            }
        },
    }


def _operation(one: Operation) -> Json:
    parameters = [_REFERENCE] if "{ref}" in one.path else []
    statuses = {401, 403, 422, 429, 503}
    if "{ref}" in one.path:
        statuses.add(404)
    found: Json = {"operationId": one.name, "summary": one.does}
    if isinstance(one, Reading):
        parameters += _query_parameters(one)
    else:
        statuses |= {400, 409, 413, 415}
        parameters.append(_KEY)
        found["requestBody"] = {"required": True, "content": _content(one.order.__name__)}
    found["description"] = _needs(one)
    found["parameters"] = parameters
    done: Json = {"description": "Done", "content": _content(one.answer.__name__)}
    if isinstance(one, Doing) and one.status == 201:
        done["headers"] = {"Location": {"required": True, "schema": {"type": "string"}}}
    found["responses"] = {
        str(one.status if isinstance(one, Doing) else 200): done,
        **{str(status): _refusal(status) for status in sorted(statuses)},
    }
    return found


def _needs(one: Operation) -> str:
    person = isinstance(one, Doing) and one.needs_person
    return f"Needs the scope `{one.scope}`" + (" and a person's token." if person else ".")


def _query_parameters(one: Reading) -> list[Json]:
    schema = one.question.model_json_schema(ref_template=_REF)
    shared: Json = schema.get("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": found.get("description", ""),
            "schema": _inlined(found, shared),
        }
        for name, found in schema["properties"].items()
    ]


def _inlined(schema: Json, shared: Json) -> Json:
    """Return a parameter's schema without null, which an address cannot say, and without refs."""
    for branch in schema.get("anyOf", []):
        if branch.get("type") != "null":
            return _inlined(branch, shared)
    if "$ref" in schema:
        return _inlined(shared[schema["$ref"].rpartition("/")[2]], shared)
    found = {name: value for name, value in schema.items() if name not in {"description", "title"}}
    if "items" in found:
        found["items"] = _inlined(found["items"], shared)
    return found


def _refusal(status: int) -> Json:
    found: Json = {
        "description": _PROBLEMS[status],
        "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
    header = _HEADERS.get(status)
    if header is not None:
        found["headers"] = {header: {"required": True, "schema": {"type": "string"}}}
    return found


def _content(model: str) -> Json:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model)}}}
