"""Loading the settings: what is read, what is refused and where the fault is told."""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Mapping
from datetime import date, timedelta
from ipaddress import ip_network
from pathlib import Path

import hypothesis
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.settings import Settings, reference
from monitor.settings.file import MAX_BYTES
from monitor.settings.load import load
from monitor.settings.probing import ProbingSettings
from tickets.errors import Misconfigured
from tickets.rules.escalation import StaffChannel
from tickets.rules.promise import CountedIn, MetBy, ResponseTarget
from tickets.rules.ticket import Priority
from tickets.settings.mail import MailSecurity
from tickets.settings.support import SupportSettings

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "fettle.yml"
AGENCY = "agency: {name: Agency, url: 'https://agency.example', mail_from: help@agency.example}\n"


def read(
    tmp_path: Path,
    text: str,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    mode: int = 0o600,
) -> Settings:
    path = tmp_path / "fettle.yml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return load(path, environ=environ or {}, overrides=overrides or {})


def faults_in(
    tmp_path: Path, text: str, *, environ: Mapping[str, str] | None = None, mode: int = 0o600
) -> list[str]:
    """Return the faults, each without the folder in which the file lies."""
    with pytest.raises(Misconfigured) as caught:
        read(tmp_path, text, environ=environ, mode=mode)
    return [str(fault).removeprefix(f"{tmp_path}{os.sep}") for fault in caught.value.faults]


def site(line: str) -> str:
    """Return a configuration whose seventh line says more about the only site."""
    return (
        f"{AGENCY}probing:\n  interval: 60s\nclients:\n"
        f"  - {{slug: shop, name: Shop, sites: [\n"
        f"    {{slug: home, url: 'https://shop.example/',\n"
        f"    {line}}}]}}\n"
    )


# What ships and what is published


def test_the_shipped_file_says_the_defaults():
    settings = load(SHIPPED, environ={})
    usual = ProbingSettings(canaries=settings.probing.canaries)
    assert settings.probing == usual
    assert settings.support == SupportSettings()
    assert settings == Settings(agency=settings.agency, probing=usual)


def test_what_the_shipped_file_shows_in_comments_is_valid(tmp_path: Path):
    example = re.sub(r"^( +)# (?=[a-z_]+: |  |- )", r"\1", SHIPPED.read_text(), flags=re.MULTILINE)
    example = example.replace("clients: []", "clients:").replace("sources: []", "sources:")
    password = "FETTLE_CLIENTS__EXAMPLE_SHOP__SITES__EXAMPLE_SHOP_CHECKOUT__BASIC_AUTH__PASSWORD"
    environ = {"FETTLE_MAIL__PASSWORD": "one", password: "two"}
    environ["FETTLE_ALERTS__SOURCES__0__TOKEN"] = "0123456789abcdef"
    settings = read(tmp_path, example, environ=environ)
    assert settings.alerts.sources[0].default_client == "example-shop"
    checkout = settings.clients[0].sites[1]
    assert checkout.keyword == "Pay now"
    assert checkout.basic_auth is not None
    assert checkout.basic_auth.password.get_secret_value() == "two"
    assert (settings.mail.port, settings.mail.username) == (587, "fettle")
    assert settings.agency.reply_to == "help@agency.example"


def test_the_published_schema_is_that_of_the_models():
    published = (ROOT / reference.SCHEMA_FILE).read_text(encoding="utf-8")
    assert published == reference.schema_text(), "run python -m monitor.settings.reference"


def test_the_reference_is_that_of_the_models():
    page = (ROOT / reference.REFERENCE_FILE).read_text(encoding="utf-8")
    assert page == reference.with_reference(page), "run python -m monitor.settings.reference"


def test_every_key_is_described():
    schema = reference.json_schema()
    for section in [schema, *schema["$defs"].values()]:
        for key, found in section.get("properties", {}).items():
            assert "description" in found or "$ref" in found, key


def test_defaults_in_the_schema_are_written_as_a_file_would():
    definitions = reference.json_schema()["$defs"]
    probing = definitions["ProbingSettings"]["properties"]
    assert (probing["timeout"]["default"], probing["body_limit"]["default"]) == ("10s", "1MiB")
    assert definitions["SiteSettings"]["properties"]["expect_status"]["default"] == ["200-299"]
    assert definitions["SupportSettings"]["properties"]["update_every"]["default"] == {
        "critical": "1h"
    }


# What is read


def test_defaults_are_those_of_the_contract(tmp_path: Path):
    settings = read(tmp_path, AGENCY)
    assert settings.agency.reply_to == "help@agency.example"
    assert settings.agency.timezone == "Europe/London"
    assert settings.store.url == "sqlite:///data/fettle.db"
    assert (str(settings.web.listen), settings.web.base_url) == (
        "127.0.0.1:8080",
        "http://127.0.0.1:8080",
    )
    assert settings.support.response.targets() == {
        Priority.CRITICAL: ResponseTarget(
            within=timedelta(hours=1),
            counted_in=CountedIn.SUPPORT_HOURS,
            met_by=MetBy.ACKNOWLEDGEMENT,
        ),
        Priority.NORMAL: ResponseTarget(
            within=timedelta(hours=48), counted_in=CountedIn.SUPPORT_DAYS, met_by=MetBy.REPLY
        ),
        Priority.LOW: ResponseTarget(
            within=timedelta(hours=72), counted_in=CountedIn.SUPPORT_DAYS, met_by=MetBy.REPLY
        ),
    }
    assert settings.support.update_every[Priority.CRITICAL] == timedelta(hours=1)
    assert settings.probing.interval == timedelta(seconds=60)
    assert settings.probing.body_limit == 1024 * 1024
    assert settings.incidents.relapse_within == timedelta(minutes=30)
    assert settings.clients == ()


def test_words_mean_what_their_key_says(tmp_path: Path):
    settings = read(
        tmp_path,
        site("keyword: yes, headers: {on: off, X-Number: 0123}")
        + "support:\n  hours: {sat: [10:00-12:00]}\n  holidays: {country: NO}\n",
    )
    found = settings.clients[0].sites[0]
    assert found.keyword == "yes"
    headers = {name: value.get_secret_value() for name, value in found.headers.items()}
    assert headers == {"on": "off", "X-Number": "0123"}
    assert settings.support.hours == {"sat": ("10:00-12:00",)}
    assert (settings.support.holidays.country, settings.support.holidays.subdivision) == (
        "NO",
        None,
    )


def test_a_key_with_nothing_after_it_has_its_default(tmp_path: Path):
    settings = read(tmp_path, AGENCY + "probing:\n  interval:\n  canaries: ~\nclients:\n")
    assert settings == read(tmp_path, AGENCY)


def test_a_priority_may_change_one_part_of_its_target(tmp_path: Path):
    settings = read(tmp_path, AGENCY + "support: {response: {critical: {within: 2h}}}")
    target = settings.support.response.critical.target()
    assert (target.within, target.counted_in) == (timedelta(hours=2), CountedIn.SUPPORT_HOURS)
    assert settings.support.response.low.within == timedelta(hours=72)


def test_a_whole_site_is_read(tmp_path: Path):
    settings = read(
        tmp_path,
        site(
            "interval: 5m, timeout: 20s, slow_after: 1500ms, expect_status: [200, 301-302], "
            "keyword_absent: Fatal error, method: get, basic_auth: {username: u, password: p}"
        ),
    )
    found = settings.clients[0].sites[0]
    assert found.name == "shop.example"
    assert (found.interval, found.timeout) == (timedelta(minutes=5), timedelta(seconds=20))
    assert found.slow_after == timedelta(seconds=1.5)
    assert found.expect_status == ((200, 200), (301, 302))
    assert (found.keyword_absent, found.method) == ("Fatal error", "GET")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", (MailSecurity.NONE, 25)),
        ("127.0.0.1", (MailSecurity.NONE, 25)),
        ("mail.agency.example", (MailSecurity.STARTTLS, 587)),
    ],
)
def test_mail_is_protected_unless_it_stays_on_this_host(
    tmp_path: Path, host: str, expected: tuple[MailSecurity, int]
):
    mail = read(tmp_path, f"{AGENCY}mail: {{host: {host}}}").mail
    assert (mail.security, mail.port) == expected


def test_tls_has_its_own_port(tmp_path: Path):
    assert read(tmp_path, AGENCY + "mail: {host: m.example, security: tls}").mail.port == 465


def test_staff_are_told_by_services_under_keys_that_say_nothing_of_their_urls(tmp_path: Path):
    text = f"{AGENCY}staff_channels: {{duty: ['mailto:a@b.example', 'NTFY://h/geheim']}}"
    channels = read(tmp_path, text).staff_channels
    [(index, service)] = channels.push_services(StaffChannel.DUTY)
    assert (index, service.url.get_secret_value()) == (1, "ntfy://h/geheim")
    assert re.fullmatch("ntfy:[0-9a-f]{12}", service.key)
    assert channels.model_dump(mode="json")["duty"] == ["mailto://a@b.example", "ntfy://***"]


@pytest.mark.parametrize("is_file", [True, False])
def test_a_channel_may_come_from_the_environment_or_a_file(tmp_path: Path, is_file: bool):
    secret = tmp_path / "slack"
    secret.write_text("slack://a/b/c\n")
    secret.chmod(0o600)
    name = "FETTLE_STAFF_CHANNELS__DUTY__0"
    environ = {f"{name}_FILE": str(secret)} if is_file else {name: "slack://a/b/c"}
    channels = read(tmp_path, AGENCY, environ=environ, mode=0o644).staff_channels
    assert [url.get_secret_value() for url in channels.duty] == ["slack://a/b/c"]


def test_a_channel_s_url_in_a_file_for_everybody_is_refused(tmp_path: Path):
    text = AGENCY + "staff_channels: {lead: ['mailto:a@b.example', 'slack://geheim/b/c']}"
    [fault] = faults_in(tmp_path, text, mode=0o644)
    assert ":2: staff_channels.lead[1]: is a secret" in fault
    assert "geheim" not in fault


@pytest.mark.parametrize("spelling", ["mailto:Ann@Agency.example", "mailto://Ann@AGENCY.example"])
def test_staff_are_told_by_mail(tmp_path: Path, spelling: str):
    channels = read(tmp_path, f"{AGENCY}staff_channels: {{duty: ['{spelling}']}}").staff_channels
    assert list(channels.mail_addresses(StaffChannel.DUTY)) == ["Ann@agency.example"]
    assert list(channels.mail_addresses(StaffChannel.LEAD)) == []


# Faults of single keys; line 1 is the agency

STRUCTURE = [
    ("clients: x", "2: clients: must be a list"),
    ("clients:\n  -\n", "3: clients[0]: is empty"),
    ("mail:\n  host: [a]", "3: mail.host: must be a single value, not a list"),
    ("mail:\n  host: {a: b}", "3: mail.host: must be a single value, not a mapping"),
    ("support:\n  hours: x", "3: support.hours: must be a mapping, such as"),
    ("web: {}\nweb: {}", "3: web: is given twice, first on line 2; remove one"),
    ("web:\n\tlisten: x", "3: is not valid YAML: a line is indented with a tab"),
    ("web: a: b", "2: is not valid YAML: a value that contains a colon"),
    ("web: {", "3: is not valid YAML: a [ or { is not closed"),
    ("web: @a", "2: is not valid YAML: a value that begins with @ needs quotes"),
    ("---\na: 1", "2: must be one document"),
    ("store: &a {}\nweb: *a", "3: web: aliases (*name) are not read"),
    ("web: !!python/name:os {}", "2: web: tags (!name) are not read"),
    ("web: {<<: {}}", "2: web.'<<': merge keys are not read"),
    ("web: \x07", "2: contains a control character"),
    ("? [a]\n: b", "2: a key must be a plain word"),
]
UNKNOWN = [
    ("prbing: {}", "2: prbing: is not a key of this version; did you mean probing?"),
    (
        "probing:\n  slow_afer: 2s",
        "3: probing.slow_afer: is not a key of this version; did you mean",
    ),
    (
        "probing:\n  slow_afer: 2s",
        "did you mean slow_after?; allowed here: interval, timeout, slow",
    ),
    ("probing:\n  slow_afer:", "3: probing.slow_afer: is not a key"),
    (
        "incidents: {certificate: {}}",
        "2: incidents.certificate: is not a key of this version; allo",
    ),
    ("alarms: {sources: []}", "2: alarms: is not a key of this version"),
    (
        "support: {hours: {monday: []}}",
        "2: support.hours.monday: 'monday' is not allowed; write mon",
    ),
    ("support: {hours: {monday: []}}", "sat or sun; did you mean mon?"),
]
CHOICES = [
    (
        "incidents:\n  down:\n    priority: high",
        "4: incidents.down.priority: 'high' is not allowed",
    ),
    ("incidents: {down: {priority: high}}", "'high' is not allowed; write critical, normal or low"),
    ("mail: {security: start_tls}", "write starttls, tls or none; did you mean starttls?"),
    ("mail: {security: [tls]}", "2: mail.security: must be starttls, tls or none"),
    ("support: {update_every: {low: 1h}}", "only critical can be set in this version"),
]
VALUES = [
    ("probing: {timeout: 10}", "probing.timeout: '10' has no unit; write 30s, 5m, 1h"),
    ("probing: {timeout: fast}", "'fast' is not a duration; write 30s"),
    ("probing: {timeout: 6m}", "probing.timeout: 6m is not between 100ms and 5m"),
    ("probing: {interval: 1500ms}", "is not a whole number of seconds"),
    ("probing: {interval: 0s}", "probing.interval: 0s is not between 1s and 1d"),
    (
        "probing: {slow_after: 10s}",
        "10s is not less than timeout, 10s: no answer could ever be slow",
    ),
    ("probing: {body_limit: 1MB}", "'1MB' is not a size; write 500B, 64KiB, 1MiB"),
    ("probing: {body_limit: 1GiB}", "1GiB is not between 1KiB and 64MiB"),
    ("probing: {concurrency: many}", "'many' is not a whole number"),
    ("probing: {confirm_down: 0}", "probing.confirm_down: must be at least 1"),
    ("probing: {confirm_down: 101}", "probing.confirm_down: must be at most 100"),
    ("probing: {allow_networks: 10.0.0.0/8}", "must be a list, such as"),
    ("probing: {allow_networks: [10.0.0.1/8]}", "is an address within a network; write 10.0.0.0/8"),
    ("probing: {allow_networks: [lan]}", "allow_networks[0]: 'lan' is not a network"),
    ("probing: {user_agent: ä}", "probing.user_agent: must be plain ASCII"),
    ("web: {listen: 127.0.0.1}", "'127.0.0.1' has no port; write HOST:PORT"),
    ("web: {listen: ':80'}", "web.listen: has no host before the port"),
    ("web: {base_url: 'https://a.example/desk'}", "must not contain a path"),
    ("web: {base_url: 'https://a.example/?desk'}", "must not contain a path"),
    ("web: {listen: '0.0.0.0:80'}", "web.base_url: leads nowhere: listen says every address"),
    ("web: {listen: '[::]:8080'}", "web.base_url: leads nowhere: listen says every address"),
    ("store: {url: mysql://x}", "store.url: must be sqlite:///PATH"),
    ("store: {url: 'sqlite:///'}", "store.url: must be sqlite:///PATH"),
    ("mail: {port: 65536}", "mail.port: must be at most 65535"),
    ("mail: {username: u}", "mail.password: is missing: username is set"),
    ("mail: {password: p}", "mail.password: is set, but username is not"),
    (
        "mail: {host: m.example, security: none, username: u, password: p}",
        "mail.password: would cross the network in the clear",
    ),
    ("staff_channels: {duty: ['duty@a.example']}", "is not the URL of a channel; write mailto"),
    ("staff_channels: {duty: ['slack:/a/b']}", "an apprise URL begins slack://"),
    ("staff_channels: {duty: ['ntfy://a b/c']}", "one line of at most 2000 characters"),
    ("staff_channels: {duty: ['mailto://a:b@c.example']}", "is not one plain mail address"),
]
SUPPORT = [
    ("hours: {mon: ['9 to 5']}", "support.hours.mon[0]: '9 to 5' is no interval"),
    ("hours: {mon: ['17:00-09:00']}", "ends before it begins"),
    ("hours: {mon: ['09:00-12:00', '11:00-17:00']}", "overlap"),
    ("hours: {mon: []}", "support.hours: has no support hours on any day"),
    ("holidays: {country: XX}", "2: support.holidays.country: 'XX' is no country"),
    (
        "holidays: {subdivision: BY}",
        "2: support.holidays.subdivision: 'BY' is no subdivision of GB",
    ),
    ("holidays: {country: none, subdivision: ENG}", "subdivision: is of no use without a country"),
    ("holidays: {country: none, remove: [2026-12-25]}", "remove: has nothing to remove from"),
    ("holidays: {remove: [2026-12-27]}", "remove[0]: 2026-12-27 is no public holiday; those of"),
    ("holidays: {remove: [2026-13-01]}", "is no date in the calendar"),
    ("holidays: {add: [{date: 1 May, name: x}]}", "add[0].date: '1 May' is not a date; write YYYY"),
    (
        "closures: [{name: x, from: 12-24, to: 2027-01-01}]",
        "[0].to: must have the same form as from",
    ),
    ("closures: [{name: x, from: 2026-02-02, to: 2026-02-01}]", "2026-02-01 lies before the first"),
    (
        "closures: [{name: x, from: 02-30, to: 03-01}]",
        "closures[0].from: '02-30' is no date in the",
    ),
    ("closures: [{name: x, from: 1 May, to: 03-01}]", "write MM-DD for every year or YYYY-MM-DD"),
    ("closures: [{name: x, from: 01-01, to: 12-31}]", "leave no day of the year open"),
    (
        "response: {normal: {within: 36h}}",
        "response.normal.within: within must be whole support days",
    ),
    ("response: {low: {within: 0s}}", "response.low.within: 0s is not between 1m and 365d"),
]
CLIENT = [
    ("slug: A B, name: x", "clients[0].slug: 'A B' is not a slug; write 1 to 63 small letters"),
    ('slug: a, name: "x\\ny"', "clients[0].name: must be one line without control characters"),
    (f"slug: a, name: {'x' * 201}", "is 201 characters long; at most 200 are allowed"),
    ("slug: a, name: A, contacts: [{name: x, email: x@y.z, tickets: no}]", "write false"),
    ("slug: a, name: A, contacts: [{name: x, email: x@y.z, tickets: 1}]", "'1' is neither true no"),
    ("slug: a, name: A, contacts: [{name: x}]", "clients[0].contacts[0].email: is missing"),
    (
        "slug: a, name: A, contacts: [{name: x, email: x@y.z}, {name: y, email: X@Y.z}]",
        "clients[0].contacts: X@y.z is listed twice",
    ),
]
SITE = [
    ("timeout: 61s", "timeout: timeout, 1m1s, is longer than interval, 1m; set both on this site"),
    ("interval: 5s", "interval: timeout, 10s, is longer than interval, 5s"),
    ("slow_after: 10s", "slow_after: slow_after, 10s, is not less than timeout, 10s"),
    ("timeout: 2s", "timeout: slow_after, 3s, is not less than timeout, 2s"),
    ("expect_status: [2xx]", "expect_status[0]: '2xx' is not a status; write 200, or 301-302"),
    ("expect_status: [302-301]", "expect_status[0]: 302-301 is the wrong way round; write 301-302"),
    ("expect_status: []", "expect_status: must list at least one status"),
    ("keyword: ' '", "keyword: must be 1 to 1000 characters of text"),
    ("keyword: x, method: HEAD", "keyword: needs method GET: an answer to HEAD has no body"),
    ("keyword_absent: x, method: HEAD", "keyword_absent: needs method GET"),
    ("method: POST", "method: 'POST' is not allowed; write GET or HEAD"),
    ("headers: {Host: x}", "headers.Host: Host is set by the prober itself"),
    ("headers: {'a b': x}", "headers.'a b': 'a b' is not a valid header name"),
    ("headers: {X-A: a, x-a: b}", "headers: sets x-a twice"),
    ('headers: {X-A: "a\\r\\nb"}', "headers.X-A: must be at most 8000 printable ASCII characters"),
    ("basic_auth: {username: u}", "basic_auth.password: is missing"),
    ("basic_auth: {username: 'u:v', password: p}", "basic_auth.username: must not be empty nor"),
    (
        "basic_auth: {username: u, password: p}, headers: {authorization: x}",
        "basic_auth: and a header Authorization exclude each other",
    ),
    ("keyword: 're2:(a'", "keyword: is not a pattern of RE2: missing ): (a"),
    ("keyword: 're2:(a)\\1'", "keyword: is not a pattern of RE2: invalid escape sequence"),
    ("keyword: 're2:'", "keyword: has no pattern after re2:"),
    ("keyword_absent: 're2:(?i)a.{900}'", "keyword_absent: is too large a pattern ("),
    ("keyword: 're2:a', method: HEAD", "keyword: needs method GET"),
    ("ip_family: 5", "ip_family: '5' is not allowed; write 4 or 6"),
    ("resolve: any", "resolve: 'any' is not allowed; write one or all"),
    ("ca_file: ''", "ca_file: must name a file"),
    ("client_certificate: {key_file: k}", "client_certificate.certificate_file: is missing"),
    ("client_certificate: {certificate_file: c}", "client_certificate.key_file: is missing"),
]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        *[(AGENCY + text, f"fettle.yml:{fault}") for text, fault in STRUCTURE],
        *[(AGENCY + text, fault) for text, fault in (*UNKNOWN, *CHOICES, *VALUES)],
        *[(f"{AGENCY}support: {{{text}}}", fault) for text, fault in SUPPORT],
        *[(f"{AGENCY}clients: [{{{text}}}]", fault) for text, fault in CLIENT],
        *[(site(text), f"fettle.yml:7: clients[0].sites[0].{fault}") for text, fault in SITE],
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, text: str, fault: str):
    found = faults_in(tmp_path, text)
    assert len(found) == 1, found
    assert fault in found[0]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://shop.example/", "must begin with http:// or https://"),
        ("shop.example", "must begin with http:// or https://"),
        ("http:///path", "has no host"),
        ("https://ann:geheim@shop.example/", "must not contain a user name or password"),
        ("https://shop.example/#top", "must not contain a fragment"),
        ("https://shop.example:0/", "'0' is not a port; a port is a number from 1 to 65535"),
        ("https://shop.example:65536/", "'65536' is not a port"),
        ("https://shop.example/a b", "must not contain spaces"),
        ("https://shop..example/", "'shop..example' is not a valid host name"),
        ("http://127.1/", "'127.1' is not a valid address: write four decimal numbers"),
        ("http://0x7f000001/", "is not a valid address"),
        ("http://192.168.1.5/", "is not on the public internet (private)"),
        ("http://169.254.169.254/latest/", "is not on the public internet (link-local)"),
        ("http://localhost:8080/", "localhost is not on the public internet (loopback)"),
        ("http://①②⑦.0.0.1/", "127.0.0.1 is not on the public internet (loopback)"),
        ("http://[::1]/", "::1 is not on the public internet (loopback)"),
        (
            "http://[::ffff:10.0.0.1]/",
            "is not on the public internet (an IPv4 address in disguise)",
        ),
    ],
)
def test_a_url_that_cannot_be_watched_is_refused_with_the_reason(
    tmp_path: Path, url: str, reason: str
):
    text = site("method: GET").replace("https://shop.example/", url)
    found = faults_in(tmp_path, text)
    assert len(found) == 1, found
    assert found[0].startswith("fettle.yml:6: clients[0].sites[0].url: ")
    assert reason in found[0]
    assert "geheim" not in found[0]


def test_a_private_address_may_be_watched_when_its_network_is_allowed(tmp_path: Path):
    text = site("method: GET").replace("https://shop.example/", "http://192.168.1.5/")
    text = text.replace("  interval: 60s\n", "  allow_networks: [192.168.0.0/16]\n")
    settings = read(tmp_path, text)
    assert settings.probing.allow_networks == (ip_network("192.168.0.0/16"),)


def test_a_canary_is_held_to_the_same_addresses(tmp_path: Path):
    found = faults_in(tmp_path, AGENCY + "probing: {canaries: ['http://10.0.0.1/']}")
    assert "probing.canaries[0]: 10.0.0.1 is not on the public internet" in found[0]


def test_a_default_that_no_longer_fits_is_told_as_such(tmp_path: Path):
    found = faults_in(tmp_path, AGENCY + "probing:\n  interval: 5s\n")
    reason = "10s is longer than interval, 5s (it is not set, so its default counts)"
    assert found == [f"fettle.yml:2: probing.timeout: {reason}"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "fettle.yml: agency: is missing"),
        ("# nothing yet\n", "fettle.yml: agency: is missing"),
        ("- a", "fettle.yml: must be a mapping of sections"),
        ("agency: x", "fettle.yml:1: agency: must be a mapping with the keys name, url"),
        (
            "agency:\n  url: https://a.example\n  mail_from: a@b.example",
            "1: agency.name: is missing",
        ),
        (
            "agency:\n  url: https://a.example\n  mail_from: a@b.example\n  name:\n",
            "fettle.yml:4: agency.name: is missing. The agency's name, as clients know it.",
        ),
        (AGENCY.replace("}", ", timezone: Europe/Londn}"), "did you mean Europe/London?"),
        (
            AGENCY.replace("}", ", timezone: ../etc}"),
            "agency.timezone: '../etc' is not a time zone",
        ),
        (
            AGENCY.replace("}", ", timezone: Europe}"),
            "agency.timezone: 'Europe' is not a time zone",
        ),
        (AGENCY.replace("}", ", timezone: localtime}"), "'localtime' is not a time zone"),
        (
            AGENCY.replace("}", ", language: de}"),
            "agency.language: 'de' is not allowed; write en-GB",
        ),
        (
            AGENCY.replace("help@", "Help <help@"),
            "agency.mail_from: 'Help <help@agency.example' is",
        ),
    ],
)
def test_a_fault_in_the_agency_is_told(tmp_path: Path, text: str, fault: str):
    found = faults_in(tmp_path, text)
    assert len(found) == 1, found
    assert fault in found[0]


# All faults at once


def test_every_fault_is_told_in_the_order_of_the_file(tmp_path: Path):
    text = (
        "agency:\n"  # 1
        "  name: ''\n"
        "  url: agency.example\n"
        "probing:\n"  # 4
        "  confirm_down: none\n"
        "clients:\n"  # 6
        "  - slug: shop\n"
        "    name: ''\n"
        "    sites:\n"
        "      - {slug: home, url: 'http://10.0.0.1/'}\n"  # 10
        "      - {slug: home, url: nonsense}\n"
        "  - {slug: shop, name: Other, extra: 1}\n"
    )
    found = faults_in(tmp_path, text, environ={"FETTLE_MAIL__PORT": "x"})
    assert [re.sub(r"( .*?:) .*", r"\1", fault) for fault in found] == [
        "fettle.yml:1: agency.mail_from:",
        "fettle.yml:2: agency.name:",
        "fettle.yml:3: agency.url:",
        "fettle.yml:5: probing.confirm_down:",
        "fettle.yml:8: clients[0].name:",
        "fettle.yml:10: clients[0].sites[0].url:",
        "fettle.yml:11: clients[0].sites[1].url:",
        "fettle.yml:11: clients[0].sites[1].slug:",
        "fettle.yml:12: clients[1].extra:",
        "fettle.yml:12: clients[1].slug:",
        "environment variable FETTLE_MAIL__PORT:",
    ]


def test_what_follows_from_a_fault_is_not_told_as_another(tmp_path: Path):
    text = site("interval: 20s, timeout: 15s, slow_after: never")
    text = text.replace("interval: 60s", "interval: 1 minute\n  timeout: 30s")
    keys = [fault.split(": ")[1] for fault in faults_in(tmp_path, text)]
    assert keys == ["probing.interval", "clients[0].sites[0].slow_after"]


def test_a_slug_is_an_identity_over_all_clients(tmp_path: Path):
    text = (
        AGENCY + "clients:\n"
        "  - {slug: a, name: A, sites: [{slug: home, url: 'https://a.example'}]}\n"
        "  - {slug: b, name: B, sites: [{slug: home, url: 'https://b.example'}]}\n"
        "  - {slug: a, name: C}\n"
    )
    found = faults_in(tmp_path, text)
    assert [fault.split(": ")[:2] for fault in found] == [
        ["fettle.yml:4", "clients[1].sites[0].slug"],
        ["fettle.yml:5", "clients[2].slug"],
    ]


def test_one_page_is_not_watched_twice_for_the_same_thing(tmp_path: Path):
    text = (
        AGENCY + "clients:\n  - slug: a\n    name: A\n    sites:\n"
        "      - {slug: one, url: 'https://A.example'}\n"
        "      - {slug: two, url: 'https://a.example:443/'}\n"
        "      - {slug: three, url: 'https://a.example/', keyword: Welcome}\n"
        "  - {slug: b, name: B, sites: [{slug: four, url: 'https://a.example/'}]}\n"
    )
    found = faults_in(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith("fettle.yml:7: clients[0].sites[1].url: is watched as one already")


# What cannot be read at all


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"none\.yml: cannot be read: no such file"):
        load(tmp_path / "none.yml", environ={})


def test_text_in_another_encoding_is_told_with_its_line(tmp_path: Path):
    path = tmp_path / "fettle.yml"
    path.write_bytes(b"# one\nagency: {name: \xe9}\n")
    with pytest.raises(Misconfigured, match=r"fettle\.yml:2: is not UTF-8 text"):
        load(path, environ={})


@pytest.mark.parametrize(
    "bomb",
    [
        "x" * (MAX_BYTES + 1),
        "[" * 1_000_000,
        "{a: " * 1_000_000,
        "- " * 1_000_000,
        "? " * 1_000_000,
        "- a\n" * 1_000_000,
        "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
        "a: &a [*a]\n",
        "k" * 1_000_000 + ": 1\n",
        "agency: {timezone: " + "9" * 1_000_000 + "}",
        "probing: {interval: " + "1s" * 500_000 + "}",
        "probing: {concurrency: " + "9" * 1_000_000 + "}",
        "agency: {mail_from: " + "a." * 500_000 + "@b}",
    ],
    ids=lambda bomb: f"{bomb[:24]!r}",
)
def test_a_bomb_is_refused(tmp_path: Path, bomb: str):
    found = faults_in(tmp_path, bomb)
    assert all(len(fault) < 1000 for fault in found)


def _mutations(node: object) -> st.SearchStrategy[object]:
    """Return documents like ``node`` in which anything may be lost, doubled or something else."""
    odd = st.sampled_from(
        [None, "", "x", "1s", "-1", "yes", [], {}, [[]], ["x"], {"x": "y"}, "a@b.example", "12-24"]
    )
    if isinstance(node, dict):
        kept = {key: _mutations(value) for key, value in node.items()}
        extra = st.dictionaries(st.sampled_from(["x", "from", "slug", "mon", "<<", "a.b"]), odd)
        same = st.fixed_dictionaries({}, optional=kept)
        return st.one_of(same, same, st.builds(lambda a, b: {**a, **b}, same, extra), odd)
    if isinstance(node, list):
        items = st.lists(st.one_of(*[_mutations(item) for item in node], odd), max_size=4)
        return st.one_of(items, items, odd)
    return st.one_of(st.just(node), st.just(node), odd)


EXAMPLE = yaml.safe_load(SHIPPED.read_text(encoding="utf-8")) | {
    "clients": [
        {
            "slug": "shop",
            "name": "Shop",
            "contacts": [{"name": "Ann", "email": "ann@shop.example", "tickets": False}],
            "sites": [
                {
                    "slug": "home",
                    "url": "http://10.0.0.1/",
                    "interval": "30s",
                    "timeout": "5s",
                    "expect_status": [200, "301-302"],
                    "headers": {"X-Probe": "x"},
                    "basic_auth": {"username": "u", "password": "p"},
                }
            ],
        }
    ]
}


@given(document=_mutations(EXAMPLE))
@hypothesis.settings(
    max_examples=40,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)
def test_whatever_a_file_holds_it_is_read_or_its_faults_are_told(tmp_path: Path, document: object):
    text = yaml.safe_dump(document, sort_keys=False)
    try:
        read(tmp_path, text)
    except Misconfigured as error:
        lines = text.count("\n") + 1
        for fault in error.faults:
            assert fault.message.isprintable()
            assert fault.line is None or 1 <= fault.line <= lines


# The environment and the command line


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path):
    text = AGENCY + "web: {listen: '127.0.0.1:1'}\nmail: {host: a.example, port: 1}"
    environ = {"FETTLE_WEB__LISTEN": "127.0.0.1:2", "FETTLE_MAIL__PORT": "2"}
    settings = read(tmp_path, text, environ=environ, overrides={"web.listen": "127.0.0.1:3"})
    assert settings.web.listen.port == 3
    assert (settings.mail.host, settings.mail.port) == ("a.example", 2)


def test_a_flag_that_is_not_given_changes_nothing(tmp_path: Path):
    text = AGENCY + "web: {listen: '127.0.0.1:1'}"
    assert read(tmp_path, text, overrides={"web.listen": None}).web.listen.port == 1


def test_a_fault_in_a_flag_names_the_command_line(tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"^command line: web\.listen: 'x' has no port"):
        read(tmp_path, AGENCY, overrides={"web.listen": "x"})


def test_what_is_set_below_a_section_at_fault_leaves_its_fault(tmp_path: Path):
    (tmp_path / "fettle.yml").write_text(AGENCY + "web: x\nmail: [y]\n", encoding="utf-8")
    with pytest.raises(Misconfigured) as caught:
        load(
            tmp_path / "fettle.yml",
            environ={"FETTLE_MAIL__HOST": "m.example"},
            overrides={"web.listen": "127.0.0.1:1"},
        )
    assert [fault.key for fault in caught.value.faults] == ["web", "mail"]


def test_variables_reach_every_kind_of_key(tmp_path: Path):
    text = site("method: GET")
    settings = read(
        tmp_path,
        text,
        environ={
            "FETTLE_PROBING__ALLOW_NETWORKS": "10.0.0.0/8, 192.168.0.0/16",
            "FETTLE_PROBING__CANARIES": "['https://a.example/']",
            "FETTLE_SUPPORT__HOURS__SAT": "10:00-12:00",
            "FETTLE_SUPPORT__CLOSURES__0__NAME": "Summer",
            "FETTLE_SUPPORT__CLOSURES__0__FROM": "08-01",
            "FETTLE_SUPPORT__CLOSURES__0__TO": "08-14",
            "FETTLE_CLIENTS__SHOP__NAME": "The Shop: #1 [yes]",
            "FETTLE_CLIENTS__SHOP__SITES__HOME__HEADERS__X_API_KEY": "k",
            "FETTLE_INCIDENTS": "{down: {priority: low}}",
        },
    )
    assert settings.probing.allow_networks == (
        ip_network("10.0.0.0/8"),
        ip_network("192.168.0.0/16"),
    )
    assert settings.probing.canaries == ("https://a.example/",)
    assert settings.support.hours == {"sat": ("10:00-12:00",)}
    assert [closure.name for closure in settings.support.closures] == ["Summer"]
    assert settings.clients[0].name == "The Shop: #1 [yes]"
    assert list(settings.clients[0].sites[0].headers) == ["x-api-key"]
    assert settings.incidents.down.priority is Priority.LOW


def test_an_empty_variable_counts_as_not_set(tmp_path: Path):
    settings = read(tmp_path, AGENCY, environ={"FETTLE_MAIL__USERNAME": ""})
    assert settings.mail.username is None


def test_what_an_orchestrator_sets_is_left_alone(tmp_path: Path):
    environ = {"FETTLE_PORT": "tcp://10.0.0.1:80", "FETTLE_CONFIG": "x", "FETTLE_SERVICE_HOST": "y"}
    assert read(tmp_path, AGENCY, environ=environ) == read(tmp_path, AGENCY)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("MAIL__PASSWROD", "geheim", "means no setting: 'passwrod' is not one of host, security"),
        ("MAIL__PASSWROD", "geheim", "did you mean password?"),
        ("MAIL__HOST__X", "geheim", "means no setting: nothing stands below the value before 'X'"),
        ("CLIENTS__OTHER__NAME", "geheim", "there is no slug 'other' here, only shop"),
        ("CLIENTS__0__NAME", "geheim", "there is no slug '0' here, only shop"),
        ("SUPPORT__CLOSURES__1__TO", "x", "'1' is not the number of an item; the list has 0"),
        ("MAIL__PORT", "x", "mail.port: 'x' is not a whole number"),
        ("MAIL", "[", "is not valid YAML"),
        ("MAIL__PASSWORD_FILE", "/nowhere", "names '/nowhere', which cannot be read: no such file"),
    ],
)
def test_a_variable_at_fault_is_named(tmp_path: Path, name: str, value: str, fault: str):
    found = faults_in(tmp_path, site("method: GET"), environ={f"FETTLE_{name}": value})
    assert len(found) == 1, found
    assert found[0].startswith(f"environment variable FETTLE_{name}: ")
    assert fault in found[0]
    assert "geheim" not in found[0]


# Secrets


def secret_file(tmp_path: Path, *, content: bytes = b"geheim\n", mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"geheim\n", "geheim"), (b"geheim\r\n", "geheim"), (b" #ge: heim ", " #ge: heim ")],
)
def test_a_secret_comes_from_a_file(tmp_path: Path, content: bytes, password: str):
    path = secret_file(tmp_path, content=content)
    environ = {"FETTLE_MAIL__USERNAME": "fettle", "FETTLE_MAIL__PASSWORD_FILE": str(path)}
    mail = read(tmp_path, AGENCY, environ=environ).mail
    assert mail.password is not None
    assert mail.password.get_secret_value() == password


def test_a_site_finds_its_own_password_by_its_slug(tmp_path: Path):
    text = (
        AGENCY + "clients:\n  - slug: big-shop\n    name: A\n    sites:\n"
        "      - {slug: first, url: 'https://a.example'}\n"
        "      - {slug: pre-view, url: 'https://b.example', basic_auth: {username: u}}\n"
    )
    name = "FETTLE_CLIENTS__BIG_SHOP__SITES__PRE_VIEW__BASIC_AUTH__PASSWORD_FILE"
    settings = read(tmp_path, text, environ={name: str(secret_file(tmp_path))})
    credentials = settings.clients[0].sites[1].basic_auth
    assert credentials is not None
    assert credentials.password.get_secret_value() == "geheim"


@pytest.mark.parametrize(
    ("content", "mode", "fault"),
    [
        (b"geheim", 0o644, "which every user of this host can read; run chmod o-r on it"),
        (b"geheim" * 20_000, 0o600, "which is larger than 65,536 bytes"),
        (b"\xff", 0o600, "which is not UTF-8 text"),
    ],
)
def test_a_secret_file_at_fault_is_refused(tmp_path: Path, content: bytes, mode: int, fault: str):
    path = secret_file(tmp_path, content=content, mode=mode)
    environ = {"FETTLE_MAIL__USERNAME": "u", "FETTLE_MAIL__PASSWORD_FILE": str(path)}
    found = faults_in(tmp_path, AGENCY, environ=environ)
    assert any(fault in each for each in found), found
    assert "geheim" not in str(found)


def test_a_value_and_a_file_for_it_exclude_each_other(tmp_path: Path):
    path = secret_file(tmp_path)
    environ = {
        "FETTLE_MAIL__USERNAME": "u",
        "FETTLE_MAIL__PASSWORD": "geheim",
        "FETTLE_MAIL__PASSWORD_FILE": str(path),
    }
    found = faults_in(tmp_path, AGENCY, environ=environ)
    place = "environment variable FETTLE_MAIL__PASSWORD_FILE"
    assert found == [f"{place}: sets the same as FETTLE_MAIL__PASSWORD; set one of the two"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (AGENCY + "mail: {username: u, password: geheim}", "mail.password"),
        (AGENCY + "store: {url: 'postgresql+psycopg://u:geheim@h/d'}", "store.url"),
        (site("basic_auth: {username: u, password: geheim}"), "basic_auth.password"),
        (site("headers: {Authorization: geheim}"), "headers.Authorization"),
    ],
)
def test_a_secret_in_a_file_for_everybody_is_refused(tmp_path: Path, text: str, key: str):
    read(tmp_path, text)
    found = faults_in(tmp_path, text, mode=0o644)
    assert len(found) == 1, found
    assert f"{key}: is a secret, and every user of this host can read this file" in found[0]
    assert "geheim" not in found[0]


@pytest.mark.parametrize(
    "text", [site("headers: {Accept-Language: en}"), AGENCY + "store: {url: 'sqlite:///a.db'}"]
)
def test_a_file_without_secrets_may_be_for_everybody(tmp_path: Path, text: str):
    assert read(tmp_path, text, mode=0o644)


def test_no_secret_shows_in_the_settings_as_text(tmp_path: Path):
    settings = read(
        tmp_path,
        site("basic_auth: {username: u, password: geheim}, headers: {X-Key: geheim}")
        + "mail: {username: u, password: geheim}\n"
        + "store: {url: 'postgresql+psycopg://u:geheim@h/d'}\n"
        + "staff_channels: {duty: ['slack://geheim']}\n",
    )
    assert "geheim" not in repr(settings) + str(settings)
    assert "geheim" in settings.store.url


def test_no_fault_repeats_a_secret(tmp_path: Path):
    text = (
        site('basic_auth: {username: "u:geheim", password: "geheim\\n"}, headers: {X: "geheim\\n"}')
        + "mail: {host: m.example, security: none, username: u, password: geheim}\n"
        + "store: {url: 'postgres://u:geheim@h/d'}\n"
        + "staff_channels: {duty: ['slack://geheim']}\n"
    )
    found = faults_in(tmp_path, text, mode=0o644)
    assert len(found) > 8
    assert "geheim" not in str(found)


def test_settings_travel_to_another_process(tmp_path: Path):
    settings = read(tmp_path, site("basic_auth: {username: u, password: p}"))
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 (our own)


def test_settings_cannot_be_changed(tmp_path: Path):
    settings = read(tmp_path, AGENCY)
    with pytest.raises(ValueError, match="frozen"):
        settings.probing.confirm_down = 1


def test_the_schema_accepts_what_an_editor_sees():
    """The published schema names every key of the shipped file, at its place."""
    schema = json.loads((ROOT / reference.SCHEMA_FILE).read_text(encoding="utf-8"))

    def unknown(value: object, part: dict[str, object]) -> list[str]:
        name = str(part.get("$ref", "")).rpartition("/")[2]
        part = schema["$defs"][name] if name else part
        properties = part.get("properties")
        if not isinstance(value, dict) or not isinstance(properties, dict):
            return []
        return [key for key in value if key not in properties] + [
            each
            for key in value
            if key in properties
            for each in unknown(value[key], properties[key])
        ]

    assert unknown(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")), schema) == []


def test_dates_are_dates(tmp_path: Path):
    settings = read(
        tmp_path,
        AGENCY + "support: {holidays: {add: [{date: 2026-06-15, name: Day of mourning}], "
        "remove: [2026-05-04]}}",
    )
    holidays = settings.support.holidays
    assert (holidays.add[0].date, holidays.remove) == (date(2026, 6, 15), (date(2026, 5, 4),))
