"""From an observation to a verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.rules.observation import UNKNOWN_CAUSES, Cause, Observation
from monitor.rules.verdict import Judgement, Verdict, judge

SLOW_AFTER = timedelta(seconds=3)


def an_observation(*, cause: Cause | None = None, duration: float = 0.2) -> Observation:
    return Observation(
        url="https://www.example.com/",
        started_at=datetime(2026, 3, 9, 9, 0, tzinfo=UTC),
        duration_seconds=duration,
        cause=cause,
        message="what was seen" if cause else "",
    )


def test_a_good_answer_in_time_is_up() -> None:
    assert judge(an_observation(), slow_after=SLOW_AFTER) == Judgement(verdict=Verdict.UP)


@pytest.mark.parametrize(
    ("duration", "verdict"), [(2.999, Verdict.UP), (3.0, Verdict.UP), (3.001, Verdict.SLOW)]
)
def test_an_answer_at_the_limit_is_still_in_time(duration: float, verdict: Verdict) -> None:
    assert judge(an_observation(duration=duration), slow_after=SLOW_AFTER).verdict is verdict


def test_a_slow_answer_names_both_times() -> None:
    judgement = judge(an_observation(duration=4.1234), slow_after=SLOW_AFTER)
    assert judgement.cause is Cause.SLOW
    assert judgement.message == "answered in 4.12 s, slower than the limit of 3 s"


@pytest.mark.parametrize("cause", sorted(set(Cause) - UNKNOWN_CAUSES))
def test_what_a_site_does_wrong_is_down_however_fast(cause: Cause) -> None:
    for duration in (0.0, 100.0):
        judgement = judge(an_observation(cause=cause, duration=duration), slow_after=SLOW_AFTER)
        assert judgement == Judgement(verdict=Verdict.DOWN, cause=cause, message="what was seen")


@pytest.mark.parametrize("cause", sorted(UNKNOWN_CAUSES))
def test_our_own_fault_is_unknown_however_slow(cause: Cause) -> None:
    judgement = judge(an_observation(cause=cause, duration=100.0), slow_after=SLOW_AFTER)
    assert (judgement.verdict, judgement.cause) == (Verdict.UNKNOWN, cause)


def test_the_causes_are_the_contracts() -> None:
    contract = """
        dns_not_found dns_failure dns_timeout connect_refused connect_unreachable connect_reset
        connect_timeout tls_expired tls_name tls_untrusted tls_handshake tls_timeout
        response_timeout transfer_timeout protocol_error headers_too_large body_incomplete
        decode_error http_status keyword_missing keyword_present redirect_loop redirect_invalid
        address_blocked slow own_network own_resolver own_resources own_stall missed
    """
    assert {cause.value for cause in Cause} == set(contract.split())
    own = {"own_network", "own_resolver", "own_resources", "own_stall", "missed"}
    assert {cause.value for cause in UNKNOWN_CAUSES} == own
