"""What is said of single fields of a panel: links, colours, limits, headings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dashboards.queries import Json
from dashboards.words import Step

COUNT = "short"
"""Grafana's name for numbers without a unit."""


def link(title: str, path: str) -> Json:
    """Return a link to a page of the desk; ``path`` begins with a slash."""
    return {"title": title, "url": f"${{desk}}{path}", "targetBlank": True}


def colours(by_name: Mapping[str, str]) -> list[Json]:
    """Return overrides that give series their colours."""
    return [
        override(name, {"color": {"mode": "fixed", "fixedColor": colour}})
        for name, colour in by_name.items()
    ]


def limit_line(name: str, colour: str) -> Json:
    """Return an override that draws a series as a dashed limit."""
    return override(
        name,
        {
            "color": {"mode": "fixed", "fixedColor": colour},
            "custom.drawStyle": "line",
            "custom.fillOpacity": 0,
            "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
            "custom.lineWidth": 2,
            "custom.stacking": {"mode": "none", "group": "limit"},
        },
    )


def override(name: str, properties: Mapping[str, Any]) -> Json:
    """Return an override of the field with that name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": id_, "value": value} for id_, value in properties.items()],
    }


def override_like(pattern: str, properties: Mapping[str, Any]) -> Json:
    """Return an override of the fields whose names match ``pattern``, which stands in slashes."""
    return override(pattern, properties) | {"matcher": {"id": "byRegexp", "options": pattern}}


def thresholds(steps: Sequence[Step]) -> Json:
    """Return from which value on which colour is used."""
    return {
        "mode": "absolute",
        "steps": [{"color": colour, "value": value} for value, colour in steps],
    }


def merge(
    *, names: Mapping[str, str], hidden: Iterable[str] = (), order: Sequence[str] = ()
) -> list[Json]:
    """Return transformations that make one row of the queries' rows with equal labels.

    ``names`` are headings by field, ``order`` the fields from left to right.
    """
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": dict.fromkeys(["Time", *hidden], True),
                "indexByName": {name: place for place, name in enumerate(order)},
                "renameByName": dict(names),
            },
        },
    ]
