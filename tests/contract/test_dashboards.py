"""The boards for Grafana as they are delivered: in step with the builder, and well formed."""

from __future__ import annotations

import itertools
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import bargauge, heatmap, stat, statetimeline, table, timeseries

from dashboards import names, words
from dashboards.build import BOARDS, build, list_asked, main
from dashboards.names import FOLDER
from tests.pictures.past import list_series
from tickets.rules.colour import contrast

with warnings.catch_warnings():  # it would rather have us write boards for Grafana 13 alone
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel, RowPanel

DELIVERED = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in BOARDS}
WITH_SITES = {"overview", "site"}

OPTIONS = {
    "bargauge": bargauge.Options,
    "heatmap": heatmap.Options,
    "stat": stat.Options,
    "state-timeline": statetimeline.Options,
    "table": table.Options,
    "timeseries": timeseries.Options,
}
"""The kinds of panels in use; none of them was removed from Grafana."""

UNITS = {"short", "none", "s", "ops", "reqps", "bytes", "percentunit", "suffix: days"}
UNITS |= {"dateTimeAsLocal"}

each_board = pytest.mark.parametrize("name", sorted(BOARDS))


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in DELIVERED[name]["panels"] if panel["type"] != "row"]


def inside(found: Any, key: str) -> Iterator[Any]:
    """Every value under ``key``, however deep."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name == key:
                yield value
            yield from inside(value, key)
    elif isinstance(found, list):
        for value in found:
            yield from inside(value, key)


def test_what_is_delivered_is_what_the_builder_makes() -> None:
    built = build()
    assert sorted(built) == sorted(path.name for path in FOLDER.glob("*.json"))
    stale = [name for name, text in built.items() if (FOLDER / name).read_bytes() != text.encode()]
    assert not stale, f"run: make dashboards, for {stale}"


def test_the_boards_can_be_written_for_another_desk(tmp_path: Path) -> None:
    main(["--desk", "https://desk.agency.test/", "--into", str(tmp_path)])
    text = (tmp_path / "overview.json").read_text()
    assert "127.0.0.1" not in text
    assert '"query": "https://desk.agency.test"' in text


def test_no_address_is_used_twice() -> None:
    uids = [board["uid"] for board in DELIVERED.values()]
    assert len(set(uids)) == len(uids)
    assert uids == [f"fettle-{name}" for name in DELIVERED]
    assert all(8 <= len(uid) <= 40 for uid in uids)


@each_board
def test_a_board_is_read_by_grafana_11_and_later(name: str) -> None:
    board = DELIVERED[name]
    assert board["schemaVersion"] == 39
    assert board["id"] is None
    assert (board["graphTooltip"], board["timezone"]) == (1, "browser")
    assert board["refresh"] in {"30s", "1m"}
    assert board["description"]
    for foreign in ("__inputs", "__requires", "libraryPanel", "${DS_"):
        assert foreign not in json.dumps(board)


@each_board
def test_a_board_is_understood_by_grafanas_own_models(name: str) -> None:
    register_default_plugins()
    decoded = Dashboard.from_json(DELIVERED[name])
    assert decoded.panels is not None
    for panel in decoded.panels:
        if isinstance(panel, RowPanel):
            continue
        assert isinstance(panel, Panel)
        assert isinstance(panel.options, OPTIONS[panel.type_val]), panel.title
        assert panel.targets, panel.title
        assert [type(target).__module__.split(".")[-1] for target in panel.targets] == [
            "prometheus"
        ] * len(panel.targets)
    again = json.loads(json.dumps(decoded, cls=JSONEncoder))
    assert [panel["title"] for panel in again["panels"]] == [
        panel["title"] for panel in DELIVERED[name]["panels"]
    ]


@each_board
def test_panels_have_numbers_that_stay_and_do_not_overlap(name: str) -> None:
    every = DELIVERED[name]["panels"]
    ids = [panel["id"] for panel in every]
    assert len(set(ids)) == len(ids)
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["w"] > 0
        assert place["h"] > 0
        assert place["x"] + place["w"] <= 24, panel["title"]
    taken = Counter(
        cell
        for panel in every
        for place in [panel["gridPos"]]
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    )
    assert [cell for cell, count in taken.items() if count > 1] == []
    rows = {row for _, row in taken}
    assert rows == set(range(max(rows) + 1)), "a gap between panels"


@each_board
def test_a_panel_says_what_it_shows_in_which_unit_and_what_when_there_is_nothing(
    name: str,
) -> None:
    for panel in panels(name):
        assert panel["type"] in OPTIONS
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert "!" not in panel["description"] + panel["title"]
        assert defaults["unit"] in UNITS, panel["title"]
        assert defaults["noValue"], panel["title"]
    for said in inside(DELIVERED[name], "properties"):
        assert {one["value"] for one in said if one["id"] == "unit"} <= UNITS


@each_board
def test_everything_asks_the_data_source_that_is_chosen(name: str) -> None:
    board = DELIVERED[name]
    sources = list(inside(board, "datasource"))
    assert sources
    assert all(one == {"type": "prometheus", "uid": "${datasource}"} for one in sources)
    for panel in panels(name):
        assert "datasource" in panel
        assert all("datasource" in target for target in panel["targets"])
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["desk"]["hide"] == 2
    chosen = {"client", "site"} & set(variables)
    assert chosen == ({"client", "site"} if name in WITH_SITES else set())
    assert all(variables[one]["multi"] for one in chosen)
    with_all = {one for one in chosen if variables[one]["includeAll"]}
    repeated = {panel["repeat"] for panel in board["panels"] if panel.get("repeat")}
    assert with_all == set(chosen) - repeated  # all of hundreds would be thousands of panels


@each_board
def test_links_lead_to_the_desk_wherever_it_is(name: str) -> None:
    board = DELIVERED[name]
    lists = [links for panel in board["panels"] for links in inside(panel, "links")]
    lists += [
        one["value"]
        for panel in board["panels"]
        for said in inside(panel, "properties")
        for one in said
        if one["id"] == "links"
    ]
    urls = [link["url"] for links in lists for link in links]
    assert urls
    # Pages of the desk, with nothing that a site or a person wrote but slugs.
    pages = re.compile(r"\$\{desk\}/(tickets|sites|outbox|calendar|-/ready)\b")
    assert [url for url in urls if not pages.match(url)] == []
    assert [one["type"] for one in board["links"]] == ["dashboards"]
    assert [one["url"] for one in board["links"]] == [""]


@each_board
def test_incidents_are_marked(name: str) -> None:
    (incidents,) = DELIVERED[name]["annotations"]["list"]
    assert incidents["titleFormat"] == "{{site}}: {{kind}}"
    assert "fettle_incident_open" in incidents["expr"]
    assert ("$site" in incidents["expr"]) == (name in WITH_SITES)


@each_board
def test_uptime_is_never_an_average_of_gauges(name: str) -> None:
    for asked in list_asked(DELIVERED[name]):
        assert not re.search(r"avg\w*\s*\(.*probe_success", asked.expression), asked.where


def test_a_metric_that_is_renamed_breaks_the_build() -> None:
    there = dict(names.known())
    del there["fettle_outbox_messages"]
    with pytest.raises(names.UnknownName, match="fettle_outbox_messages"):
        build(series=there)


def test_the_contact_sheet_has_a_past_for_every_name() -> None:
    invented = {name for name, _, _ in list_series(1_800_000_000)} | set(names.recorded())
    used = {
        name
        for board in DELIVERED.values()
        for asked in list_asked(board)
        for name in names.names_in(asked.expression)
    }
    assert used - invented == set()


def test_a_state_is_a_word_and_a_shape_and_a_hue_that_reads_on_both_grounds() -> None:
    (mapping,) = words.STATES
    told = mapping["options"]
    assert {code: one["text"] for code, one in told.items()} == {
        "0": "■ Down",
        "1": "● Up",
        "2": "◐ Slow",
        "3": "◇ Maintenance",
        "4": "‖ Paused",
        "5": "○ Unknown",
    }
    hues = {one["color"] for one in told.values()}
    assert len(hues) == 5
    for hue in hues:
        assert contrast(hue, "#ffffff") >= 3
        assert contrast(hue, "#181b1f") >= 3
