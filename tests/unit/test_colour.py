"""Colours of clients: text on them, and they as text, can be read in light and in dark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets.rules.colour import LEAST_CONTRAST, contrast, contrast_with_white, readable_on

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),  # the well-known grey that just fails
        ("#ff0000", "#ffffff", 4.0),
        ("#ffffff", "#ffffff", 1.0),
    ],
)
def test_contrast_is_that_of_the_guidelines(one: str, other: str, expected: float) -> None:
    assert contrast(one, other) == pytest.approx(expected, abs=0.05)
    assert contrast(other, one) == contrast(one, other)


@given(colours)
def test_any_colour_becomes_readable_on_a_dark_ground(colour: str) -> None:
    assert contrast(readable_on(colour, "#171512"), "#171512") >= LEAST_CONTRAST


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert readable_on("#b4abff", "#171512") == "#b4abff"
    assert contrast_with_white("#3b2db0") > LEAST_CONTRAST
