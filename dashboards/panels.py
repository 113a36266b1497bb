"""Panels of Grafana as plain dictionaries, in its classic model.

Every panel points to the variable ``datasource``, which works when a board is provisioned and when
it is imported by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Required, TypedDict, Unpack

from dashboards.fields import COUNT, thresholds
from dashboards.queries import DATASOURCE, Json, now
from dashboards.words import ACCENT, Step

Place = tuple[int, int, int, int]
"""Left edge, upper edge, width and height in Grafana's grid of 24 columns."""


class Look(TypedDict, total=False):
    """What may be said of a panel of any kind; ``links`` are its own, ``data_links`` its values'.

    ``steps`` are colours by value, ``lowest`` and ``highest`` the ends of the axis, and ``more`` is
    written into the panel as it is.
    """

    description: Required[str]
    unit: Required[str]
    decimals: int
    lowest: float
    highest: float
    mappings: Sequence[Json]
    steps: Sequence[Step]
    no_value: str
    overrides: Sequence[Json]
    links: Sequence[Json]
    data_links: Sequence[Json]
    transformations: Sequence[Json]
    more: Json


def panel(
    kind: str,
    id_: int,
    title: str,
    at: Place,
    *,
    targets: Sequence[Json],
    options: Json,
    custom: Json,
    **look: Unpack[Look],
) -> Json:
    """Return a panel; the functions below are shorter for each kind."""
    is_by_value = kind in {"stat", "table", "state-timeline", "bargauge"}
    defaults: Json = {
        "color": {"mode": "thresholds" if is_by_value else "palette-classic"},
        "custom": custom,
        "links": list(look.get("data_links", ())),
        "mappings": list(look.get("mappings", ())),
        "noValue": look.get("no_value", "No data"),
        "thresholds": thresholds(look.get("steps", [(None, ACCENT)])),
        "unit": look["unit"],
    }
    ends = {"decimals": "decimals", "min": "lowest", "max": "highest"}
    defaults |= {name: look[said] for name, said in ends.items() if said in look}
    left, upper, width, height = at
    return {
        "id": id_,
        "type": kind,
        "title": title,
        "description": " ".join(look["description"].split()),
        "datasource": dict(DATASOURCE),
        "gridPos": {"h": height, "w": width, "x": left, "y": upper},
        "fieldConfig": {"defaults": defaults, "overrides": list(look.get("overrides", ()))},
        "links": list(look.get("links", ())),
        "options": options,
        "targets": list(targets),
        "transformations": list(look.get("transformations", ())),
        **look.get("more", {}),
    }


def number(
    id_: int,
    title: str,
    at: Place,
    expression: str,
    *,
    colour: str = "background",
    **look: Unpack[Look],
) -> Json:
    """Return one large number, on its colour; ``look`` is as for ``panel``."""
    return panel(
        "stat",
        id_,
        title,
        at,
        custom={},
        targets=[now(expression, title)],
        options={
            "colorMode": colour,
            "graphMode": "none",
            "justifyMode": "center",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "value",
            "wideLayout": True,
        },
        **look,
    )


def lines(
    id_: int,
    title: str,
    at: Place,
    targets: Sequence[Json],
    *,
    fill: int = 0,
    is_stacked: bool = False,
    draw: str = "line",
    **look: Unpack[Look],
) -> Json:
    """Return series over time; ``draw`` is line or bars, ``look`` is as for ``panel``."""
    look.setdefault("lowest", 0)
    return panel(
        "timeseries",
        id_,
        title,
        at,
        targets=targets,
        custom={
            "axisPlacement": "auto",
            "barAlignment": 0,
            "drawStyle": draw,
            "fillOpacity": fill,
            "gradientMode": "none",
            "lineInterpolation": "linear",
            "lineWidth": 0 if draw == "bars" else 2,
            "pointSize": 4,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if is_stacked else "none"},
            "thresholdsStyle": {"mode": "off"},
        },
        options={
            "legend": {
                "calcs": [],
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        **look,
    )


def band(
    id_: int,
    title: str,
    at: Place,
    targets: Sequence[Json],
    *,
    has_legend: bool = True,
    **look: Unpack[Look],
) -> Json:
    """Return states over time, a row for each series; ``look`` is as for ``panel``."""
    return panel(
        "state-timeline",
        id_,
        title,
        at,
        targets=targets,
        custom={"fillOpacity": 85, "insertNulls": False, "lineWidth": 0, "spanNulls": False},
        options={
            "alignValue": "left",
            "legend": {
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": has_legend,
            },
            "mergeValues": True,
            "perPage": 20,
            "rowHeight": 0.85,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        **look,
    )


def table(
    id_: int,
    title: str,
    at: Place,
    targets: Sequence[Json],
    *,
    sort_by: str = "",
    is_falling: bool = True,
    **look: Unpack[Look],
) -> Json:
    """Return a table with a row for each series; ``look`` is as for ``panel``."""
    return panel(
        "table",
        id_,
        title,
        at,
        targets=targets,
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
        options={
            "cellHeight": "md",
            "footer": {"countRows": False, "fields": "", "reducer": ["sum"], "show": False},
            "showHeader": True,
            "sortBy": [{"desc": is_falling, "displayName": sort_by}] if sort_by else [],
        },
        **look,
    )


def heat(id_: int, title: str, at: Place, targets: Sequence[Json], **look: Unpack[Look]) -> Json:
    """Return a histogram over time, darker where there is more; the unit is of its buckets."""
    return panel(
        "heatmap",
        id_,
        title,
        at,
        targets=targets,
        custom={"scaleDistribution": {"type": "linear"}},
        options={
            "calculate": False,
            "cellGap": 2,
            "cellValues": {"unit": COUNT, "decimals": 0},
            "color": {
                "exponent": 0.5,
                "fill": ACCENT,
                "mode": "opacity",
                "reverse": False,
                "scale": "exponential",
                "scheme": "Purples",
                "steps": 64,
            },
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto", "value": "Count"},
            "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": look["unit"]},
        },
        **look,
    )


def bars(id_: int, title: str, at: Place, targets: Sequence[Json], **look: Unpack[Look]) -> Json:
    """Return a bar for each series as it is now; ``look`` is as for ``panel``."""
    return panel(
        "bargauge",
        id_,
        title,
        at,
        targets=targets,
        custom={},
        options={
            "displayMode": "basic",
            "minVizHeight": 12,
            "minVizWidth": 8,
            "namePlacement": "left",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
            "sizing": "auto",
            "valueMode": "text",
        },
        **look,
    )


def heading(id_: int, title: str, upper: int, *, repeat: str = "") -> Json:
    """Return a heading; with ``repeat`` all below it is there for each value of that variable."""
    row: Json = {
        "id": id_,
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": {"h": 1, "w": 24, "x": 0, "y": upper},
        "panels": [],
    }
    return row | ({"repeat": repeat} if repeat else {})
