"""Invents a past, gives it to a real Prometheus, and draws every panel from what that answers.

python -m tests.pictures.sheet FILE.png [--board NAME]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dashboards.build import BOARDS
from dashboards.names import FOLDER, RULE_FILES
from dashboards.words import DOWN
from tests.pictures.answers import Reader, seconds
from tests.pictures.drawing import FAINT, GROUND, LINE, PANEL, draw
from tests.pictures.past import past_until
from tests.pictures.telling import INK
from tests.prometheus import Prometheus, lay_out, real

RULES_SINCE = 26 * 3600
"""How far back the recorded series reach in the picture, in seconds."""

CHOSEN = {"site": "tickets"}
"""The site that its board shows."""

COLUMNS = (("overview", "site"), ("tickets",), ("health",))
"""The boards as the sheet shows them, from left to right and from top to bottom."""
WIDTH, ROW, HEAD = 8.4, 0.235, 0.45
"""Width of a board, height of one row of its grid and of its title, in inches."""


@contextlib.contextmanager
def remembering(folder: Path, end: int) -> Iterator[Prometheus]:
    """Run a Prometheus that knows the invented past, recorded series included."""
    lines = folder / "past.om"
    with lines.open("w") as file:
        file.writelines(past_until(end))
    storage = folder / "prometheus"
    _promtool(
        "tsdb", "create-blocks-from", "--max-block-duration=744h", "openmetrics",
        str(lines), str(storage),
    )  # fmt: skip
    lines.unlink()
    config = lay_out(folder)
    with _running(config, storage) as prometheus:
        _promtool(
            "tsdb", "create-blocks-from", "rules", f"--url={prometheus.url}",
            f"--start={end - RULES_SINCE}", f"--end={end + 1}", "--eval-interval=5m",
            f"--output-dir={storage}", *(str(file) for file in RULE_FILES if "uptime" in file.name),
        )  # fmt: skip
    with _running(config, storage) as prometheus:
        yield prometheus


@contextlib.contextmanager
def _running(config: Path, storage: Path) -> Iterator[Prometheus]:
    prometheus = Prometheus(config, storage, flags=["--storage.tsdb.retention.time=400d"])
    prometheus.start()
    try:
        yield prometheus
    finally:
        prometheus.stop()


def _promtool(*words: str) -> None:
    done = subprocess.run([real("promtool"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rows_of(board: dict[str, Any]) -> int:
    """Return how many rows of Grafana's grid a board takes."""
    return max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])


def draw_board(
    figure: Figure, board: dict[str, Any], reader: Reader, *, left: float, upper: float
) -> None:
    """Draw a board; ``left`` and ``upper`` are inches from the left and upper edge of the sheet."""
    width, height = figure.get_size_inches()

    def inches(x: float, y: float, w: float, h: float) -> tuple[float, float, float, float]:
        """Return a box given from the upper left corner as shares of the figure."""
        return (left + x) / width, 1 - (upper + y + h) / height, w / width, h / height

    figure.text(*inches(0.1, 0.05, 1, 0.3)[:2], board["title"], color=INK, size=13, weight="bold")
    column = WIDTH / 24
    marks = reader.annotations(board)
    for panel in board["panels"]:
        place = panel["gridPos"]
        x, y = place["x"] * column, HEAD + place["y"] * ROW
        w, h = place["w"] * column, place["h"] * ROW
        if panel["type"] == "row":
            title = panel["title"].replace("$site", CHOSEN["site"])
            figure.text(*inches(x + 0.1, y, w, h * 0.7)[:2], title, color=INK, size=9)
            continue
        box = inches(x + 0.03, y + 0.03, w - 0.06, h - 0.06)
        ground = Rectangle(box[:2], *box[2:], color=PANEL, transform=figure.transFigure, zorder=-1)
        figure.add_artist(ground)
        figure.text(*inches(x + 0.08, y + 0.05, w, 0.14)[:2], panel["title"], color=INK, size=6)
        axes = figure.add_axes(inches(*_inside(panel, x, y, w, h)))
        answers = {one["refId"]: reader.series(panel, one) for one in panel["targets"]}
        draw(axes, panel, answers)
        if panel["type"] == "timeseries" and "timeFrom" not in panel:
            for at in marks:
                day = at / 86400
                axes.axvspan(day - 0.0018, day + 0.0018, color=DOWN, alpha=0.1, lw=0)


def _inside(
    panel: dict[str, Any], x: float, y: float, w: float, h: float
) -> tuple[float, float, float, float]:
    """Return the box of a panel without its title and its axes' texts."""
    dx, dy, dw, dh = {
        "stat": (0.03, 0.22, 0.06, 0.25),
        "table": (0.1, 0.22, 0.2, 0.27),
        "state-timeline": (0.5, 0.25, 0.6, 0.43),
        "bargauge": (0.8, 0.27, 1.1, 0.35),
    }.get(panel["type"], (0.5, 0.27, 0.6, 0.62))
    return x + dx, y + dy, w - dw, h - dh


def draw_sheet(prometheus: Prometheus, columns: Sequence[Sequence[str]], end: int) -> Figure:
    """Return the picture of the boards."""
    loaded = {
        name: json.loads((FOLDER / f"{name}.json").read_text())
        for column in columns
        for name in column
    }
    tall = {name: HEAD + ROW * rows_of(board) for name, board in loaded.items()}
    height = 0.3 + max(sum(tall[name] + 0.15 for name in column) for column in columns)
    figure = Figure(figsize=(len(columns) * (WIDTH + 0.3), height), facecolor=GROUND)
    for place, column in enumerate(columns):
        upper = 0.05
        for name in column:
            board = loaded[name]
            since = seconds(board["time"]["from"].removeprefix("now-"))
            reader = Reader(prometheus, end, since, CHOSEN.get(name, ".+"))
            draw_board(figure, board, reader, left=0.15 + place * (WIDTH + 0.3), upper=upper)
            upper += tall[name] + 0.15
    note = "Drawn from Prometheus' answers on an invented past under Fettle's own names."
    figure.text(0.01, 0.004, note, color=FAINT, size=7)
    return figure


def main() -> None:
    """Draw the contact sheet, or one board of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--board", choices=sorted(BOARDS))
    asked = parser.parse_args()
    mpl.rcParams |= {"axes.edgecolor": LINE, "font.family": "DejaVu Sans"}
    end = int(time.time()) // 900 * 900
    with tempfile.TemporaryDirectory() as folder, remembering(Path(folder), end) as prometheus:
        figure = draw_sheet(prometheus, [[asked.board]] if asked.board else COLUMNS, end)
        figure.savefig(asked.file, dpi=110, facecolor=GROUND)


if __name__ == "__main__":
    main()
