"""Every expression of the boards has data: a real Prometheus scrapes a service on a seeded store.

The prober does not run, so that the store stays as it was made; the desk does, with its sweeps and
its delivery to a mail server that is not there. Prometheus loads the rules as they are delivered,
evaluated every second.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dashboards.build import BOARDS, Asked, build, list_asked
from dashboards.names import recorded
from monitor.service import build_policy
from monitor.settings.load import load
from tests.clocks import FakeClock
from tests.prometheus import Prometheus, lay_out, real
from tests.seeded import ALL_DAY, CLIENTS, NAMES, Past
from tests.system.running import eventually, free_port
from tickets.store import Store

pytestmark = pytest.mark.timeout(300)

ALWAYS = [{"days": list(ALL_DAY), "from": "00:00", "to": "24:00"}]
"""A maintenance window that never ends."""

TOKEN = "a-token-of-the-test-0123456789abcdef"

CHOSEN = {
    "$client": ".+",
    "$site": ".+",
    "$__rate_interval": "1m",
    "$__interval": "1m",
    "$__range": "1h",
}
"""What Grafana puts in for its variables, with everything chosen."""

SEEDED = {"Watchdog": "firing", "PromiseOverdue": "firing", "FettleMailsDead": "pending"}
"""Alerts that what is seeded raises: a ticket past its deadline, mails dead for under 5 minutes."""

BY_BOARD = {name: list(list_asked(make("http://desk"))) for name, make in BOARDS.items()}
EXPRESSIONS = [
    pytest.param(asked, id=f"{name}: {asked.where}")
    for name, found in BY_BOARD.items()
    for asked in found
]


PLACES = {"__field.labels.site": "menu", "__data.fields.site": "menu", "site": "menu"}
PLACES |= {"__data.fields.priority": "critical"}


def paths() -> Iterator[str]:
    """Yield every path of the desk that a board links to, with a site or a priority filled in."""
    for made in build("desk:").values():
        for path in re.findall(r'"url": "\$\{desk\}([^"]+)"', made):
            for place, value in PLACES.items():
                path = path.replace(f"${{{place}}}", value)  # noqa: PLW2901
            yield path


LINKED = set(paths())


def filled(expression: str, **chosen: str) -> str:
    for variable, value in CHOSEN.items():
        value = chosen.get(variable.removeprefix("$"), value)  # noqa: PLW2901
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


@dataclass
class Seeded:
    """The service on a seeded store, and the Prometheus that scrapes it.

    ``rules`` are as they stood right after the seeding: nobody ticks there, and time goes on.
    """

    prometheus: Prometheus
    url: str
    rules: list[Any]


def write_config(folder: Path, port: int) -> Path:
    config = folder / "fettle.yml"
    document: dict[str, Any] = {
        "agency": {
            "name": "Bright Agency",
            "url": "https://agency.test",
            "mail_from": "support@agency.test",
        },
        "store": {"url": f"sqlite:///{folder}/fettle.db"},
        "web": {"listen": f"127.0.0.1:{port}", "metrics_interval": "1s"},
        "mail": {"host": "127.0.0.1", "port": free_port(), "security": "none"},
        "support": {"hours": ALL_DAY},
        "alerts": {"sources": [{"name": "main", "kind": "alertmanager", "token": TOKEN}]},
        "staff_channels": {"duty": ["mailto://duty@agency.test"]},
        "clients": [
            {
                "slug": client,
                "name": name,
                "contacts": [{"name": "Anna Wright", "email": f"anna@{client}.test"}],
                "sites": [
                    {
                        "slug": slug,
                        "name": title,
                        "url": f"https://{slug}.{client}.test/",
                        "maintenance": ALWAYS if slug == "spa" else [],
                    }
                    for slug, (of, title) in NAMES.items()
                    if of == client
                ],
            }
            for client, name in CLIENTS.items()
        ],
    }
    config.touch(mode=0o600)  # it holds a token
    config.write_text(yaml.safe_dump(document))
    return config


def hurry_rules(folder: Path) -> None:
    """Let the rules laid out there be evaluated as often as everything else is."""
    for file in (folder / "dashboards" / "rules").glob("*.yml"):
        text = file.read_text()
        for slow in ("interval: 1m", "interval: 5m"):
            text = text.replace(slow, "interval: 1s")
        file.write_text(text)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Seeded]:
    real("prometheus")
    folder = tmp_path_factory.mktemp("seeded")
    shutil.copy(migrated_sqlite, folder / "fettle.db")
    port = free_port()
    config = write_config(folder, port)
    policy = build_policy(load(config, environ={}), clock=FakeClock(datetime.now(UTC)))
    store = Store(f"sqlite:///{folder}/fettle.db")
    Past(store, policy, datetime.now(UTC)).happen()
    words = [sys.executable, "-m", "monitor", "run", "--role", "desk", "--config", str(config)]
    with (folder / "service.log").open("wb") as log:
        service = subprocess.Popen(words, stderr=log)
    prometheus = Prometheus(lay_out(folder, fettle=f"127.0.0.1:{port}"), folder / "prometheus")
    hurry_rules(folder)
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(url, service, folder / "service.log"), what="the desk")
        prometheus.start()
        for turn in (1, 2):
            scrapes = f"count_over_time(fettle_build_info[1m]) >= {2 * turn}"
            eventually(partial(prometheus.query, scrapes), what="a scrape")
            Past(store, policy, datetime.now(UTC)).go_on(turn)
            send_alerts(url)
            httpx.get(f"{url}/status/nobody")
        eventually(
            lambda: not missing(prometheus), what="every rule to have been evaluated", within=180
        )
        eventually(
            lambda: SEEDED.items() <= states_of(rules_of(prometheus)).items(),
            what="the alerts on what was seeded",
        )
        yield Seeded(prometheus, url, rules_of(prometheus))
    finally:
        prometheus.stop()
        service.terminate()
        service.wait(120)
        store.close()


def send_alerts(url: str) -> None:
    """Send an alert and a Watchdog, the same each time."""
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": name, "severity": "none"},
            "annotations": {},
            "startsAt": "2026-03-03T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
        }
        for name in ("DiskFull", "Watchdog")
    ]
    body = {"version": "4", "status": "firing", "receiver": "fettle", "alerts": alerts}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(f"{url}/api/v1/alerts/main", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text


def rules_of(prometheus: Prometheus) -> list[Any]:
    """Return every rule as it stands now."""
    return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]


def states_of(rules: Iterable[Any]) -> dict[str, str]:
    """Return the state of each alert: inactive, pending or firing."""
    return {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting"}


def missing(prometheus: Prometheus) -> list[str]:
    """Return the names of recorded series that have no data."""
    return [name for name in recorded() if not prometheus.query(name)]


def _answers(url: str, service: subprocess.Popen[bytes], log: Path) -> bool:
    assert service.poll() is None, log.read_text(errors="replace")
    try:
        return httpx.get(f"{url}/metrics", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_boards_are_asked_for_all_that_they_show() -> None:
    assert sorted(BY_BOARD) == ["health", "overview", "site", "tickets"]
    assert len(EXPRESSIONS) > 100
    assert set(build()) == {f"{name}.json" for name in BY_BOARD}


def numbers_of(prometheus: Prometheus, expression: str, *, is_now: bool) -> list[float]:
    """Return every value that an expression has now, or had in the last ten seconds.

    It may have none for a moment: on a busy machine a scrape takes too long, and what it would have
    brought is gone until the next.
    """
    if is_now:
        return [float(series["value"][1]) for series in prometheus.query(expression)]
    now = datetime.now(UTC).timestamp()
    answer = prometheus.get(
        "query_range", query=expression, start=str(now - 10), end=str(now), step="1s"
    )
    return [float(at[1]) for series in answer["result"] for at in series["values"]]


@pytest.mark.parametrize("asked", EXPRESSIONS)
def test_an_expression_has_data(seeded: Seeded, asked: Asked) -> None:
    expression = filled(asked.expression)
    numbers = eventually(
        lambda: numbers_of(seeded.prometheus, expression, is_now=asked.is_now),
        what=f"data: {expression}",
    )
    assert not all(map(isnan, numbers)), f"nothing but NaN: {expression}"


def test_one_site_alone_has_all_of_its_board(seeded: Seeded) -> None:
    board = [asked for asked in BY_BOARD["site"] if not asked.where.startswith("annotation")]
    for asked in board:
        text = filled(asked.expression, client="harbour", site="booking")
        eventually(
            lambda text=text, asked=asked: numbers_of(seeded.prometheus, text, is_now=asked.is_now),
            what=f"data: {asked.where}",
        )


def test_every_rule_is_evaluated_and_the_seeded_ones_fire(seeded: Seeded) -> None:
    faulty = [one for one in seeded.rules if one["health"] != "ok" or one.get("lastError")]
    assert [rule["name"] for rule in faulty] == []
    states = states_of(seeded.rules)
    assert SEEDED.items() <= states.items()
    well = {"FettleDown", "FettleTickLate", "FettleBlind", "FettleConfigurationRefused"}
    assert {states[name] for name in well} == {"inactive"}


@pytest.mark.parametrize("path", sorted(LINKED))
def test_a_link_leads_to_a_page_of_the_desk(seeded: Seeded, path: str) -> None:
    page = httpx.get(f"{seeded.url}{path}", timeout=60)
    if path == "/-/ready":
        assert page.status_code in {200, 503}
    else:
        assert page.status_code == 303, page.status_code
        assert page.headers["Location"].startswith("/sign-in"), "people sign in first"


def test_a_page_that_is_not_there_is_told_from_one_that_is(seeded: Seeded) -> None:
    assert httpx.get(f"{seeded.url}/nowhere", timeout=60).status_code == 404


def test_a_table_of_sites_has_every_state(seeded: Seeded) -> None:
    [first] = [
        asked for asked in BY_BOARD["overview"] if asked.where.startswith("9 ") and asked.is_now
    ][:1]
    found = eventually(lambda: seeded.prometheus.query(filled(first.expression)), what="states")
    ranks = {series["metric"]["site"]: float(series["value"][1]) for series in found}
    assert ranks == {"menu": 5, "rooms": 4, "foyer": 3, "spa": 2, "booking": 1, "tickets": 1}
