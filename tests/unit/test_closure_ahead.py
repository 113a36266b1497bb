"""The closure that clients are told of: before it, within it, and after it."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.builders import a_policy
from tickets.rules.closure_ahead import next_closure

CHRISTMAS = "from Thu 24 Dec 2026 to Fri 1 Jan 2027 (Christmas closure)"


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-12-09T10:00", ""),
        ("2026-12-10T10:00", CHRISTMAS),
        ("2026-12-23T18:00", CHRISTMAS),
        ("2026-12-24T10:00", CHRISTMAS),
        ("2026-12-26T10:00", CHRISTMAS),  # Boxing Day is within it, not its beginning
        ("2026-12-28T11:20", CHRISTMAS),
        ("2027-01-01T23:59", CHRISTMAS),
        ("2027-01-02T00:00", ""),
        ("2026-04-02T10:00", ""),  # Good Friday and Easter Monday are holidays, not a closure
    ],
)
def test_the_closure_that_is_told(at: str, told: str) -> None:
    assert next_closure(a_policy().hours, datetime.fromisoformat(f"{at}+00:00")) == told
