"""The manual names only what there is, held against the pages and against examples that do not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.commands.arguments import build_parser
from tests.contract import manual

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
HISTORY = ROOT / "docs" / "decisions.md"
"""Tells of what was once decided, and need not name what there is today."""

PARSER = build_parser()
METRICS = set(re.findall(r"fettle_[a-z_]+[a-z]", (ROOT / "docs/metrics.md").read_text("utf-8")))


def faults_of(file: Path, text: str) -> list[str]:
    found = [*manual.link_faults(file, text), *manual.command_faults(file.name, text, PARSER)]
    if file != HISTORY:
        found += manual.setting_faults(file.name, text)
        found += manual.name_faults(file.name, text, ROOT)
        found += manual.metric_faults(file.name, text, METRICS)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_what_there_is(page: Path) -> None:
    assert faults_of(page, page.read_text(encoding="utf-8")) == []


def test_every_picture_stands_on_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    pictures = [file.name for file in (ROOT / "docs" / "pictures").iterdir()]
    assert [name for name in pictures if f"pictures/{name})" not in pages] == []


def block(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```", ""])


WRONG = {
    "[a page](docs/nowhere.md)": "docs/nowhere.md leads to no file",
    "[a part](docs/portal.md#nowhere)": "docs/portal.md#nowhere leads to no heading",
    "`fettle tickets forget REF`": "there is no 'forget'",
    "`fettle tickets list --everything`": "there is no --everything",
    block("console", "$ fettle deadline --priority urgent"): "cannot be called",
    block("console", "$ sudo -u fettle /opt/fettle/bin/fettle db grow | less"): "cannot be called",
    "`mail.server` is a name": "mail.server is no setting",
    "`clients[].branding.font`": "clients[].branding.font is no setting",
    "`FETTLE_MAIL__SERVER`": "FETTLE_MAIL__SERVER sets nothing",
    block("yaml", "clients:", "  - slug: a", "    colour: red"): "clients.colour is no setting",
    "`make coffee`": "there is no 'make coffee'",
    "`python -m tests.pictures.nothing FILE`": "there is no module tests.pictures.nothing",
    "`tickets/nothing.py`": "there is no tickets/nothing.py",
    "`fettle_nothing_total`": "there is no metric fettle_nothing_total",
}


@pytest.mark.parametrize(("text", "says"), WRONG.items())
def test_what_there_is_not_is_found(text: str, says: str) -> None:
    (fault,) = faults_of(ROOT / "README.md", f"A line.\n\n{text}\n")
    assert says in fault


RIGHT = [
    "[a part](docs/portal.md#the-request-form) and [the web](https://agency.example/)",
    "`fettle tickets priority REF P --reason R`, `fettle sites`, `fettle run --role prober|desk`",
    block("console", "$ .venv/bin/fettle staff list --json | jq . > staff.json"),
    block("console", "$ docker compose exec fettle fettle db upgrade   # once"),
    "`mail.limits.per_minute`, `clients[].contacts`, `FETTLE_CLIENTS__WREN__SITES__SHOP__URL`",
    "`FETTLE_MAIL__PASSWORD_FILE`",
    block("yaml", "support:", "  closures: [{name: Summer, from: 2026-08-01, to: 2026-08-02}]"),
    "`make PYTHON=python3.12 setup`, `python -m monitor`, `dashboards/*.json`, `monitor/prober`",
    "`fettle_tickets_open`, `fettle_http_request_duration_seconds_bucket`",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_there_is_is_let_through(text: str) -> None:
    assert faults_of(ROOT / "README.md", f"A line.\n\n{text}\n") == []
