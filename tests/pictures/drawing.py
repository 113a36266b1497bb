"""Draws a panel of each kind with matplotlib, in the hues and words that the board gives it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from tests.pictures.answers import Series, as_table
from tests.pictures.telling import INK, number, settings_of, told

Json = Mapping[str, Any]
Answers = Mapping[str, Sequence[Series]]

GROUND, PANEL, LINE, FAINT = "#111217", "#181b1f", "#2c3235", "#8e9196"
PALETTE = ("#8574d9", "#c9c2f0", "#b0859e", "#6554c0", "#3d8db5", "#85838c")
DAY = 86400


def draw(axes: Axes, panel: Json, answers: Answers) -> None:
    """Draw the panel below its title."""
    axes.set_facecolor(PANEL)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not any(answers.values()):
        axes.set(xticks=[], yticks=[])
        text = panel["fieldConfig"]["defaults"]["noValue"]
        axes.text(0.5, 0.5, text, color=FAINT, ha="center", va="center", transform=axes.transAxes)
        return
    KINDS[panel["type"]](axes, panel, answers)


def _stat(axes: Axes, panel: Json, answers: Answers) -> None:
    axes.set(xticks=[], yticks=[])
    (series,) = answers["A"]
    text, hue = told(settings_of(panel, panel["title"]), series.values[-1])
    is_on_colour = panel["options"]["colorMode"] == "background"
    if is_on_colour:
        axes.set_facecolor(hue or PANEL)
    place = panel["gridPos"]
    size = min(8 + 4.2 * place["h"], 11 * place["w"] / (0.62 * max(2, len(text))) + 3)
    ink = "#ffffff" if is_on_colour else INK
    axes.text(
        0.5, 0.5, text, color=ink, size=size, weight="bold", ha="center", va="center",
        transform=axes.transAxes,
    )  # fmt: skip


def _timeseries(axes: Axes, panel: Json, answers: Answers) -> None:
    below: dict[float, float] = {}
    handles: list[Any] = []
    names: list[str] = []
    every = [series for found in answers.values() for series in found]
    width = 0.8 * _step(every) / DAY
    for place, series in enumerate(every):
        said = settings_of(panel, series.name)
        custom = said["custom"]
        hue = said["color"].get("fixedColor", PALETTE[place % len(PALETTE)])
        draws = said.get("custom.drawStyle", custom["drawStyle"])
        stacking = said.get("custom.stacking", custom["stacking"])["mode"]
        at, values = _days(series.at), np.nan_to_num(np.array(series.values))
        is_limit = "custom.lineStyle" in said
        base = np.zeros(len(at))
        if stacking == "normal":
            base = np.array([below.get(instant, 0.0) for instant in series.at])
            below |= dict(zip(series.at, base + values, strict=True))
        if draws == "bars":
            handle = axes.bar(at, values, width, bottom=base, color=hue)
        elif stacking == "normal" and not is_limit:
            handle = axes.fill_between(at, base, base + values, color=hue, alpha=0.85, lw=0)
        else:
            gaps = np.array(series.values)
            (handle,) = axes.plot(at, gaps, color=hue, lw=1.2, ls="--" if is_limit else "-")
            if custom["fillOpacity"] and not is_limit:
                axes.fill_between(at, 0, gaps, color=hue, alpha=custom["fillOpacity"] / 100, lw=0)
        handles.append(handle)
        names.append(series.name)
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_ylim(bottom=defaults.get("min"), top=defaults.get("max"))
    _time_axis(axes, every)
    axes.yaxis.set_major_formatter(lambda value, _: number(defaults, value))
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.legend(
        handles, names, loc="upper left", bbox_to_anchor=(-0.02, -0.1), ncol=6, fontsize=5.5,
        frameon=False, labelcolor=INK, handlelength=1, columnspacing=1,
    )  # fmt: skip


def _band(axes: Axes, panel: Json, answers: Answers) -> None:
    rows = [series for found in answers.values() for series in found]
    said = settings_of(panel, "")
    step = _step(rows)
    for place, series in enumerate(rows):
        begin = 0
        for end in range(1, len(series.at) + 1):
            is_cut = end == len(series.at) or series.at[end] - series.at[end - 1] > 1.5 * step
            if is_cut or series.values[end] != series.values[begin]:
                since = series.at[begin]
                until = series.at[end - 1] + step
                text, hue = told(said, series.values[begin])
                box = Rectangle(
                    (_days([since])[0], place - 0.42), (until - since) / DAY, 0.84, color=hue, lw=0
                )
                axes.add_patch(box)
                whole = rows[0].at[-1] - min(row.at[0] for row in rows)
                if until - since > 0.08 * whole:
                    axes.text(
                        _days([since])[0], place, f" {text}", color="white", size=6, va="center"
                    )
                begin = end
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [series.name for series in rows])
    axes.set_xlim(_days([min(s.at[0] for s in rows)])[0], _days([max(s.at[-1] for s in rows)])[0])
    _time_axis(axes, rows)


def _table(axes: Axes, panel: Json, answers: Answers) -> None:
    headings, rows = as_table(panel, answers)
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    height = min(0.16, 0.95 / (len(rows) + 1))
    columns = [index / len(headings) for index in range(len(headings))]
    for left, heading in zip(columns, headings, strict=True):
        shown = settings_of(panel, heading).get("displayName", heading)
        axes.text(left + 0.01, 1 - height / 2, shown, color=FAINT, size=6, va="center")
    for place, row in enumerate(rows):
        upper = 1 - (place + 1) * height
        axes.axhline(upper, color=LINE, lw=0.5)
        for left, heading, value in zip(columns, headings, row, strict=True):
            said = settings_of(panel, heading)
            text, hue = told(said, value)
            cell = said.get("custom.cellOptions", {}).get("type", "auto")
            ink = hue if cell == "color-text" and hue not in {None, "text"} else INK
            if cell == "color-background" and hue:
                box = Rectangle((left, upper - height), 0.9 / len(headings), height, color=hue)
                axes.add_patch(box)
                ink = "#ffffff"
            most = int(panel["gridPos"]["w"] * 5.4 / len(headings))
            fits = text if len(text) <= most else f"{text[: most - 1]}…"
            axes.text(left + 0.01, upper - height / 2, fits, color=ink, size=6.5, va="center")


def _bars(axes: Axes, panel: Json, answers: Answers) -> None:
    rows = sorted(answers["A"], key=lambda series: _edge(series.labels["le"]))
    values = [series.values[-1] for series in rows]
    within = [above - below for below, above in zip([0, *values], values, strict=False)]
    for place, (series, value) in enumerate(zip(rows, within, strict=True)):
        said = settings_of(panel, series.name)
        hue = said["color"]["fixedColor"]
        axes.barh(place, max(within), 0.75, color=LINE)
        axes.barh(place, value, 0.75, color=hue)
        axes.text(max(within) * 1.02, place, number(said, value), color=INK, size=6, va="center")
    names = [settings_of(panel, series.name)["displayName"] for series in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.set_xticks([])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, max(within))
    axes.tick_params(colors=FAINT, labelsize=6, length=0, pad=1)


def _heat(axes: Axes, panel: Json, answers: Answers) -> None:
    rows = sorted(answers["A"], key=lambda series: _edge(series.labels["le"]))
    instants = sorted({at for series in rows for at in series.at})
    counts = np.zeros((len(rows), len(instants)))
    for place, series in enumerate(rows):
        values = dict(zip(series.at, series.values, strict=True))
        counts[place] = [values.get(at, 0) for at in instants]
    fields = np.diff(counts, axis=0, prepend=0).clip(0)
    shade = np.sqrt(fields / max(fields.max(), 1))
    step = _step(rows)
    edges = _days([*instants, instants[-1] + step])
    mesh = axes.pcolormesh(
        edges, np.arange(len(rows) + 1), shade, cmap="Purples_r", vmin=-0.15, vmax=1
    )
    mesh.set_alpha(shade.clip(0, 1))
    said = panel["fieldConfig"]["defaults"]
    words = [_edge(series.labels["le"]) for series in rows]
    texts = ["more" if math.isinf(edge) else number(said, edge) for edge in words]
    axes.set_yticks(np.arange(len(rows)) + 1, texts)
    axes.set_ylim(0, len(rows))
    _time_axis(axes, rows)


def _edge(text: str) -> float:
    return math.inf if text == "+Inf" else float(text)


def _step(series: Sequence[Series]) -> float:
    gaps = [b - a for one in series for a, b in zip(one.at, one.at[1:], strict=False)]
    return min(gaps, default=300)


def _days(instants: Sequence[float]) -> list[float]:
    return [at / DAY for at in instants]


def _time_axis(axes: Axes, series: Sequence[Series]) -> None:
    first, last = min(s.at[0] for s in series), max(s.at[-1] for s in series)
    form = "%H:%M" if last - first < 2 * DAY else "%d %b"
    ticks = np.linspace(first, last, 5)[:-1] + (last - first) / 8
    axes.set_xticks(
        _days(list(ticks)), [datetime.fromtimestamp(at, UTC).strftime(form) for at in ticks]
    )
    axes.tick_params(colors=FAINT, labelsize=5.5, length=0, pad=1)


KINDS: Mapping[str, Callable[[Axes, Json, Answers], None]] = {
    "bargauge": _bars,
    "heatmap": _heat,
    "stat": _stat,
    "state-timeline": _band,
    "table": _table,
    "timeseries": _timeseries,
}
