"""Reads a file of another program and finds out what it is."""

from __future__ import annotations

import json
from pathlib import Path

from monitor.settings.file import parse
from monitor.site_exchange.draft import Draft
from monitor.site_exchange.file_sd import is_file_sd, read_file_sd
from monitor.site_exchange.uptime_kuma import is_uptime_kuma, read_uptime_kuma
from tickets.addresses import shown
from tickets.errors import Misconfigured, Refused

MAX_BYTES = 20_000_000
"""Largest file that is read; 10,000 monitors of Uptime Kuma take about half of it."""

_WHAT = "a file_sd list of Prometheus or a JSON backup of Uptime Kuma"


def read_list(path: Path) -> Draft:
    """Return what ``path`` lists; raises ``Refused`` with one sentence for a file of no use."""
    document = _parse(path, _read(path))
    if is_uptime_kuma(document):
        return read_uptime_kuma(document)
    if is_file_sd(document):
        return read_file_sd(document)
    raise Refused(f"{shown(str(path))} is neither {_WHAT}")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise Refused(f"{shown(str(path))} cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise Refused(f"{shown(str(path))} is larger than {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{shown(str(path))} is not UTF-8 text, so it is neither {_WHAT}") from error


def _parse(path: Path, text: str) -> object:
    """Return the plain values in the file, which is JSON if it looks so, else YAML."""
    looks_like_json = text.lstrip()[:1] in {"{", "["}
    if looks_like_json or path.suffix == ".json":
        try:
            return json.loads(text)
        except RecursionError:
            raise Refused(f"{shown(str(path))} is nested too deeply") from None
        except ValueError as error:
            if path.suffix == ".json" or text.lstrip()[:1] == "{":
                line = getattr(error, "lineno", None)
                where = f" at line {line}" if line else ""
                raise Refused(f"{shown(str(path))} is not valid JSON{where}") from None
    try:
        root, faults = parse(text, source=str(path), has_lines=True)
    except Misconfigured as error:
        raise Refused(str(error.faults[0])) from None
    if faults:
        raise Refused(str(faults[0]))
    return root.plain()
