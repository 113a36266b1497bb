"""Uptime is what was up of what was judged; everything else is a figure of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rules.uptime import Uptime, share_text, total_uptime

times = st.integers(min_value=0, max_value=10**9).map(lambda micros: timedelta(microseconds=micros))
uptimes = st.builds(
    Uptime, up=times, slow=times, down=times, unknown=times, maintenance=times, unwatched=times
)


def minutes(**parts: float) -> Uptime:
    return Uptime(**{name: timedelta(minutes=value) for name, value in parts.items()})


@pytest.mark.parametrize(
    ("uptime", "share"),
    [
        (minutes(), None),
        (minutes(unknown=5, maintenance=10, unwatched=60), None),
        (minutes(up=9, down=1), 0.9),
        (minutes(up=4, slow=5, down=1), 0.9),
        (minutes(up=9, down=1, unknown=50, maintenance=50, unwatched=50), 0.9),
        (minutes(down=3), 0.0),
        (minutes(up=3), 1.0),
    ],
)
def test_the_share_counts_only_what_was_judged(uptime: Uptime, share: float | None) -> None:
    assert uptime.share == share


@given(st.lists(uptimes, max_size=6))
def test_a_period_cut_up_and_put_together_weighted_is_the_same(parts: list[Uptime]) -> None:
    whole = total_uptime(parts)
    assert whole.length == sum((part.length for part in parts), timedelta())
    judged = [part for part in parts if part.share is not None]
    if not judged:
        assert whole.share is None
        return
    weighted = sum((part.share or 0) * part.judged.total_seconds() for part in judged)
    assert whole.share == pytest.approx(weighted / whole.judged.total_seconds())
    assert 0 <= (whole.share or 0) <= 1


def test_what_no_probe_speaks_for_is_unwatched() -> None:
    hour = timedelta(hours=1)
    assert minutes(up=30, unknown=10).within(hour) == minutes(up=30, unknown=10, unwatched=20)
    assert minutes(up=61).within(hour) == minutes(up=61)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (1.0, "100 %"),
        (0.999999, "99.99 %"),
        (0.9995, "99.95 %"),
        (0.5, "50.00 %"),
        (0.0, "0.00 %"),
    ],
)
def test_only_the_whole_reads_as_a_hundred(share: float | None, text: str) -> None:
    assert share_text(share) == text
