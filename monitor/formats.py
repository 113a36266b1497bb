"""Which of the formats of the metrics page a request asks for.

prometheus_client takes the first format of the header that it knows, whatever the weights say, and
knows it only in small letters; here the weights count (RFC 9110, 12.5.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

Encoder = Callable[[Collector], bytes]

_OPENMETRICS = "application/openmetrics-text; version=1.0.0"
_TEXT_1 = "text/plain; version=1.0.0"
_TEXT_0 = "text/plain; version=0.0.4"
_PREFERENCE = (_OPENMETRICS, _TEXT_1, _TEXT_0)
"""What is taken among formats that are asked for alike."""


def negotiated(accept: str) -> tuple[Encoder, str]:
    """Return the encoder that the Accept header ``accept`` asks for, and its content type.

    Our names need no escaping: whoever asks for a scheme of it gets plain names, and is told so.
    What asks for nothing that we have gets the text format.
    """
    asked = dict[str, float]()
    for wanted, weight in _read(accept):
        asked[wanted] = max(weight, asked.get(wanted, 0.0))
    best = max(asked.values(), default=0.0)
    if best <= 0:
        return choose_encoder(_TEXT_0)
    return choose_encoder(next(one for one in _PREFERENCE if asked.get(one) == best))


def _read(accept: str) -> Iterator[tuple[str, float]]:
    """Yield the formats of ours that the header names, with their weights."""
    for item in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in item.split(";"))
        told = {
            name.strip(): value.strip(' "')
            for name, _, value in (parameter.partition("=") for parameter in parameters)
        }
        wanted = _format(kind, told.get("version", ""))
        weight = _number(told.get("q", "1"))
        if wanted is not None and weight is not None:
            yield wanted, weight


def _format(kind: str, version: str) -> str | None:
    match kind:
        case "application/openmetrics-text":
            # One version for whichever is asked for; what is no number is no version.
            numbers = version.split(".")
            return _OPENMETRICS if not version or all(map(str.isdecimal, numbers)) else None
        case "text/plain":
            return _TEXT_1 if version == "1.0.0" else _TEXT_0
        case "text/*" | "*/*":
            return _TEXT_0
        case _:
            return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
