"""What check-config says of good and of faulty configurations."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config_report import check_config
from monitor.settings.load import load

AGENCY = "agency: {name: Agency, url: 'https://agency.test', mail_from: help@agency.co}\n"
BEFORE_CHRISTMAS = datetime(2026, 12, 22, 16, 30, tzinfo=UTC)


CALENDAR = """\
Support hours of the next seven days (Europe/London)
  Tue 22 Dec 2026  09:00-17:00
  Wed 23 Dec 2026  09:00-17:00
  Thu 24 Dec 2026  closed: Christmas closure
  Fri 25 Dec 2026  closed: Christmas Day
  Sat 26 Dec 2026  closed: Boxing Day
  Sun 27 Dec 2026  closed: Christmas closure
  Mon 28 Dec 2026  closed: Boxing Day (observed)

If a ticket is raised now, Tue 22 Dec 2026 16:30 GMT (support is open until 17:00)
  critical  by Wed 23 Dec 2026 09:30 GMT  (1 h in support hours, met by an acknowledgement)
  normal    by Mon 4 Jan 2027 16:30 GMT  (2 support days, met by a reply)
  low       by Tue 5 Jan 2027 16:30 GMT  (3 support days, met by a reply)"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fettle.yml"


def check(path: Path, text: str, *, now: datetime = BEFORE_CHRISTMAS) -> tuple[int, str]:
    path.write_text(text, encoding="utf-8")
    return check_config(path, environ={}, now=now)


def test_a_good_file_shows_its_calendar_and_deadlines(path: Path):
    code, text = check(path, AGENCY)
    assert code == 0
    assert text.startswith(f"{path} is good: 0 clients, 0 sites, 0 contacts\n\n{CALENDAR}\n\n")


def test_the_documentation_shows_the_same_report():
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert CALENDAR in page.read_text(encoding="utf-8")


def test_the_days_are_those_of_the_agency_s_own_zone(path: Path):
    late = datetime(2026, 3, 9, 23, 30, tzinfo=UTC)
    text = AGENCY.replace("}", ", timezone: Pacific/Auckland}")
    code, report = check(path, text, now=late)
    assert code == 0
    assert "  Tue 10 Mar 2026  09:00-17:00" in report
    assert "Mon 9 Mar" not in report


def test_several_intervals_a_day_are_shown(path: Path):
    hours = 'support: {hours: {tue: ["13:30-17:00", "09:00-12:30"]}}'
    _, report = check(path, AGENCY + hours)
    assert "  Tue 22 Dec 2026  09:00-12:30, 13:30-17:00\n" in report
    assert "  Wed 23 Dec 2026  closed: Wednesday\n" in report


def test_faults_come_one_a_line_with_exit_1(path: Path):
    code, text = check(path, AGENCY + "probing:\n  interval: 60\n  confirm_up: 0\n")
    assert code == 1
    assert text.split("\n") == [
        f"{path}:3: probing.interval: '60' has no unit; write 30s, 5m, 1h, 2d, 1h30m or 500ms",
        f"{path}:4: probing.confirm_up: must be at least 1",
        "2 faults",
    ]


def test_a_calendar_that_never_opens_is_a_fault(path: Path):
    closed = "support: {closures: [{name: Sabbatical, from: 2020-01-01, to: 2040-01-01}]}"
    code, text = check(path, AGENCY + closed)
    assert code == 1
    assert f"{path}: support: " in text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "clients: no site is watched yet"),
        ("", "staff_channels.duty: nobody of the staff is told"),
        ("", "web.base_url: http://127.0.0.1:8080 in a mail leads nowhere but on this host"),
        (
            "clients: [{slug: a, name: A, sites: [{slug: b, url: 'https://b.example'}]}]",
            "clients: nobody at a is told when a site of theirs is down",
        ),
        (
            "clients: [{slug: a, name: A, sites: [{slug: b, url: 'https://b.example'}]}]",
            "probing.canaries: none",
        ),
        (
            "staff_channels: {duty: ['mailto://duty@agency.co']}",
            "staff_channels: mail alone, so nobody is told when no mail can leave",
        ),
    ],
)
def test_what_is_seldom_meant_is_pointed_out(path: Path, text: str, hint: str):
    code, report = check(path, AGENCY + text)
    assert code == 0
    assert hint in report.split("Worth a look")[1]


def test_a_complete_file_has_nothing_to_point_out(path: Path):
    path.touch(mode=0o600)  # it holds the URL of a channel
    code, report = check(
        path,
        AGENCY + "web: {base_url: 'https://desk.agency.co'}\n"
        "probing: {canaries: ['https://a.example/']}\n"
        "staff_channels: {duty: ['mailto://duty@agency.co'], lead: ['ntfy://ntfy.agency.co/lead']}\n"
        "clients:\n"
        "  - {slug: a, name: A, contacts: [{name: Ann, email: ann@a.co}],\n"
        "     sites: [{slug: b, url: 'https://b.example'}]}\n",
    )
    assert code == 0
    assert "is good: 1 client, 1 site, 1 contact\n" in report
    assert "Worth a look" not in report


FULL = (
    AGENCY
    + """
store: {url: "postgresql+psycopg://fettle:geheim@db/fettle"}
support: {holidays: {country: none}, update_every: {critical: 90m}}
probing: {interval: 2m, body_limit: 64KiB, allow_networks: [10.0.0.0/8, "fd00::/8"]}
mail: {host: mail.agency.co, username: fettle, password: geheim}
staff_channels: {duty: ["mailto:duty@agency.co"]}
clients:
  - slug: a
    name: "Ä & Co: #1"
    contacts: [{name: Ann, email: ann@a.co, tickets: false}]
    sites:
      - slug: b
        url: https://b.example/
        interval: 5m
        expect_status: [200, 301-302]
        keyword: "yes"
        headers: {Accept: text/html, Authorization: geheim}
        basic_auth: null
      - slug: c
        url: https://c.example/
        basic_auth: {username: u, password: geheim}
"""
)


def shown(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    code, report = check_config(path, environ={}, now=BEFORE_CHRISTMAS, show=True)
    assert code == 0
    return report


def test_show_hides_every_secret_and_nothing_else(path: Path):
    report = shown(path, FULL)
    assert "geheim" not in report
    assert "url: postgresql+psycopg://fettle:***@db/fettle\n" in report
    assert "Accept: text/html\n" in report
    assert "Authorization: '**********'\n" in report
    assert "username: fettle\n" in report


def test_show_fills_in_what_a_site_takes_from_probing(path: Path):
    site_c = shown(path, FULL).split("slug: c\n")[1]
    assert "interval: 2m\n" in site_c
    assert "timeout: 10s\n" in site_c
    assert "slow_after: 3s\n" in site_c


def test_what_show_prints_is_a_configuration_that_means_the_same(path: Path):
    report = shown(path, FULL)
    path.write_text(report.replace("'**********'", "geheim").replace("***", "geheim"))
    assert check_config(path, environ={}, now=BEFORE_CHRISTMAS, show=True) == (0, report)
    again = load(path, environ={})
    path.write_text(FULL)
    before = load(path, environ={})
    for section in ("agency", "store", "web", "support", "probing", "incidents", "mail"):
        assert getattr(again, section) == getattr(before, section)


def test_a_channel_that_apprise_does_not_know_is_a_fault_with_its_line(path: Path):
    text = AGENCY + "staff_channels:\n  duty: ['mailto:a@b.co']\n  lead: ['slak://geheim/b']\n"
    path.touch(mode=0o600)
    code, report = check(path, text)
    assert code == 1
    fault, count = report.split("\n")
    assert fault.startswith(f"{path}:4: staff_channels.lead[0]: slak is no service that apprise")
    assert "did you mean slack?" in fault
    assert count == "1 fault"
    assert "geheim" not in report
