"""A change is believed after enough verdicts in a row, and never because of our own blindness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rules.site import Confirmation
from monitor.rules.streak import Streak, Transition, advance
from monitor.rules.verdict import Verdict

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
LETTERS = {"u": Verdict.UP, "s": Verdict.SLOW, "d": Verdict.DOWN, "?": Verdict.UNKNOWN}
CONFIRMATION = Confirmation(down=3, slow=5, up=2)


def transitions(verdicts: str, *, settled: Verdict | None = Verdict.UP) -> list[tuple[int, str]]:
    """Feed ``verdicts``, a letter a minute; return each transition's place and new verdict."""
    streak, found = Streak(settled=settled), list[tuple[int, str]]()
    for place, letter in enumerate(verdicts):
        streak, transition = advance(
            streak,
            LETTERS[letter],
            at=START + timedelta(minutes=place),
            confirmation=CONFIRMATION,
        )
        if transition is not None:
            found.append((place, transition.after.value))
    return found


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("uuuu", []),
        ("ddd", [(2, "down")]),
        ("dduddu", []),
        ("dd?d", [(3, "down")]),
        ("???????", []),
        ("ssss", []),
        ("sssss", [(4, "slow")]),
        ("ssdss", [(4, "slow")]),
        ("ssddd", [(4, "down")]),
        ("sssssddd", [(4, "slow"), (7, "down")]),
        ("dddu", [(2, "down")]),
        ("ddduu", [(2, "down"), (4, "up")]),
        ("dddudu", [(2, "down")]),
        ("dddu?u", [(2, "down"), (5, "up")]),
        ("dddssssssss", [(2, "down")]),
        ("dddsssuu", [(2, "down"), (7, "up")]),
        ("dddddddd", [(2, "down")]),
    ],
)
def test_transitions_of_a_site_that_was_up(verdicts: str, expected: list[tuple[int, str]]) -> None:
    assert transitions(verdicts) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [("u", [(0, "up")]), ("ddd", [(2, "down")]), ("?u", [(1, "up")]), ("ddu", [(2, "up")])],
)
def test_a_new_site_is_up_at_once_and_down_after_confirmation(
    verdicts: str, expected: list[tuple[int, str]]
) -> None:
    assert transitions(verdicts, settled=None) == expected


def test_an_outage_began_with_the_first_down_of_its_run_not_with_the_confirmation() -> None:
    streak, transition = Streak(settled=Verdict.UP), None
    for minute, verdict in enumerate([Verdict.SLOW, *[Verdict.DOWN] * 3]):
        at = START + timedelta(minutes=minute)
        streak, transition = advance(streak, verdict, at=at, confirmation=CONFIRMATION)
    assert transition == Transition(
        before=Verdict.UP,
        after=Verdict.DOWN,
        since=START + timedelta(minutes=1),
        confirmed_at=START + timedelta(minutes=3),
    )


@pytest.mark.parametrize(
    ("settled", "verdict", "is_in_doubt"),
    [
        (Verdict.UP, Verdict.UP, False),
        (Verdict.UP, Verdict.DOWN, True),
        (Verdict.UP, Verdict.SLOW, True),
        (Verdict.UP, Verdict.UNKNOWN, False),
        (Verdict.DOWN, Verdict.DOWN, False),
        (Verdict.DOWN, Verdict.SLOW, False),
        (Verdict.DOWN, Verdict.UP, True),
        (Verdict.SLOW, Verdict.SLOW, False),
        (Verdict.SLOW, Verdict.DOWN, True),
        (Verdict.SLOW, Verdict.UP, True),
    ],
)
def test_we_look_again_soon_only_when_what_we_see_disagrees_with_what_is_settled(
    settled: Verdict, verdict: Verdict, is_in_doubt: bool
) -> None:
    streak, _ = advance(Streak(settled=settled), verdict, at=START, confirmation=CONFIRMATION)
    assert streak.is_in_doubt is is_in_doubt


@given(st.lists(st.sampled_from(list(Verdict)), max_size=60), st.data())
def test_unknown_verdicts_anywhere_change_no_transition(
    verdicts: list[Verdict], data: st.DataObject
) -> None:
    blind = [verdict for verdict in verdicts if verdict is not Verdict.UNKNOWN]
    assert _afters(verdicts) == _afters(blind)
    extra = data.draw(st.integers(0, len(blind)))
    assert _afters([*blind[:extra], Verdict.UNKNOWN, *blind[extra:]]) == _afters(blind)


@given(st.lists(st.sampled_from([Verdict.UP, Verdict.SLOW, Verdict.DOWN]), max_size=60))
def test_every_transition_stands_on_enough_verdicts_in_a_row(verdicts: list[Verdict]) -> None:
    streak = Streak(settled=Verdict.UP)
    for place, verdict in enumerate(verdicts):
        streak, transition = advance(streak, verdict, at=START, confirmation=CONFIRMATION)
        if transition is None:
            continue
        seen = verdicts[: place + 1]
        match transition.after:
            case Verdict.DOWN:
                assert seen[-3:] == [Verdict.DOWN] * 3
            case Verdict.SLOW:
                assert len(seen) >= 5
                assert Verdict.UP not in seen[-5:]
            case _:
                assert seen[-2:] == [Verdict.UP] * 2


def _afters(verdicts: list[Verdict]) -> list[Verdict]:
    streak, found = Streak(settled=Verdict.UP), list[Verdict]()
    for verdict in verdicts:
        streak, transition = advance(streak, verdict, at=START, confirmation=CONFIRMATION)
        if transition is not None:
            found.append(transition.after)
    return found
