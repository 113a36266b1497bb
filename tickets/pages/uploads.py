"""Public forms that may carry files: read within bounds of size, count and time, never beyond.

Files larger than a mebibyte wait on disk while they come in. Whoever sends slowly, or many at once,
is cut off; the turnstile keeps one network from holding all places.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from tickets.pages.forms import plain_text

_MEBIBYTE = 1024 * 1024

_TYPED = "application/x-www-form-urlencoded"
_WITH_FILES = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What a form may hold: octets in all and of a field, how many fields and files, and how long.

    ``within`` is how long it may take from the first octet of the body to the last.
    """

    body: int
    files: int
    fields: int = 40
    field: int = 256 * 1024
    within: timedelta = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as it came in: the sender's name for it, which may be anything, and its octets."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """A form as it came in: fields as text with plain line ends, and files by the field's name."""

    fields: Mapping[str, str]
    files: Mapping[str, tuple[UploadedFile, ...]]


@dataclass(slots=True)
class Turnstile:
    """Lets only so many forms come in at once, ``per_network`` of one network and ``in_all``."""

    per_network: int = 4
    in_all: int = 64
    _inside: Counter[str] = field(default_factory=Counter[str], init=False)

    @contextmanager
    def admit(self, network: str) -> Generator[None]:
        """Hold a place while a form is read; raises ``HTTPException`` 429 or 503 without one."""
        if self._inside[network] >= self.per_network:
            raise HTTPException(
                429,
                "Several forms are coming in from your network at this moment. Wait until they are"
                " sent, then send this one again.",
                {"Retry-After": "10"},
            )
        if self._inside.total() >= self.in_all:
            raise HTTPException(
                503,
                "Very many forms are coming in at this moment. Send yours again in a minute.",
                {"Retry-After": "60"},
            )
        self._inside[network] += 1
        try:
            yield
        finally:
            self._inside[network] -= 1
            if not self._inside[network]:
                del self._inside[network]


async def read_upload(request: Request, limits: UploadLimits) -> Upload:
    """Return the form that a request carries.

    Raises ``HTTPException``: 413 when it is too large, 400 when it is malformed, has too many
    fields or files or one field twice, 408 when it takes too long, 415 when it is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if kind not in {_TYPED, _WITH_FILES} or coding != "identity":
        raise HTTPException(
            415, f"This page reads forms of type {_WITH_FILES} or {_TYPED}, not compressed."
        )
    declared = request.headers.get("content-length", "")
    is_number = declared.isascii() and declared.isdigit()
    if is_number and (len(declared) > 15 or int(declared) > limits.body):
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.within.total_seconds()):
            if kind == _WITH_FILES:
                return await _read_parts(request, limits)
            return await _read_typed(request, limits)
    except TimeoutError as error:
        seconds = int(limits.within.total_seconds())
        raise HTTPException(
            408, f"The form took longer than {seconds} seconds to come in: send it again."
        ) from error


async def _read_typed(request: Request, limits: UploadLimits) -> Upload:
    most = limits.field * 2
    body = bytearray()
    async for chunk in _bounded(request, limits):
        body += chunk
        if len(body) > most:
            raise _too_large(limits)
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=limits.fields,
            errors="replace",
        )
    except ValueError as error:
        raise _malformed(limits) from error
    return Upload(_once(pairs), {})


async def _read_parts(request: Request, limits: UploadLimits) -> Upload:
    parser = MultiPartParser(
        request.headers,
        _bounded(request, limits),
        max_files=limits.files + 1,
        max_fields=limits.fields,
        max_part_size=limits.field,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _malformed(limits) from error
    pairs: list[tuple[str, str]] = []
    files: dict[str, list[UploadedFile]] = {}
    try:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                pairs.append((name, value))
            elif value.filename or value.size:  # a browser sends a field without a file as well
                content = await value.read()
                files.setdefault(name, []).append(UploadedFile(value.filename or "", content))
    finally:
        await form.close()
    if sum(map(len, files.values())) > limits.files:
        raise HTTPException(400, f"At most {limits.files} files can be sent at once.")
    return Upload(_once(pairs), {name: tuple(found) for name, found in files.items()})


def _once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise HTTPException(400, "The form has one of its fields twice, which it never has.")
        fields[name] = plain_text(value)
    return fields


async def _bounded(request: Request, limits: UploadLimits) -> AsyncGenerator[bytes]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limits.body:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: UploadLimits) -> HTTPException:
    most = limits.body // _MEBIBYTE
    return HTTPException(
        413, f"The form is too large: with its files, at most {most} MiB is taken."
    )


def _malformed(limits: UploadLimits) -> HTTPException:
    return HTTPException(
        400,
        f"The form could not be read: it is malformed, has more than {limits.fields} fields or"
        f" {limits.files} files, or a field that is too long.",
    )
