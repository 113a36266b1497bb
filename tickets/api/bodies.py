"""What a request brings, bounded before it is read and checked before it is used."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from tickets.addresses import shown
from tickets.api.documents import FieldFault
from tickets.api.problems import Rejected, rejected

LARGEST_BODY = 1024 * 1024
"""Most octets of a body; more is refused before it is read."""

MOST_FAULTS = 20
"""Most faults that one answer lists."""

Model = TypeVar("Model", bound=BaseModel)

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object that was read: the same object has the same text, however it was written."""

    text: str

    def read_as(self, model: type[Model]) -> Model:
        """Return the body as ``model``; raises ``Rejected`` 422 with every fault."""
        try:
            return model.model_validate_json(self.text)
        except ValidationError as error:
            raise _not_valid(error, model, "The body is not what this address takes.") from None

    def digest(self, *context: str) -> str:
        """Return a SHA-256 of the body and of what it was sent to."""
        whole = "\n".join((*context, self.text))
        return hashlib.sha256(whole.encode()).hexdigest()


async def read_body(request: Request) -> Body:
    """Return the JSON object that was sent.

    Raises ``Rejected`` 415 for another type, 413 over ``LARGEST_BODY``, 400 for what is no JSON
    object, names a key twice, nests too deep, or holds what JSON cannot carry.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise rejected(415, "not-json", "The body must be of type application/json.")
    octets = await _read_octets(request)
    try:
        document = json.loads(
            octets.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_number,
        )
        if not isinstance(document, dict):
            raise _malformed("it must be a JSON object, in braces")
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, allow_nan=False)
        text.encode()
    except UnicodeDecodeError as error:
        raise _malformed("it is no UTF-8") from error
    except UnicodeEncodeError as error:
        raise _malformed("it holds half of a surrogate pair, which is no character") from error
    except RecursionError as error:
        raise _malformed("it nests deeper than anything that this address takes") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except ValueError as error:  # a number beyond what can be read or written
        raise _malformed("it holds a number that is far too long or infinite") from error
    return Body(text)


def read_query(request: Request, model: type[Model]) -> Model:
    """Return the parameters of the address as ``model``; raises ``Rejected`` 422."""
    fields = model.model_fields.items()
    many = {name for name, field in fields if get_origin(field.annotation) is tuple}
    values: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in many:
            values.setdefault(name, []).append(value)
        elif name in values:
            fault = FieldFault(field=name, message="is given twice; once is allowed")
            raise rejected(422, "invalid", "A parameter is given twice.", errors=[fault])
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _not_valid(error, model, "The address has a parameter that is not right.") from None


def read_key(request: Request) -> str | None:
    """Return the request's ``Idempotency-Key``, if it has one; raises ``Rejected`` 400."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        message = "must be one value of 1 to 255 visible ASCII characters"
        fault = FieldFault(field="Idempotency-Key", message=message)
        raise rejected(400, "malformed", f"The Idempotency-Key {message}.", errors=[fault])
    return keys[0]


async def _read_octets(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    is_number = declared.isascii() and declared.isdigit()
    if is_number and (len(declared) > 9 or int(declared) > LARGEST_BODY):
        raise _too_large()
    octets = bytearray()
    async for chunk in request.stream():
        octets += chunk
        if len(octets) > LARGEST_BODY:
            raise _too_large()
    return bytes(octets)


def _too_large() -> Rejected:
    return rejected(413, "too-large", "The body is larger than 1 MiB, the most that is taken.")


def _malformed(why: str) -> Rejected:
    return rejected(400, "malformed", f"The body cannot be read as JSON: {why}.")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise _malformed(f"an object names {shown(twice)} twice")
    return found


def _number(text: str) -> float:
    """Return a number; JSON knows no difference between 1.0 and 1."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _refuse_constant(word: str) -> NoReturn:
    raise _malformed(f"{word} is no JSON")


def _not_valid(error: ValidationError, model: type[BaseModel], detail: str) -> Rejected:
    faults = [
        FieldFault(field=_place(one["loc"]), message=_message(one["type"], one["msg"], model))
        for one in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
    ]
    return rejected(422, "invalid", detail, errors=faults)


def _place(parts: Iterable[str | int]) -> str:
    return ".".join(shown(str(part))[1:-1] for part in parts)


def _message(kind: str, message: str, model: type[BaseModel]) -> str:
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        names = ", ".join(sorted(model.model_fields))
        return f"is unknown here; allowed are {names}" if names else "is unknown here"
    if kind == "string_pattern_mismatch":
        return f"must have the form {message.partition('pattern ')[2]}"
    message = re.sub(r"<\w+\.\w+: ('[^']*')>", r"\1", message)  # a choice within an enum
    return re.sub(r"^(Input|String|Value|List|Tuple) should", "must", message)
