"""Durations and sizes as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets.quantities import duration_text, parse_duration, parse_size, size_text


@pytest.mark.parametrize(
    ("typed", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h", timedelta(hours=1)),
        ("2d", timedelta(days=2)),
        ("500ms", timedelta(seconds=0.5)),
        ("1.5s", timedelta(seconds=1.5)),
        ("1h30m", timedelta(hours=1.5)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_read(typed: str, duration: timedelta):
    assert parse_duration(typed) == duration


@pytest.mark.parametrize(
    "typed",
    ["", "s", "-1s", "1", "1.5", "1 s", "1S", "1sec", "1m1h", "1s1s", "1ms1s", "1e3s", "١s", "P1D"],
)
def test_what_is_no_duration_is_refused_with_the_forms(typed: str):
    with pytest.raises(ValueError, match="write 30s, 5m, 1h, 2d, 1h30m or 500ms"):
        parse_duration(typed)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_reads_back_as_it_is_written(milliseconds: int):
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(duration_text(duration)) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=48), "48h"),
        (timedelta(hours=72), "72h"),
        (timedelta(days=30), "30d"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(milliseconds=1500), "1s500ms"),
    ],
)
def test_a_promise_of_hours_stays_in_hours(duration: timedelta, text: str):
    assert duration_text(duration) == text


@pytest.mark.parametrize(
    ("typed", "size"), [("500B", 500), ("64KiB", 65536), ("1MiB", 1048576), ("2GiB", 2**31)]
)
def test_a_size_is_read(typed: str, size: int):
    assert parse_size(typed) == size
    assert size_text(size) == typed


@pytest.mark.parametrize("typed", ["", "1", "1MB", "1mib", "1.5MiB", "-1B", "1 MiB", "MiB"])
def test_what_is_no_size_is_refused_with_the_forms(typed: str):
    with pytest.raises(ValueError, match="write 500B, 64KiB, 1MiB or 1GiB"):
        parse_size(typed)
