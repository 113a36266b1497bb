"""Forms with files as they come in: bounded in parts, size and time while they are read.

What is being read stands in temporary files beyond the first octets. The files of at most
``MOST_HELD`` forms are in memory at a time, so that many at once cost time and not memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from tickets.pages.forms import MOST_FIELDS, plain_text, read_form
from tickets.pages.origin import address_of
from tickets.pages.throttle import network_of
from tickets.rules.attachment import LARGEST_FILE, LARGEST_SET, LIMITS, MOST_FILES, SentFile

Read = TypeVar("Read")

LARGEST_FORM = 2 * LARGEST_SET
"""Most octets of a whole form: more than is kept, so that words beside large files come back."""

LARGEST_FIELD = 256 * 1024
"""Most octets of one field that is no file."""

READ_WITHIN_SECONDS = 300.0
"""How long a form may take to arrive."""

MOST_READING = 60
"""Forms that may arrive at the same time."""

MOST_OF_NETWORK = 4
"""Forms of one network among them, so that no network holds all places."""

MOST_HELD = 2
"""Forms whose files may be in memory at the same time."""

_FILE_PARTS = 2 * MOST_FILES
"""Parts with files that are read at all; those beyond ``MOST_FILES`` come back as a fault."""


@dataclass(frozen=True, slots=True)
class SentForm:
    """A form that was read: its fields as plain text, its files, and what is wrong with those.

    ``files`` is empty where ``fault`` says, in a sentence, that they are too many or too large.
    """

    fields: Mapping[str, str]
    files: Sequence[SentFile] = ()
    fault: str = ""

    @property
    def had_files(self) -> bool:
        """Whether files came with it; a browser does not keep them when it comes back."""
        return bool(self.files or self.fault)


class Uploads:
    """Reads forms with files; one for all pages of a process, which it bounds together."""

    def __init__(self, *, within_seconds: float = READ_WITHIN_SECONDS) -> None:
        self._within_seconds = within_seconds
        self._reading = Counter[str]()
        self._held = asyncio.Semaphore(MOST_HELD)

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncGenerator[SentForm]:
        """Read a form; its files are in memory until the block is left.

        A form without files may come in either of the two types. Raises ``HTTPException`` 413 when
        the body is too large, 415 when it is no form or compressed, 400 when it is broken or has
        too many parts, 408 when it took too long, 429 or 503 when too many arrive at once.
        """
        kind, _, options = request.headers.get("content-type", "").partition(";")
        if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise HTTPException(415, "A form is read as it is, not compressed.")
        if kind.strip().lower() != "multipart/form-data":
            with self._place(request):
                fields = await self._in_time(read_form(request))
            yield SentForm(fields)
            return
        if "charset" in options.lower() and "utf-8" not in options.lower():
            raise HTTPException(415, "A form is read in UTF-8 only.")
        data = await self._receive(request)
        try:
            fields, parts = _sorted(data)
            fault = _fault_of(parts)
            if fault or not parts:
                yield SentForm(fields, fault=fault)
                return
            async with self._held:
                yield SentForm(fields, [await _in_memory(part) for part in parts])
        finally:
            await data.close()

    async def _receive(self, request: Request) -> FormData:
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and len(declared.lstrip("0")) > 9:
            raise _too_large()
        if declared.isascii() and declared.isdigit() and int(declared) > LARGEST_FORM:
            raise _too_large()
        parser = MultiPartParser(
            request.headers,
            _bounded(request),
            max_files=_FILE_PARTS,
            max_fields=MOST_FIELDS,
            max_part_size=LARGEST_FIELD,
        )
        try:
            with self._place(request):
                return await self._in_time(parser.parse())
        except MultiPartException as error:
            raise HTTPException(
                400, "The form has more parts than any form of ours, or is broken."
            ) from error

    async def _in_time(self, reading: Awaitable[Read]) -> Read:
        try:
            async with asyncio.timeout(self._within_seconds):
                return await reading
        except TimeoutError as error:
            raise HTTPException(
                408, "The form took too long to arrive, so nothing was done. Send smaller files."
            ) from error

    @contextmanager
    def _place(self, request: Request) -> Generator[None]:
        """Hold a place while a form arrives."""
        network = network_of(address_of(request))
        if self._reading[network] >= MOST_OF_NETWORK:
            raise HTTPException(
                429,
                "Several forms arrive from your network at this moment, so nothing was done. Wait"
                " until they are sent, then send this one again.",
                headers={"Retry-After": "10"},
            )
        if self._reading.total() >= MOST_READING:
            raise HTTPException(
                503,
                "Many forms arrive at this moment, so nothing was done. Send it again in a minute.",
                headers={"Retry-After": "60"},
            )
        self._reading[network] += 1
        try:
            yield
        finally:
            self._reading[network] -= 1
            if not self._reading[network]:
                del self._reading[network]


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > LARGEST_FORM:
            raise _too_large()
        yield chunk


def _too_large() -> HTTPException:
    return HTTPException(
        413, f"The form is too large, so nothing was done. Go back and send {LIMITS}."
    )


def _sorted(data: FormData) -> tuple[dict[str, str], list[UploadFile]]:
    """Return the fields, and the files that somebody chose: a field left empty sends a part too."""
    fields: dict[str, str] = {}
    files: list[UploadFile] = []
    for name, value in data.multi_items():
        if isinstance(value, str):
            fields[name] = plain_text(value)
        elif value.filename or value.size:
            files.append(value)
    return fields, files


def _fault_of(parts: Sequence[UploadFile]) -> str:
    sizes = [part.size or 0 for part in parts]
    if len(parts) > MOST_FILES:
        return f"There are {len(parts)} files; send {LIMITS}"
    if max(sizes, default=0) > LARGEST_FILE or sum(sizes) > LARGEST_SET:
        return f"The files are too large; send {LIMITS}"
    return ""


async def _in_memory(part: UploadFile) -> SentFile:
    return SentFile(part.filename or "", await part.read())
