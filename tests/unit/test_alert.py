"""What bodies of alerts say, and what each message about an episode does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.rules.alert import (
    LONGEST_TEXT,
    MOST_ALERTS,
    Alert,
    AlertStatus,
    NoAlertBody,
    TooManyAlerts,
    read_alerts,
    read_list,
)
from monitor.rules.episode import AlertState, Step, step_of
from monitor.rules.label import fingerprint_of, urgency_of
from tickets.rules.plain_text import several_lines

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DATA = Path(__file__).parents[1] / "integration" / "data" / "alert_payloads.json"
CAPTURED = [
    alert
    for each in json.loads(DATA.read_text(encoding="utf-8"))
    if each["id"].startswith("captured-")
    for alert in each["payload"]["alerts"]
]


def read(alert: dict[str, Any], **body: Any) -> Alert:
    content = json.dumps({"alerts": [alert], **body}).encode()
    return read_alerts(content, clean=several_lines, now=NOW).alerts[0]


@pytest.mark.parametrize("alert", CAPTURED)
def test_a_fingerprint_is_alertmanagers_own(alert: dict[str, Any]) -> None:
    assert fingerprint_of(alert["labels"]) == alert["fingerprint"]
    without = {name: value for name, value in alert.items() if name != "fingerprint"}
    assert read(without).fingerprint == alert["fingerprint"]


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ("2026-11-24T09:59:30.123456789Z", NOW - timedelta(seconds=29.877)),
        ("2026-11-24T17:59:00+08:00", NOW - timedelta(minutes=1)),
        ("2026-11-24 09:59:00.5 +0000 UTC m=+8560.285724134", NOW - timedelta(seconds=59.5)),
        ("2026-11-24T10:59:00Z", NOW + timedelta(minutes=59)),
        ("2026-12-24T10:00:00Z", NOW + timedelta(days=30)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
        (12, None),
        (None, None),
    ],
)
def test_a_start_is_an_instant_or_none(given: object, start: datetime | None) -> None:
    assert read({"labels": {"a": "b"}, "startsAt": given}).starts_at == start


@pytest.mark.parametrize(
    ("alert", "body", "status"),
    [
        ({"status": "resolved"}, {"status": "firing"}, AlertStatus.RESOLVED),
        ({"status": "firing"}, {"status": "resolved"}, AlertStatus.FIRING),
        ({"status": "Firing "}, {}, AlertStatus.FIRING),
        ({}, {"status": "resolved"}, AlertStatus.RESOLVED),
        ({"status": "pending"}, {"status": "resolved"}, AlertStatus.RESOLVED),
        ({"status": 7}, {"status": ["x"]}, AlertStatus.FIRING),
        # Some senders set an end in the future while an alert fires.
        ({"endsAt": "2026-11-24T11:00:00Z"}, {"status": "firing"}, AlertStatus.FIRING),
    ],
)
def test_an_alerts_own_status_counts(
    alert: dict[str, Any], body: dict[str, Any], status: AlertStatus
) -> None:
    assert read({"labels": {"a": "b"}, **alert}, **body).status is status


def test_odd_values_are_text() -> None:
    found = read({"labels": {"n": 5, "yes": True, "none": None, "deep": {"a": [1]}}})
    assert found.labels == {"n": "5", "yes": "true", "none": "", "deep": '{"a": [1]}'}


def test_text_is_bounded_and_control_characters_go() -> None:
    found = read(
        {
            "labels": {"a\0b": "x\u202ey\ud800", **{f"n{n:03}": "v" for n in range(200)}},
            "annotations": {"summary": "y" * 100_000},
        }
    )
    assert found.labels["a\ufffdb"] == "xy\ufffd"
    assert len(found.labels) == 64
    assert len(found.annotations["summary"]) == LONGEST_TEXT


def test_only_web_addresses_are_links() -> None:
    found = read(
        {
            "labels": {"a": "b"},
            "generatorURL": "javascript:alert(1)",
            "dashboardURL": "https://grafana.test/d/1",
            "panelURL": "?orgId=1",
            "silenceURL": "http://a b",
        }
    )
    assert found.links == {"dashboardURL": "https://grafana.test/d/1"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is no JSON"),
        (b"{", "it is no JSON"),
        (b"\xff\xfe", "it is no UTF-8 text"),
        (b"[" * 100_000, "it nests deeper than any body of alerts"),
        (b'{"alerts": [{"labels": {"a": ' + b"1" * 5000 + b"}}]}", "far too long"),
        (b'"text"', "it is no JSON object"),
        (b"[]", "let Alertmanager post here"),
        (b"{}", "it has no list 'alerts'"),
        (b'{"text": "TestAlert"}', "a custom payload must keep"),
        (b'{"alerts": []}', "its list 'alerts' is empty"),
        (b'{"alerts": {}}', "it has no list 'alerts'"),
        (b'{"alerts": [3]}', r"alerts\[0\] is no JSON object"),
        (b'{"alerts": [{"status": "firing"}]}', r"alerts\[0\] has neither labels nor"),
        (b'{"labels": {"a": "b"}}', "it is a single alert"),
        (b'{"ruleId": 7, "state": "alerting"}', "legacy alerting"),
    ],
)
def test_what_is_no_body_of_alerts_is_told_why(content: bytes, says: str) -> None:
    with pytest.raises(NoAlertBody, match=says):
        read_alerts(content, clean=several_lines, now=NOW)


def test_too_many_alerts_are_refused() -> None:
    body = {"alerts": [{"labels": {"a": "b"}}] * (MOST_ALERTS + 1)}
    with pytest.raises(TooManyAlerts, match="10,001 alerts"):
        read_alerts(json.dumps(body).encode(), clean=several_lines, now=NOW)


def test_a_receivers_name_comes_back_as_it_was() -> None:
    content = json.dumps({"receiver": r"web\.hook", "alerts": [{"labels": {"a": "b"}}]}).encode()
    assert read_alerts(content, clean=several_lines, now=NOW).receiver == "web.hook"


def test_a_list_says_who_receives_what() -> None:
    alert = {
        "labels": {"alertname": "A"},
        "receivers": [{"name": "fettle"}, {"name": "mail"}],
        "status": {"state": "active", "mutedBy": ["nights"]},
    }
    [listed] = read_list(json.dumps([alert]).encode(), clean=several_lines, now=NOW)
    assert listed.receivers == {"fettle", "mail"}
    assert listed.is_muted
    assert listed.alert.status is AlertStatus.FIRING


@pytest.mark.parametrize(
    ("word", "priority"),
    [
        ("critical", "critical"),
        (" Critical", "critical"),
        ("PAGE", "critical"),
        ("warning", "normal"),
        ("error", "normal"),
        ("info", "low"),
        ("none", "low"),
        ("sev-7", "normal"),
        ("", "normal"),
    ],
)
def test_a_severity_is_a_priority(word: str, priority: str) -> None:
    assert urgency_of({"severity": word}) == priority


FIRING, RESOLVED = AlertStatus.FIRING, AlertStatus.RESOLVED


@pytest.mark.parametrize(
    ("status", "known", "is_past", "step"),
    [
        # An episode never heard of.
        (FIRING, None, False, Step.BEGIN),
        (RESOLVED, None, False, Step.KEEP),
        # The same, when a newer one of its key is known: it never touches that one.
        (FIRING, None, True, Step.KEEP),
        (RESOLVED, None, True, Step.KEEP),
        # One that fires: sent again, and over.
        (FIRING, AlertState.FIRING, False, Step.NOTHING),
        (RESOLVED, AlertState.FIRING, False, Step.END),
        # One that is over: another node's old word, and the end once more.
        (FIRING, AlertState.RESOLVED, False, Step.NOTHING),
        (RESOLVED, AlertState.RESOLVED, False, Step.NOTHING),
        (FIRING, AlertState.RESOLVED, True, Step.NOTHING),
        # One that a newer one has followed.
        (FIRING, AlertState.SUPERSEDED, True, Step.NOTHING),
        (RESOLVED, AlertState.SUPERSEDED, True, Step.NOTHING),
        # One that was not listed any more, but nobody said that it ended.
        (FIRING, AlertState.GONE, False, Step.COME_BACK),
        (FIRING, AlertState.GONE, True, Step.NOTHING),
        (RESOLVED, AlertState.GONE, False, Step.CONFIRM),
    ],
)
def test_what_a_message_does(
    status: AlertStatus, known: AlertState | None, is_past: bool, step: Step
) -> None:
    assert step_of(status, known=known, is_past=is_past) is step


@pytest.mark.parametrize(
    ("said", "count"), [(7, 7), (-1, 0), (10**9, 10**6), (True, 0), ("3", 0), (None, 0), (2.5, 0)]
)
def test_how_many_alerts_were_left_out_is_a_bounded_count(said: object, count: int) -> None:
    content = json.dumps({"truncatedAlerts": said, "alerts": [{"labels": {"n": "1"}}]}).encode()
    assert read_alerts(content, clean=several_lines, now=NOW).truncated == count


def test_a_long_body_is_taken_in_parts_earlier_starts_first() -> None:
    starts = ["2026-11-24T09:03:00Z", None, "2026-11-24T09:01:00Z", "2026-11-24T09:02:00Z"]
    alerts = [{"labels": {"n": f"{n}"}, "startsAt": start} for n, start in enumerate(starts)]
    content = json.dumps({"truncatedAlerts": 7, "receiver": "us", "alerts": alerts}).encode()
    parts = [*read_alerts(content, clean=several_lines, now=NOW).parts(3)]
    assert [[alert.labels["n"] for alert in part.alerts] for part in parts] == [
        ["2", "3", "0"],
        ["1"],
    ]
    assert [part.truncated for part in parts] == [7, 0]
    assert {part.receiver for part in parts} == {"us"}
