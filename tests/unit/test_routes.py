"""What is told of addresses that were passed over before one gave a connection."""

from __future__ import annotations

import pytest

from monitor.egress.routes import warn_of_other_addresses
from monitor.egress.seen import Seen

FIRST, SECOND, INSIDE = "127.0.0.1", "127.0.0.2", "10.1.2.3"


@pytest.mark.parametrize(
    ("attempted_at", "says"),
    [
        ([0.0, 0.01], "127.0.0.1 gave no connection, and 127.0.0.2 did"),
        ([0.0, 0.2], "127.0.0.1 gave no connection within 0.4 s, and 127.0.0.2 did"),
    ],
    ids=["refused at once", "silent until libcurl lost patience"],
)
def test_a_time_is_told_of_what_was_waited_for(attempted_at: list[float], says: str) -> None:
    seen = Seen(attempted=[FIRST, SECOND], attempted_at=attempted_at)
    assert warn_of_other_addresses(seen, SECOND, after_seconds=0.4) == says


def test_an_address_that_is_denied_is_told_as_denied_and_never_as_dead() -> None:
    seen = Seen(attempted=[INSIDE, FIRST], attempted_at=[0.0, 0.5], blocked=[(INSIDE, "private")])
    assert warn_of_other_addresses(seen, FIRST, after_seconds=0.6) == "10.1.2.3 is private"


@pytest.mark.parametrize("attempted", [[FIRST], [FIRST, SECOND]])
def test_nothing_is_told_where_the_first_gave_a_connection(attempted: list[str]) -> None:
    seen = Seen(attempted=attempted, attempted_at=[0.0, 0.3][: len(attempted)])
    assert warn_of_other_addresses(seen, FIRST, after_seconds=0.1) is None
