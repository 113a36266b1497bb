"""To which client and site an alert belongs."""

from __future__ import annotations

import pytest

from monitor.alerts.places import Places
from tests.alerts import POLICY
from tickets.rules.ticket import AGENCY

PLACES = Places(POLICY)


@pytest.mark.parametrize(
    ("labels", "client", "site"),
    [
        ({"client": "harbour"}, "harbour", None),
        ({"site": "booking"}, "harbour", "booking"),
        ({"site": "booking", "client": "harbour"}, "harbour", "booking"),
        ({"site": "booking", "client": "Harbour Inns"}, "harbour", "booking"),
        ({"site": "booking", "client": "wren"}, AGENCY, None),
        ({"site": "unknown", "client": "wren"}, "wren", None),
        ({"instance": "https://SHOP.wren.test"}, "wren", "shop"),
        ({"instance": "shop.wren.test:9100"}, "wren", "shop"),
        ({"instance": "https://booking.harbour.test/#booking"}, "harbour", "booking"),
        ({"instance": "shop.wren.test", "client": "harbour"}, "harbour", None),
        # Two sites of one host: which of them is meant cannot be told.
        ({"instance": "www.harbour.test"}, AGENCY, None),
        ({"instance": "https://www.harbour.test/menus"}, "harbour", "menus"),
        ({"instance": "10.0.0.7:9100"}, AGENCY, None),
        ({"instance": "{{ 7*7 }}"}, AGENCY, None),
        ({"instance": "http://["}, AGENCY, None),
        ({"client": AGENCY}, AGENCY, None),
    ],
)
def test_an_alert_is_mapped_by_its_labels(
    labels: dict[str, str], client: str, site: str | None
) -> None:
    place = PLACES.find(labels, default_client=None)
    assert (place.client, place.site and place.site.slug) == (client, site)
    assert place.is_agency == (client == AGENCY)


def test_a_default_client_is_for_what_names_nobody() -> None:
    assert PLACES.find({}, default_client="wren").client_name == "Wren & Co"
    assert PLACES.find({"client": "harbour"}, default_client="wren").client == "harbour"
    contradiction = {"site": "booking", "client": "wren"}
    assert PLACES.find(contradiction, default_client="wren").client == AGENCY
    assert PLACES.find({}, default_client="gone").client == AGENCY
