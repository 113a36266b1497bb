"""What ``fettle probe --json`` prints: the contract's object."""

from __future__ import annotations

import json
from dataclasses import replace

from monitor.probe_report import probe_report
from monitor.rules.verdict import judge
from tests.unit.probes import BAD, GOOD, SLOW_AFTER


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


def test_warnings_are_told_and_change_no_verdict() -> None:
    warned = replace(GOOD, warnings=("IPv6 fails: 2001:db8::1 gave no connection",))
    report = probe_report(warned, judge(warned, slow_after=SLOW_AFTER))
    assert report["warnings"] == ["IPv6 fails: 2001:db8::1 gave no connection"]
    assert report["verdict"] == "up"
