"""What ``fettle probe`` writes for a person: verdict, bars to scale, facts."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.commands.probe_page import Paper, knows_shapes, write_probe
from monitor.commands.screen import Screen, width_of
from monitor.rules.observation import Certificate, Observation, Phases
from monitor.rules.verdict import judge
from tests.unit.probes import BAD, GOOD, SLOW_AFTER

PIPE = Paper()


def certificate_of(observation: Observation) -> Certificate:
    assert observation.certificate is not None
    return observation.certificate


def text_of(observation: Observation, paper: Paper = PIPE, *, has_colour: bool = False) -> str:
    screen = Screen(
        input=io.StringIO(), output=io.StringIO(), errors=io.StringIO(), has_colour=has_colour
    )
    judgement = judge(observation, slow_after=SLOW_AFTER)
    write_probe(screen, observation, judgement, slow_after=SLOW_AFTER, paper=paper)
    output = screen.output
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_a_good_probe() -> None:
    assert (
        text_of(GOOD, Paper(columns=67))
        == """\
● Up  https://shop.example/

  resolve         10.0 ms  █▋
  connect         20.0 ms   ███▊
  tls             50.0 ms      ████████▊
  processing     150.0 ms              ████████████████████████▊
  transfer        20.0 ms                                      ████
  in all         250.0 ms  slow beyond 3 s

  answer         200 OK, HTTP/1.1
  body           12,345 bytes
  title          Shop
  redirected to  https://www.shop.example/
  address        93.184.215.14
  tls            TLSv1.3, TLS_AES_256_GCM_SHA384
  certificate    verified, 84 days left, until 1 Jun 2026 12:00 UTC
                 for shop.example, www.shop.example
                 by CN=R3,O=Let's Encrypt
"""
    )


def test_a_failure_says_where_and_why() -> None:
    assert (
        text_of(BAD, Paper(columns=41))
        == """\
■ Down  https://shop.example/
  connect_refused: 93.184.215.14 port 443
  refused the connection

  resolve         10.0 ms  ████▋
  connect         20.0 ms      ██████████
  tls                   -
  processing            -
  transfer              -
  in all          30.0 ms
  failed in connect
"""
    )


def test_a_slow_answer_says_its_limit() -> None:
    text = text_of(replace(GOOD, duration_seconds=5.0))
    assert text.startswith(
        "◐ Slow  https://shop.example/\n  slow: answered in 5.00 s, slower than the limit of 3 s\n"
    )


def test_the_bars_are_to_scale_in_letters_too() -> None:
    lines = text_of(GOOD, Paper(columns=77, has_shapes=False)).splitlines()[2:7]
    bars = [line[27:] for line in lines]
    assert [bar.count("#") for bar in bars] == [2, 4, 10, 30, 4]
    assert [bar.index("#") for bar in bars] == [0, 2, 6, 16, 46]


def test_the_shortest_phase_is_seen_and_no_bar_leaves_the_terminal() -> None:
    uneven = replace(GOOD, phases=Phases(resolve=0.000001, connect=9.0, transfer=0.000001))
    for columns in (40, 50, 80, 200):
        lines = text_of(uneven, Paper(columns=columns)).splitlines()[2:7]
        assert [len(line) > 27 for line in lines] == [True, True, False, False, True]
        assert all(width_of(line) <= columns for line in lines)


@pytest.mark.parametrize("columns", [1, 20, 34])
def test_a_terminal_without_room_for_bars_gets_the_figures(columns: int) -> None:
    lines = text_of(GOOD, Paper(columns=columns)).splitlines()
    (line,) = (line for line in lines if "processing" in line)
    assert line == "  processing     150.0 ms"


def test_text_is_folded_on_a_terminal_and_left_whole_in_a_pipe() -> None:
    long = replace(GOOD, title="words " * 40)
    folded = text_of(long, Paper(columns=60)).splitlines()
    assert all(width_of(line) <= 60 for line in folded)
    assert any(
        line == f"  title          {('words ' * 40).strip()}" for line in text_of(long).splitlines()
    )


def test_colour_is_told_by_words_as_well() -> None:
    plain, coloured = text_of(BAD), text_of(BAD, has_colour=True)
    assert "\x1b[31m■ Down\x1b[0m" in coloured
    assert "\x1b" not in plain


@pytest.mark.parametrize(
    ("encoding", "knows"),
    [("utf-8", True), (None, True), ("ascii", False), ("latin-1", False), ("cp437", False),
     ("no-such-codec", False)],
)  # fmt: skip
def test_who_knows_shapes(encoding: str | None, knows: bool) -> None:
    assert knows_shapes(encoding) == knows


def test_an_output_without_shapes_gets_plain_ascii() -> None:
    text = text_of(GOOD, Paper(columns=80, has_shapes=False))
    assert text.isascii()
    assert text.startswith("Up  https://shop.example/\n")


def test_a_hostile_site_cannot_move_the_cursor() -> None:
    hostile = replace(
        BAD,
        message="x\x1b[2Jy\nfettle: forged",
        title="a\x07b",
        url="https://shop.example/\x1b]0;",
        warnings=("w\x1b[1m",),
    )
    text = text_of(hostile, Paper(columns=80))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\nfettle:" not in text


CERTIFICATE = certificate_of(GOOD)


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (timedelta(days=84), "verified, 84 days left, until"),
        (timedelta(days=1, hours=2), "verified, 26 hours left, until"),
        (timedelta(minutes=1), "verified, 1 minute left, until"),
        (timedelta(minutes=-90), "verified, expired 90 minutes ago, on"),
        (timedelta(days=-400), "verified, expired 400 days ago, on"),
    ],
)
def test_how_long_a_certificate_holds(left: timedelta, says: str) -> None:
    at = GOOD.started_at + timedelta(seconds=GOOD.duration_seconds)
    assert says in text_of(with_certificate(replace(CERTIFICATE, not_after=at + left)))


def test_an_authority_that_ends_sooner_is_told() -> None:
    soon = replace(CERTIFICATE, earliest_not_after=GOOD.started_at + timedelta(days=9, hours=1))
    text = text_of(with_certificate(soon))
    assert "an authority in its chain ends sooner: 9 days left, until 18 Mar 2026 10:00 UTC" in text


def test_a_certificate_of_many_names_shows_a_few() -> None:
    many = replace(CERTIFICATE, names=tuple(f"s{n}.example" for n in range(100)), verified=False)
    text = text_of(with_certificate(many))
    assert (
        "for s0.example, s1.example, s2.example, s3.example, s4.example, s5.example and 94 more"
        in text
    )
    assert "not verified" in text


def with_certificate(certificate: Certificate) -> Observation:
    return replace(GOOD, certificate=certificate)


def test_warnings_are_told() -> None:
    warned = replace(GOOD, warnings=("IPv6 fails: 2001:db8::1 gave no connection",))
    assert text_of(warned).splitlines()[:2] == [
        "● Up  https://shop.example/",
        "  warning: IPv6 fails: 2001:db8::1 gave no connection",
    ]
