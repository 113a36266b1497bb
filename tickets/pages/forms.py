"""Forms as they come in: bounded before they are read, plain text after, and faults by field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

LARGEST_BODY = 1024 * 1024
"""Most octets of a form; more is refused before it is read."""

MOST_FIELDS = 50
"""Most fields of a form."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

FORM_TYPE = "application/x-www-form-urlencoded"
"""How a browser sends a form that carries no file."""

# Control characters have no place in what people write; PostgreSQL refuses the first of them.
_UNWANTED = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field: its name, and a sentence that says what to do."""

    field: str
    message: str


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a posted form, each as text with plain line ends.

    Of a field that comes twice the last counts. Raises ``HTTPException`` 413 when the body is too
    large, 415 when it is no form, 400 when it has too many fields.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise HTTPException(415, f"This address reads forms of type {FORM_TYPE} only.")
    body = await _read_body(request)
    try:
        fields = parse_qsl(
            body.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            errors="replace",
        )
    except ValueError as error:
        raise HTTPException(
            400, f"The form has more than {MOST_FIELDS} fields, which no form of ours has."
        ) from error
    return {name: plain_text(value) for name, value in fields}


async def _read_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    is_number = declared.isascii() and declared.isdigit()
    if is_number and (len(declared) > 9 or int(declared) > LARGEST_BODY):
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> HTTPException:
    return HTTPException(413, "The form is larger than 1 MiB, the most that is taken.")


def plain_text(text: str) -> str:
    """Return ``text`` with line ends as newlines and without control characters or lone halves."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_UNWANTED)
    return text.encode("utf-8", "replace").decode("utf-8")


def read_day(text: str) -> date | None:
    """Return the date that a field of type date sends, YYYY-MM-DD; None if it is none."""
    text = text.strip()
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def read_number(text: str) -> int | None:
    """Return a whole number of at most nine digits; None if it is none."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def check_texts(
    fields: Mapping[str, str], wanted: Mapping[str, str], *, most: int
) -> Sequence[FieldFault]:
    """Return what is wrong with required texts; ``wanted`` maps field to what to write there."""
    faults: list[FieldFault] = []
    for name, what in wanted.items():
        length = len(fields.get(name, "").strip())
        if not length:
            faults.append(FieldFault(name, f"Write {what}"))
        elif length > most:
            faults.append(
                FieldFault(name, f"Write {what} in at most {most:,} characters; it has {length:,}")
            )
    return faults
