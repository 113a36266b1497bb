"""A real Alertmanager and the real service: nothing is lost, doubled or left open by mistake."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from sqlmodel import col, select

from monitor.alert_tables import AlertRow
from monitor.rules.episode import AlertState
from tests.alertmanager import SHIPPED, Alertmanager, lay_out
from tests.alerts import a_body, an_alert
from tests.prometheus import real
from tests.smtp import Postbox
from tests.system.running import Service, Website, eventually
from tickets.rules.ticket import AGENCY, Status
from tickets.store import Store
from tickets.tables import TicketRow

pytestmark = pytest.mark.timeout(300)

TOKEN = "a-token-of-the-system-tests"


@pytest.fixture
def pair(tmp_path: Path, store_url: str) -> Iterator[tuple[Service, list[Alertmanager]]]:
    """The service, and two Alertmanagers of a cluster that post to it; it reads the first."""
    real("prometheus-alertmanager", "alertmanager")
    website, members = Website(), list[Alertmanager]()
    with Postbox() as postbox:
        service = Service(tmp_path, store_url, website.url, postbox.port)
        service.write_config()
        config = lay_out(tmp_path, url=service.url, token=TOKEN)
        for number in range(2):
            peers = [member.peer for member in members]
            members.append(Alertmanager(config, tmp_path / f"alertmanager{number}", peers))
        source = {
            "name": "prometheus",
            "kind": "alertmanager",
            "token": TOKEN,
            "receiver": "fettle",
            "reconcile_url": members[0].url,
        }
        settings = yaml.safe_load(service.config.read_text())
        service.config.write_text(yaml.safe_dump(settings | {"alerts": {"sources": [source]}}))
        try:
            for member in members:
                member.start()
            service.start()
            yield service, members
        finally:
            if service.process is not None and service.process.poll() is None:
                service.stop()
            for member in members:
                member.stop()
            website.close()


def tickets(store: Store) -> dict[str, TicketRow]:
    """Return every ticket by the name of its alert; an alert with two is a failure."""
    rows = store.read(lambda tx: tx.exec(select(TicketRow)).all())
    found = {row.title.split(": ")[-2]: row for row in rows}
    assert len(found) == len(rows)
    return found


def states(store: Store) -> dict[str, AlertState]:
    """Return the state of every alert by its name; one with two episodes is a failure."""
    query = select(AlertRow).order_by(col(AlertRow.id))
    rows = store.read(lambda tx: tx.exec(query).all())
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row.state for row in rows}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_alerts_arrive_end_and_are_reconciled(
    pair: tuple[Service, list[Alertmanager]], store: Store, store_url: str
) -> None:
    service, members = pair
    begun = datetime.now(UTC) - timedelta(minutes=1)

    def tell(name: str, *, ended: bool = False, **labels: str) -> None:
        for member in members:
            member.tell(name, ended=ended, begun=begun, **labels)

    # Told once, and no Alertmanager knows of it any more: only asking can tell that it is over.
    posted = httpx.post(
        f"{service.url}/api/v1/alerts/prometheus",
        content=a_body(an_alert("Forgotten", starts_at=begun)),
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=60,
    )
    assert posted.status_code == 200
    forgotten_at = datetime.now(UTC)

    tell("Watchdog")
    tell("Slow", site="booking", severity="critical")
    tell("Ends")
    eventually(lambda: {"Slow", "Ends"} <= tickets(store).keys(), what="two tickets")
    assert tickets(store)["Slow"].client == "harbour"
    assert tickets(store)["Ends"].client == AGENCY
    tell("Ends", ended=True)
    eventually(lambda: tickets(store)["Ends"].recovered_at, what="the end of an alert")
    metric = "fettle_watchdog_last_received_timestamp_seconds"
    eventually(lambda: service.metric(metric, source="prometheus"), what="the Watchdog")

    # The store is away while an alert begins: Alertmanager tries until it is back.
    with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"))) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        tell("WhileAway")
        eventually(lambda: is_logged(service, "alerts.not_stored"), what="a refused request")
        other.execute("ROLLBACK")
    eventually(lambda: "WhileAway" in tickets(store), what="the ticket of the repeated request")

    # The service is away while one alert ends, one begins and ends, and one begins.
    tell("EndsUnheard")
    eventually(lambda: "EndsUnheard" in tickets(store), what="a ticket before the restart")
    service.stop()
    tell("EndsUnheard", ended=True)
    tell("Brief")
    tell("Brief", ended=True)
    tell("BeginsUnheard")
    eventually(
        lambda: datetime.now(UTC) - forgotten_at > timedelta(seconds=15),
        what="the forgotten alert to be older than any message under way",
    )
    service.start()
    eventually(
        lambda: states(store).get("EndsUnheard") in {AlertState.RESOLVED, AlertState.GONE},
        what="what ended unheard to end",
    )
    eventually(lambda: "BeginsUnheard" in tickets(store), what="what began unheard")
    eventually(lambda: states(store)["Forgotten"] is AlertState.GONE, what="the list to be read")

    # An Alertmanager tries for ten seconds: a service that is back so soon hears of the brief one.
    eventually(lambda: states(store).get("Brief") is not AlertState.FIRING, what="its end as well")

    found = tickets(store)
    brief = found.pop("Brief", None)
    assert brief is None or brief.recovered_at
    assert {name for name, row in found.items() if row.recovered_at} == {
        "Ends",
        "EndsUnheard",
        "Forgotten",
    }
    assert {row.status for row in found.values()} == {Status.OPEN}


def is_logged(service: Service, event: str) -> bool:
    return any(line.get("event") == event for line in service.lines)


def test_the_shipped_file_is_one_that_alertmanager_takes() -> None:
    done = subprocess.run(
        [real("amtool"), "check-config", str(SHIPPED)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    route = yaml.safe_load(SHIPPED.read_text())["route"]
    assert route["group_by"] == ["..."]
    [receiver] = yaml.safe_load(SHIPPED.read_text())["receivers"]
    [webhook] = receiver["webhook_configs"]
    assert webhook["send_resolved"]
    assert webhook["max_alerts"] == 0
