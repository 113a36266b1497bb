"""Queries of panels: over the chosen time, of this moment, as rows, as buckets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

DATASOURCE: Mapping[str, str] = {"type": "prometheus", "uid": "${datasource}"}
"""The variable that every panel and query points to."""

SITES = 'client=~"$client", site=~"$site"'
"""Matchers of the sites that are chosen above a board."""


def query(expression: str, legend: str = "__auto", *, ref: str = "A") -> Json:
    """Return a query over the chosen time."""
    return {
        "datasource": dict(DATASOURCE),
        "editorMode": "code",
        "expr": " ".join(expression.split()),
        "format": "time_series",
        "instant": False,
        "legendFormat": legend,
        "range": True,
        "refId": ref,
    }


def now(expression: str, legend: str = "__auto", *, ref: str = "A") -> Json:
    """Return a query for the value at this moment."""
    return query(expression, legend, ref=ref) | {"instant": True, "range": False}


def rows_of(expression: str, *, ref: str = "A") -> Json:
    """Return a query for the values at this moment as rows of a table."""
    return now(expression, ref=ref) | {"format": "table"}


def buckets(expression: str, *, ref: str = "A") -> Json:
    """Return a query for the buckets of a histogram over time."""
    return query(expression, "{{le}}", ref=ref) | {"format": "heatmap"}


def queries(expressions: Mapping[str, str]) -> list[Json]:
    """Return a query over the chosen time for each expression, by its legend."""
    return [
        query(expression, legend, ref=chr(ord("A") + place))
        for place, (legend, expression) in enumerate(expressions.items())
    ]
