"""Which names an expression may use: those that the service registers, and recorded ones.

The dashboards are built against this, so that a metric that is renamed, or loses a label, breaks
the build and not a wall screen. The same check holds the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from monitor.metrics import FAMILIES

FOLDER = Path(__file__).parent
RULE_FILES = sorted(FOLDER.glob("rules/*.yml"))
"""The rules that Prometheus loads by default."""

JOB = "blackbox"
"""Name of the scrape job, which dashboards made for blackbox_exporter look for."""

OF_PROMETHEUS: Mapping[str, frozenset[str]] = {
    "up": frozenset(),
    "scrape_duration_seconds": frozenset(),
    "scrape_samples_scraped": frozenset(),
}
"""What Prometheus adds to every scrape, with its labels beyond job and instance."""

_ON_ALL = frozenset({"job", "instance"})
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(
    r"(?<![\w:.$])(?P<name>(?:fettle|probe|process|scrape)_\w+|up|\w+:\w+:\w+)\b"
    r"(?:\{(?P<matchers>[^}]*)\})?"
)
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


class UnknownName(LookupError):
    """An expression uses a name or a label that nothing exports."""


def registered() -> Mapping[str, frozenset[str]]:
    """Return the labels of every series that the service exports, by the name of the series."""
    return dict(_registered())


def _registered() -> Iterator[tuple[str, frozenset[str]]]:
    for families in FAMILIES.values():
        for family in families:
            labels = frozenset(family.labels)
            # A location is a label of what was probed, where there are several of them.
            if family.name.startswith("probe_"):
                labels |= {"location"}
            if family.kind == "histogram":
                yield f"{family.name}_bucket", labels | {"le"}
                yield f"{family.name}_count", labels
                yield f"{family.name}_sum", labels
            else:
                yield family.name, labels


def list_rules(file: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the rules of a file, recorded ones and alerts."""
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


def recorded() -> Mapping[str, frozenset[str]]:
    """Return the labels of every recorded series by its name, which begins with its level."""
    labels = {"site": frozenset({"client", "site"}), "client": frozenset({"client"})}
    return {
        rule["record"]: labels[rule["record"].split(":")[0]]
        for file in RULE_FILES
        for rule in list_rules(file)
        if "record" in rule
    }


def known() -> Mapping[str, frozenset[str]]:
    """Return the labels of every series that an expression may name, by its name."""
    return {**OF_PROMETHEUS, **registered(), **recorded()}


def names_in(expression: str) -> set[str]:
    """Return the names of series that an expression uses."""
    return {found["name"] for found in _SELECTOR.finditer(_without_texts(expression))}


def check(expression: str, series: Mapping[str, frozenset[str]]) -> None:
    """Raise ``UnknownName`` if an expression names a series, or a label of one, that is not there.

    ``series`` is what ``known`` returns. Labels are checked where a selector matches them.
    """
    for found in _SELECTOR.finditer(_without_texts(expression)):
        name = found["name"]
        if name not in series:
            raise UnknownName(f"nothing exports {name}, which is used in: {expression}")
        for label in _LABEL.findall(found["matchers"] or ""):
            if label not in series[name] | _ON_ALL:
                raise UnknownName(f"{name} has no label {label}, which is used in: {expression}")


def _without_texts(expression: str) -> str:
    return _TEXT.sub('""', expression)
