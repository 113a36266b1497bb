"""Settings of the sources of alerts: what is taken, what is refused and where the fault is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.settings.alerts import AlertSourceKind
from tests.unit.test_settings import AGENCY, faults_in, read

TOKEN = "0123456789abcdef"
CLIENT = "clients: [{slug: harbour, name: Harbour Inns}]\n"


def sources(*lines: str) -> str:
    return f"{AGENCY}{CLIENT}alerts:\n  sources:\n" + "".join(f"    - {{{x}}}\n" for x in lines)


def test_a_source_is_read_and_its_token_shown_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    text = sources(
        "name: prometheus, kind: alertmanager, reconcile_url: 'http://127.0.0.1:9093/am/', "
        "receiver: fettle, default_client: harbour",
        f"name: grafana, kind: grafana, hmac_secret: {TOKEN}, hmac_timestamp_header: X-At",
    )
    environ = {"FETTLE_ALERTS__SOURCES__0__TOKEN_FILE": str(path)}
    settings = read(tmp_path, text, environ=environ)
    first, second = settings.alerts.sources
    assert first.token is not None
    assert first.token.get_secret_value() == TOKEN
    assert first.reconcile_url == "http://127.0.0.1:9093/am"
    assert (second.kind, second.hmac_timestamp_header) == (AlertSourceKind.GRAFANA, "x-at")
    assert not first.tell_client
    assert TOKEN not in str(settings.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("name: a, kind: alertmanager", "5: alerts.sources[0]: has no token, so anybody"),
        ("name: a, kind: grafana", "5: alerts.sources[0]: has no token"),
        ("name: a b, kind: grafana", "5: alerts.sources[0].name: 'a b' is not a slug"),
        ("name: a, kind: nagios", "5: alerts.sources[0].kind: 'nagios' is not allowed; write al"),
        (
            "name: a, kind: alertmanager, token: short",
            "5: alerts.sources[0].token: has 5 characters; allowed are 16 to 500",
        ),
        (
            f"name: a, kind: alertmanager, token: '{TOKEN} {TOKEN}'",
            "5: alerts.sources[0].token: must be one word",
        ),
        (
            f"name: a, kind: alertmanager, token: {TOKEN}, hmac_secret: {TOKEN}",
            "5: alerts.sources[0]: has a hmac_secret, but Alertmanager signs nothing",
        ),
        (
            f"name: a, kind: grafana, token: {TOKEN}, hmac_timestamp_header: X-At",
            "5: alerts.sources[0]: has a hmac_timestamp_header, which is of no use",
        ),
        (
            f"name: a, kind: grafana, token: {TOKEN}, reconcile_url: 'http://127.0.0.1/'",
            "5: alerts.sources[0]: has a reconcile_url, which is for",
        ),
        (
            f"name: a, kind: alertmanager, token: {TOKEN}, reconcile_url: 'http://a/api/v2/alerts'",
            "5: alerts.sources[0].reconcile_url: ends in a path of the API",
        ),
        (
            f"name: a, kind: alertmanager, token: {TOKEN}, default_client: moss",
            "5: alerts.sources[0].default_client: moss is no client's slug; allowed are harbour",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, line: str, says: str) -> None:
    [fault] = faults_in(tmp_path, sources(line))
    assert fault.startswith(f"fettle.yml:{says}")


def test_every_source_needs_a_name_of_its_own(tmp_path: Path) -> None:
    line = f"name: a, kind: alertmanager, token: {TOKEN}"
    [fault] = faults_in(tmp_path, sources(line, line))
    assert "6: alerts.sources[1].name: a is the name of an earlier source" in fault


def test_a_token_in_a_file_that_everybody_reads_is_refused(tmp_path: Path) -> None:
    [fault] = faults_in(
        tmp_path, sources(f"name: a, kind: alertmanager, token: {TOKEN}"), mode=0o644
    )
    assert "alerts.sources[0].token: is a secret, and every user of this host" in fault
    assert TOKEN not in fault
