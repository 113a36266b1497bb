"""The rules for Prometheus: promtool reads and tests them, and every alert is tested both ways."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import names
from dashboards.names import FOLDER, RULE_FILES, list_rules
from tests.prometheus import real

OFF = sorted(FOLDER.glob("rules/off/*.yml"))
TESTS = sorted(FOLDER.glob("rules/**/tests/*.yml"))

RUNBOOKS = (FOLDER.parent / "docs" / "runbooks.md").read_text()

ALWAYS = {"Watchdog"}
"""Fires always, so that it has no silent case."""

ABOUT_SITES = {"UptimeBudgetBurning"}
"""Alerts that are loaded by default and are not about Fettle and its promises."""


def promtool(*words: str | Path) -> None:
    done = subprocess.run([real("promtool"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def alerts(*files: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for file in files:
        for rule in list_rules(file):
            if "alert" in rule:
                yield file, rule


def cases(name: str) -> Iterator[list[Any]]:
    """What each test of the alert with that name expects."""
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for expectation in test["alert_rule_test"]:
                if expectation["alertname"] == name:
                    yield expectation["exp_alerts"]


def named(*files: Path) -> Iterator[Any]:
    """Alerts as parameters; one that stands twice under its name has a label that differs."""
    for _, rule in alerts(*files):
        yield pytest.param(rule, id="-".join([rule["alert"], rule["labels"].get("window", "")]))


EVERY = list(named(*RULE_FILES, *OFF))
OWN = [one for one in named(*RULE_FILES) if one.values[0]["alert"] not in ABOUT_SITES]


def test_the_rules_were_found() -> None:
    assert [file.name for file in RULE_FILES] == ["promises.yml", "service.yml", "uptime.yml"]
    assert [file.name for file in OFF] == ["sites.yml"]
    assert len(TESTS) == 4


@pytest.mark.parametrize("file", [*RULE_FILES, *OFF], ids=lambda file: file.name)
def test_promtool_reads_the_rules(file: Path) -> None:
    promtool("check", "rules", file)


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_promtool_tests_the_rules(file: Path) -> None:
    promtool("test", "rules", file)


@pytest.mark.parametrize("rule", EVERY)
def test_every_alert_has_a_case_that_fires_and_one_that_is_silent(rule: Mapping[str, Any]) -> None:
    expected = list(cases(rule["alert"]))
    assert any(expected), "no case in which it fires"
    if rule["alert"] in ALWAYS:
        assert rule["expr"] == "vector(1)"
    else:
        assert not all(expected), "no case in which it is silent"


@pytest.mark.parametrize("rule", EVERY)
def test_every_alert_says_what_to_do_in_plain_words(rule: Mapping[str, Any]) -> None:
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "dashboard_url", "runbook"}
    assert told["runbook"] == f"docs/runbooks.md#{rule['alert'].lower()}"
    assert f"\n## {rule['alert']}\n" in RUNBOOKS
    assert not any("!" in text for text in told.values())
    assert not told["summary"].endswith(".")
    assert told["description"].endswith(".")
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    (uid,) = re.findall(r"^http://127\.0\.0\.1:3000/d/([\w-]+)", told["dashboard_url"])
    assert (FOLDER / f"{uid.removeprefix('fettle-')}.json").exists()


@pytest.mark.parametrize("rule", OWN)
def test_an_alert_on_ourselves_says_so_to_our_own_intake(rule: Mapping[str, Any]) -> None:
    assert rule["labels"]["service"] == "fettle"


def test_what_doubles_our_own_tickets_is_not_loaded_and_says_why() -> None:
    loaded = {rule["alert"] for _, rule in alerts(*RULE_FILES)}
    off = {rule["alert"] for _, rule in alerts(*OFF)}
    assert off >= {"SiteDown", "SiteSlow", "CertificateEndsSoon"}
    assert not loaded & off
    assert OFF[0].read_text().startswith("# Off by default. Fettle opens a ticket of its own")


@pytest.mark.parametrize("file", [*RULE_FILES, *OFF], ids=lambda file: file.name)
def test_rules_use_only_names_that_are_there(file: Path) -> None:
    series = names.known()
    for rule in list_rules(file):
        names.check(rule["expr"], series)
        assert names.names_in(rule["expr"]) or rule["expr"] == "vector(1)", rule


def test_a_name_or_label_that_is_not_there_is_found() -> None:
    series = names.known()
    for broken in ('fettle_sites_total{a="1"}', 'up{site="x"}', "site:nothing:ratio"):
        with pytest.raises(names.UnknownName):
            names.check(f"sum({broken})", series)
    names.check('sum by (le) (rate(fettle_scheduler_lateness_seconds_bucket{le="5"}[5m]))', series)
