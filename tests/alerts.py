"""Senders of alerts to test with: a real store, the real application, and bodies as they come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlmodel import col, select
from starlette.applications import Starlette

from monitor.alert_tables import AlertIncidentRow, AlertRow, AlertSourceRow
from monitor.alerts.door import AlertContext, alert_routes
from monitor.alerts.source import AlertSource
from monitor.rules.episode import AlertState
from monitor.rules.label import fingerprint_of
from monitor.settings.alerts import AlertSourceKind
from tests.builders import ANNA, a_policy
from tests.clocks import FakeClock
from tickets.policy import ClientContacts, ClientProfile, SiteName
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import TicketPage
from tickets.store import Store
from tickets.tables import MessageRow, TicketRow

TOKEN = "the token of the tests"

POLICY = replace(
    a_policy(),
    contacts={
        "harbour": ClientContacts(incidents=(ANNA,), tickets=(ANNA,)),
        "wren": ClientContacts(incidents=(ANNA,), tickets=(ANNA,)),
    },
    clients={
        "harbour": ClientProfile(
            name="Harbour Inns",
            sites=(
                SiteName("booking", "Booking site", "https://booking.harbour.test/"),
                SiteName("rooms", "Rooms", "https://www.harbour.test/rooms"),
                SiteName("menus", "Menus", "https://www.harbour.test/menus"),
            ),
        ),
        "wren": ClientProfile(
            name="Wren & Co", sites=(SiteName("shop", "Shop", "https://shop.wren.test/"),)
        ),
    },
)

PROMETHEUS = AlertSource(name="prometheus", kind=AlertSourceKind.ALERTMANAGER, token=TOKEN)
GRAFANA = AlertSource(name="grafana", kind=AlertSourceKind.GRAFANA, token=TOKEN)


def an_alert(
    name: str = "QueueStuck",
    *,
    status: str = "firing",
    starts_at: datetime | str | None = None,
    ends_at: datetime | None = None,
    annotations: Mapping[str, str] | None = None,
    **labels: str,
) -> dict[str, Any]:
    """One alert of a body as Alertmanager writes it."""
    all_labels = {"alertname": name, **labels}
    begun = starts_at.isoformat() if isinstance(starts_at, datetime) else starts_at
    return {
        "status": status,
        "labels": all_labels,
        "annotations": {"summary": "340 bookings wait"} if annotations is None else annotations,
        "startsAt": begun,
        "endsAt": ends_at.isoformat() if ends_at else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.test/graph?g0.expr=queue",
        "fingerprint": fingerprint_of(all_labels),
    }


def a_body(*alerts: Mapping[str, Any], status: str = "firing", truncated: int = 0) -> bytes:
    """A body of version 4 with these alerts."""
    return json.dumps(
        {
            "version": "4",
            "groupKey": "{}:{}",
            "status": status,
            "receiver": "fettle",
            "truncatedAlerts": truncated,
            "alerts": list(alerts),
        }
    ).encode()


class AlertBench:
    """An intake of alerts over ``store``, its clock, and what a test does with them."""

    def __init__(
        self,
        store: Store,
        clock: FakeClock,
        *,
        sources: Sequence[AlertSource] = (PROMETHEUS, GRAFANA),
    ) -> None:
        self.store = store
        self.clock = clock
        context = AlertContext(store=store, policy=POLICY, clock=clock, sources=sources)
        self.app = Starlette(routes=[*alert_routes(context)])

    async def post(
        self,
        content: bytes,
        *,
        source: str = "prometheus",
        authorization: str | None = f"Bearer {TOKEN}",
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> httpx.Response:
        """Send a body and return the answer."""
        sent = dict(headers or {})
        if authorization is not None:
            sent["Authorization"] = authorization
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as http:
            return await http.request(
                method, f"/api/v1/alerts/{source}", content=content, headers=sent
            )

    async def send(self, *alerts: Mapping[str, Any], source: str = "prometheus") -> None:
        """Send alerts in one body, which must be taken."""
        answer = await self.post(a_body(*alerts), source=source)
        assert answer.status_code == 200, answer.text

    def ago(self, minutes: float) -> datetime:
        """Return the instant some minutes before now."""
        return self.clock.now() - timedelta(minutes=minutes)

    def alerts(self) -> Sequence[AlertRow]:
        """Return every episode, the oldest first."""
        query = select(AlertRow).order_by(col(AlertRow.starts_at), col(AlertRow.id))
        return self.store.read(lambda tx: tx.exec(query).all())

    def states(self) -> list[AlertState]:
        """Return the state of every episode, the oldest first."""
        return [row.state for row in self.alerts()]

    def incidents(self) -> Sequence[AlertIncidentRow]:
        """Return every incident that alerts made."""
        query = select(AlertIncidentRow).order_by(col(AlertIncidentRow.id))
        return self.store.read(lambda tx: tx.exec(query).all())

    def source(self, name: str = "prometheus") -> AlertSourceRow:
        """Return what was counted of a source."""
        return self.store.read(lambda tx: tx.get_one(AlertSourceRow, name))

    def tickets(self) -> Sequence[TicketRow]:
        """Return every ticket, the oldest first."""
        query = select(TicketRow).order_by(col(TicketRow.id))
        return self.store.read(lambda tx: tx.exec(query).all())

    def messages(self) -> Sequence[MessageRow]:
        """Return every message, the oldest first."""
        query = select(MessageRow).order_by(col(MessageRow.id))
        return self.store.read(lambda tx: tx.exec(query).all())

    def page(self, ref: str = "T-1001") -> TicketPage:
        """Return a ticket with its history."""
        return self.store.read(lambda tx: get_ticket_page(tx, ref))

    def actions(self, ref: str = "T-1001") -> list[str]:
        """Return what was done to a ticket, in order."""
        return [entry.action.value for entry in self.page(ref).entries]
