"""Writes the boards that are delivered: ``python -m dashboards.build``, or ``make dashboards``.

With ``--desk https://desk.agency.example --into FOLDER`` the same boards are written elsewhere with
links to another desk than the one on this machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboards import names
from dashboards.health import health
from dashboards.overview import overview
from dashboards.queries import Json
from dashboards.site import site
from dashboards.tickets import tickets

DESK = "http://127.0.0.1:8080"
"""Where the desk is unless told otherwise: the default of ``web.listen``."""

BOARDS: Mapping[str, Callable[[str], Json]] = {
    "overview": overview,
    "site": site,
    "tickets": tickets,
    "health": health,
}
"""What makes each board, by the name of its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An expression of a board, and where it stands; it asks of now or of the chosen time."""

    where: str
    expression: str
    is_now: bool


def list_asked(board: Json) -> Iterator[Asked]:
    """Yield every expression of a board: of panels, annotations and variables."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield Asked(
                where=f"{panel['id']} {panel['title']}, {target['refId']}",
                expression=target["expr"],
                is_now=target["instant"],
            )
    for annotation in board["annotations"]["list"]:
        yield Asked(
            where=f"annotation {annotation['name']}", expression=annotation["expr"], is_now=False
        )
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = variable["definition"][len("label_values(") : -1].rsplit(", ", 1)
            yield Asked(
                where=f"variable {variable['name']}",
                expression=f"count by ({label}) ({selector})",
                is_now=True,
            )


def build(
    desk: str = DESK, *, series: Mapping[str, frozenset[str]] | None = None
) -> Mapping[str, str]:
    """Return the text of each board's file by its name.

    Raises ``UnknownName`` if a board uses a name that is not in ``series``; they are those that are
    exported and recorded unless told otherwise.
    """
    series = names.known() if series is None else series
    built: dict[str, str] = {}
    for name, make in BOARDS.items():
        made = make(desk)
        for asked in list_asked(made):
            names.check(asked.expression, series)
        built[f"{name}.json"] = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    return built


def main(words: Sequence[str] | None = None) -> None:
    """Write the boards."""
    parser = argparse.ArgumentParser(description="Write Fettle's boards for Grafana.")
    parser.add_argument("--desk", default=DESK, help="address of the desk that links lead to")
    parser.add_argument("--into", type=Path, default=names.FOLDER, help="folder to write to")
    asked = parser.parse_args(words)
    asked.into.mkdir(parents=True, exist_ok=True)
    for name, text in build(asked.desk.rstrip("/")).items():
        (asked.into / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
