"""What a board's queries answer, with Grafana's variables filled in as it would."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.prometheus import Prometheus

HOUR, DAY = 3600, 86400
UNITS = {"m": 60, "h": HOUR, "d": DAY}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its name in the legend, its labels, its instants and values."""

    name: str
    labels: Mapping[str, str]
    at: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks for a board's panels as of ``end`` (Unix seconds) with one ``site`` chosen, or all."""

    prometheus: Prometheus
    end: int
    since: int
    site: str = ".+"

    def series(self, panel: Json, target: Json) -> list[Series]:
        """Return the answer to one query."""
        since, step = self._span(panel)
        text = self._filled(target["expr"], since=since, step=step)
        if target["instant"]:
            found = self.prometheus.get("query", query=text, time=str(self.end))
            if found["resultType"] == "scalar":
                return [Series("", {}, [self.end], [float(found["result"][1])])]
            return [self._series(target, one["metric"], [one["value"]]) for one in found["result"]]
        # Grafana aligns the instants to the step.
        first = (self.end - since) // step * step
        found = self.prometheus.get(
            "query_range", query=text, start=str(first), end=str(self.end), step=str(step)
        )
        return [self._series(target, one["metric"], one["values"]) for one in found["result"]]

    def annotations(self, board: Json) -> list[float]:
        """Return when incidents were open."""
        (annotation,) = board["annotations"]["list"]
        text = self._filled(annotation["expr"], since=self.since, step=300)
        found = self.prometheus.get(
            "query_range",
            query=text,
            start=str(self.end - self.since),
            end=str(self.end),
            step="300",
        )
        return sorted({float(at) for one in found["result"] for at, _ in one["values"]})

    def _span(self, panel: Json) -> tuple[int, int]:
        since = seconds(panel["timeFrom"]) if "timeFrom" in panel else self.since
        least = seconds(panel["interval"]) if "interval" in panel else 300
        step = max(least, since // 300 // 300 * 300)
        return since, step

    def _filled(self, expression: str, *, since: int, step: int) -> str:
        values = {
            "$__rate_interval": f"{max(step, 900)}s",
            "$__interval": f"{step}s",
            "$__range": f"{since}s",
            "$client": ".+",
            "$site": self.site,
        }
        for variable, value in values.items():
            expression = expression.replace(variable, value)
        return expression

    def _series(self, target: Json, labels: Mapping[str, str], values: Sequence[Any]) -> Series:
        name = target["legendFormat"]
        for label, value in labels.items():
            name = name.replace(f"{{{{{label}}}}}", value)
        name = re.sub(r"\s*\{\{\w+\}\}", "", name)  # a label that the series does not have
        return Series(
            name, labels, [float(at) for at, _ in values], [float(value) for _, value in values]
        )


def seconds(text: str) -> int:
    """Return how long ``5m`` or ``30d`` is."""
    return int(text[:-1]) * UNITS[text[-1]]


def as_table(
    panel: Json, answers: Mapping[str, Sequence[Series]]
) -> tuple[list[str], list[list[Any]]]:
    """Return headings and rows as the panel's transformations make them; cells are raw values."""
    ids = [one["id"] for one in panel["transformations"]]
    if ids == ["groupingToMatrix"]:
        return _matrix(panel["transformations"][0]["options"], answers["A"])
    name_of = "Value" if len(answers) == 1 else "Value #{}"
    shared = set.intersection(*({*s.labels} for found in answers.values() for s in found[:1]))
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for ref, found in answers.items():
        for series in found:
            key = tuple(series.labels[label] for label in sorted(shared))
            row = rows.setdefault(key, {})
            row |= {**series.labels, name_of.format(ref): series.values[-1]}
    organize = panel["transformations"][-1]["options"]
    fields = list(dict.fromkeys(name for row in rows.values() for name in row))
    fields = [name for name in fields if name not in organize["excludeByName"]]
    order = organize.get("indexByName", {})
    fields.sort(key=lambda name: order.get(name, 99))
    headings = [organize["renameByName"].get(name, name) for name in fields]
    cells = [[row.get(name) for name in fields] for row in rows.values()]
    for by in panel["options"]["sortBy"]:
        place = headings.index(by["displayName"])
        cells.sort(key=lambda row: row[place] if row[place] is not None else -1, reverse=by["desc"])
    return headings, cells


def _matrix(options: Json, found: Sequence[Series]) -> tuple[list[str], list[list[Any]]]:
    row, column = options["rowField"], options["columnField"]
    columns = list(dict.fromkeys(series.labels[column] for series in found))
    rows = list(dict.fromkeys(series.labels[row] for series in found))
    values = {(s.labels[row], s.labels[column]): s.values[-1] for s in found}
    heading = f"{row}\\{column}"
    return [heading, *columns], [[one, *(values[one, c] for c in columns)] for one in rows]
