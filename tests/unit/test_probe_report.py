"""What ``fettle probe`` prints: the contract's object, and text for a terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.probe_report import probe_report, probe_text
from monitor.rules.observation import Cause, Certificate, Observation, Phase, Phases
from monitor.rules.verdict import judge

GOOD = Observation(
    url="https://shop.example/",
    started_at=datetime(2026, 3, 9, 9, 0, 1, 500_000, tzinfo=UTC),
    duration_seconds=0.25,
    phases=Phases(resolve=0.01, connect=0.02, tls=0.05, processing=0.15, transfer=0.02),
    final_url="https://www.shop.example/",
    hops=("https://shop.example/", "https://www.shop.example/"),
    http_status=200,
    http_version="1.1",
    remote_address="93.184.215.14",
    body_bytes=12_345,
    body_truncated=False,
    certificate=Certificate(
        not_after=datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
        earliest_not_after=datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
        subject="CN=shop.example",
        issuer="CN=R3,O=Let's Encrypt",
        names=("shop.example", "www.shop.example"),
        verified=True,
    ),
    tls_version="TLSv1.3",
    tls_cipher="TLS_AES_256_GCM_SHA384",
    title="Shop",
)
BAD = Observation(
    url="https://shop.example/",
    started_at=GOOD.started_at,
    duration_seconds=0.03,
    phases=Phases(resolve=0.01, connect=0.02),
    cause=Cause.CONNECT_REFUSED,
    message="93.184.215.14 port 443 refused the connection",
    failed_phase=Phase.CONNECT,
    hops=("https://shop.example/",),
)
SLOW_AFTER = timedelta(seconds=3)


def text_of(
    observation: Observation, *, environment: dict[str, str] | None = None,
    encoding: str = "utf-8", is_terminal: bool = False,
) -> str:  # fmt: skip
    return probe_text(
        observation,
        judge(observation, slow_after=SLOW_AFTER),
        environment=environment or {},
        encoding=encoding,
        is_terminal=is_terminal,
    )


def test_the_object_of_a_good_probe() -> None:
    report = probe_report(GOOD, judge(GOOD, slow_after=SLOW_AFTER))
    assert json.loads(json.dumps(report)) == {
        "url": "https://shop.example/",
        "final_url": "https://www.shop.example/",
        "verdict": "up",
        "cause": None,
        "message": "",
        "phase": None,
        "http_status": 200,
        "http_version": "1.1",
        "duration_seconds": 0.25,
        "phases": {
            "resolve": 0.01, "connect": 0.02, "tls": 0.05, "processing": 0.15, "transfer": 0.02,
        },
        "redirects": 1,
        "hops": ["https://shop.example/", "https://www.shop.example/"],
        "remote_address": "93.184.215.14",
        "body_bytes": 12345,
        "body_truncated": False,
        "certificate": {
            "not_after": "2026-06-01T12:00:00+00:00",
            "subject": "CN=shop.example",
            "issuer": "CN=R3,O=Let's Encrypt",
            "names": ["shop.example", "www.shop.example"],
            "verified": True,
        },
        "started_at": "2026-03-09T09:00:01.500000+00:00",
    }  # fmt: skip


def test_the_object_of_a_bad_probe() -> None:
    report = probe_report(BAD, judge(BAD, slow_after=SLOW_AFTER))
    expected = {
        "verdict": "down", "cause": "connect_refused", "phase": "connect",
        "message": "93.184.215.14 port 443 refused the connection", "http_status": None,
        "http_version": None, "certificate": None, "remote_address": None, "redirects": 0,
        "final_url": "https://shop.example/",
    }  # fmt: skip
    assert expected.items() <= report.items()


def test_a_slow_answer_has_no_failed_phase() -> None:
    slow = replace(GOOD, duration_seconds=5.0)
    report = probe_report(slow, judge(slow, slow_after=SLOW_AFTER))
    assert (report["verdict"], report["cause"], report["phase"]) == ("slow", "slow", None)
    assert report["message"] == "answered in 5.00 s, slower than the limit of 3 s"


def test_the_text_says_all_that_matters() -> None:
    text = text_of(GOOD)
    first, *rest = text.splitlines()
    assert first == "UP  https://shop.example/"
    parts = (
        "250.0 ms in all", "150.0 ms", "200, HTTP/1.1", "12,345 bytes", "TLSv1.3",
        "https://www.shop.example/", "93.184.215.14", "verified, until 1 Jun 2026 12:00 UTC",
        "shop.example, www.shop.example",
    )  # fmt: skip
    for part in parts:
        assert any(part in line for line in rest), part


def test_the_text_of_a_failure_says_where_and_why() -> None:
    text = text_of(BAD)
    assert text.startswith(
        "DOWN  https://shop.example/\n"
        "  connect_refused: 93.184.215.14 port 443 refused the connection\n"
    )
    (failed,) = (line for line in text.splitlines() if "failed here" in line)
    assert failed.split()[1] == "connect"


def test_the_bar_is_to_scale() -> None:
    bar = text_of(GOOD, encoding="ascii").splitlines()[2].split()[0]
    assert bar == "rr" + "c" * 3 + "t" * 8 + "p" * 24 + "x" * 3


@pytest.mark.parametrize(
    ("environment", "is_terminal", "is_coloured"),
    [({}, True, True), ({}, False, False), ({"NO_COLOR": "1"}, True, False),
     ({"NO_COLOR": ""}, True, True)],
)  # fmt: skip
def test_colour(environment: dict[str, str], is_terminal: bool, is_coloured: bool) -> None:
    text = text_of(GOOD, environment=environment, is_terminal=is_terminal)
    assert ("\x1b[" in text) == is_coloured


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ISO8859-1", "ANSI_X3.4-1968"])
def test_an_output_that_cannot_show_blocks_gets_letters(encoding: str) -> None:
    text = text_of(replace(GOOD, title="Ünï"), encoding=encoding)
    assert text.isascii()
    assert "p processing" in text


def test_a_hostile_site_cannot_move_the_cursor() -> None:
    hostile = replace(BAD, message="x\x1b[2Jy", title="a\x07b", url="https://shop.example/\x1b]0;")
    assert "\x1b" not in text_of(hostile)
    assert "\x07" not in text_of(hostile)


def test_warnings_are_told_and_change_no_verdict() -> None:
    warned = replace(GOOD, warnings=("IPv6 fails: 2001:db8::1 gave no\x1b connection",))
    report = probe_report(warned, judge(warned, slow_after=SLOW_AFTER))
    assert report["warnings"] == list(warned.warnings)
    assert report["verdict"] == "up"
    assert text_of(warned).splitlines()[:2] == [
        "UP  https://shop.example/",
        "  warning: IPv6 fails: 2001:db8::1 gave no connection",
    ]
