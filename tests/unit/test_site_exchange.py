"""Lists of other programs: what of them becomes settings, what is left out, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.settings import Settings
from monitor.settings.check import check
from monitor.settings.file import dump, parse
from monitor.site_exchange import Imported, fit, read_list
from tickets.errors import Refused

AGENCY = "agency: {name: A, url: 'https://a.example', mail_from: desk@a.example}\n"


def monitor(name: str = "Shop", **changes: Any) -> dict[str, Any]:
    """Return a monitor as Uptime Kuma 1.23 writes one."""
    values: dict[str, Any] = {
        "id": 7, "name": name, "description": None, "pathName": name, "parent": None,
        "childrenIDs": [], "url": "https://shop.example/", "method": "GET", "hostname": None,
        "port": None, "maxretries": 2, "weight": 2000, "active": True, "forceInactive": False,
        "type": "http", "timeout": 9.5, "interval": 60, "retryInterval": 60, "resendInterval": 0,
        "keyword": None, "invertKeyword": False, "expiryNotification": False, "ignoreTls": False,
        "upsideDown": False, "packetSize": 56, "maxredirects": 10,
        "accepted_statuscodes": ["200-299"], "dns_resolve_type": "A", "proxyId": None,
        "notificationIDList": {}, "tags": [], "maintenance": False, "headers": None, "body": None,
        "basic_auth_user": None, "basic_auth_pass": None, "authMethod": None, "jsonPath": None,
        "expectedValue": None, "httpBodyEncoding": "json",
    }  # fmt: skip
    return values | changes


def group(number: int, name: str, parent: int | None = None) -> dict[str, Any]:
    return monitor(name, id=number, type="group", url="https://", parent=parent)


def backup(*monitors: dict[str, Any]) -> str:
    return json.dumps({"version": "1.23.17", "notificationList": [], "monitorList": monitors})


def read(folder: Path, text: str, *, name: str = "list.json") -> Imported:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return fit(read_list(path))


OTHER = monitor("Other", id=8, url="https://other.example/")


def sites_of(imported: Imported) -> list[dict[str, Any]]:
    return [site for client in imported.clients for site in client["sites"]]  # type: ignore[attr-defined]


def reasons(imported: Imported) -> list[str]:
    return [reason for reason, _concerned in imported.left_out]


def check_pasted(imported: Imported, text: str = AGENCY) -> Settings:
    """Check the clients in a configuration, with a password in the place of each."""
    root, faults = parse(text + dump({"clients": imported.clients}), source="", has_lines=True)
    for client in (root.entries or {})["clients"].items or []:
        for site in (client.entries or {})["sites"].items or []:
            credentials = (site.entries or {}).get("basic_auth")
            if credentials is not None and credentials.entries is not None:
                credentials.entries["password"] = type(site)("", scalar="hunter2")
    settings, found = check(root)
    assert (faults, found) == ([], [])
    assert settings is not None
    return settings


def test_a_monitor_becomes_a_site(tmp_path: Path) -> None:
    imported = read(tmp_path, backup(monitor()))
    assert imported.clients == [
        {
            "slug": "imported-sites",
            "name": "Imported sites",
            "sites": [
                {
                    "slug": "shop",
                    "name": "Shop",
                    "url": "https://shop.example/",
                    "interval": "60s",
                    "timeout": "9500ms",
                }
            ],
        }
    ]
    assert (imported.site_count, imported.secrets, reasons(imported)) == (1, [], [])
    check_pasted(imported)


CARRIED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "keyword": ({"type": "keyword", "keyword": " Add to basket "}, {"keyword": " Add to basket "}),
    "keyword inverted": (
        {"type": "keyword", "keyword": "Error: 'x' # y", "invertKeyword": 1},
        {"keyword_absent": "Error: 'x' # y"},
    ),
    "keyword with a hard space": (
        {"type": "keyword", "keyword": "10\u00a0000 Grüße"}, {"keyword": "10\u00a0000 Grüße"},
    ),
    "keyword that YAML would take for nothing": (
        {"type": "keyword", "keyword": "null"}, {"keyword": "null"},
    ),
    "statuses": (
        {"accepted_statuscodes": ["200-299", "401"]}, {"expect_status": ["200-299", "401"]},
    ),
    "HEAD": ({"method": "HEAD"}, {"method": "HEAD"}),
    "interval": ({"interval": 300, "timeout": 48}, {"interval": "300s", "timeout": "48s"}),
    "time-out beyond the interval": (
        {"interval": 20, "timeout": 48}, {"interval": "20s", "timeout": "20s"},
    ),
    "no time-out": ({"timeout": 0}, {}),
    "numbers as text": ({"interval": "120", "timeout": None}, {"interval": "120s"}),
    "IPv6": ({"ipFamily": "ipv6"}, {"ip_family": 6}),
    "a fragment": ({"url": "https://shop.example/a?b=1#c"}, {"url": "https://shop.example/a?b=1"}),
    "a harmless header": (
        {"headers": '{"Accept-Language": "de"}'}, {"headers": {"Accept-Language": "de"}},
    ),
    "an international name": ({"url": "https://bücher.example/"}, {"url": "https://bücher.example/"}),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CARRIED.values(), ids=CARRIED)
def test_what_a_monitor_says_is_carried(
    tmp_path: Path, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    imported = read(tmp_path, backup(monitor(**changes)))
    (site,) = sites_of(imported)
    assert expected.items() <= site.items()
    assert reasons(imported) == []
    check_pasted(imported)


LEFT_OUT: dict[str, tuple[dict[str, Any], str, bool]] = {
    "ping": ({"type": "ping"}, "type 'ping': Fettle probes websites only", False),
    "push": ({"type": "push"}, "waits for a sign of life", False),
    "an unknown type": ({"type": 9}, "type '': Fettle probes websites only", False),
    "paused": ({"active": False}, "it is paused", False),
    "upside down": ({"upsideDown": True}, "upside down", False),
    "POST": ({"method": "POST", "body": "{}"}, "it asks with 'POST'", False),
    "no URL": ({"url": None}, "its url", False),
    "another scheme": ({"url": "ftp://shop.example"}, "must begin with http:// or", False),
    "an address inside": ({"url": "http://10.0.0.1/"}, "probing.allow_networks", False),
    "a query": ({"type": "json-query"}, "its query", True),
    "conditions": ({"conditions": [{"type": "expression"}]}, "its conditions", True),
    "no verification": ({"ignoreTls": True}, "ignoring its certificate", True),
    "a proxy": ({"proxyId": 3}, "its proxy", True),
    "no redirect": ({"maxredirects": 0}, "following no redirect", True),
    "retries": ({"maxretries": 5}, "5 retries before it is down", True),
    "a body": ({"body": '{"a": 1}'}, "its body", True),
    "a bad status": ({"accepted_statuscodes": ["ok"]}, "its expect_status: 'ok' is not", True),
    "a bad header": ({"headers": "nonsense"}, "its headers", True),
    "a header of ours": ({"headers": '{"Host": "x"}'}, "set by the prober itself", True),
    "a short time-out": ({"timeout": 1}, "its timeout: slow_after", True),
    "an interval of weeks": ({"interval": 900_000}, "its interval", True),
    "signing in otherwise": ({"authMethod": "ntlm"}, "signing in by 'ntlm'", True),
    "a client certificate": ({"authMethod": "mtls"}, "its client certificate", True),
    "a pattern by accident": (
        {"type": "keyword", "keyword": "re2:(("}, "would be a pattern here", True,
    ),
    "a keyword for HEAD": (
        {"type": "keyword", "keyword": "x", "method": "HEAD"}, "needs method GET", True,
    ),
    "a tag": ({"tags": [{"name": "prod", "value": ""}]}, "the tag 'prod'", True),
    "a description": ({"description": "Ask Anna"}, "its description", True),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "says", "stays"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_cannot_be_carried_is_named(
    tmp_path: Path, changes: dict[str, Any], says: str, stays: bool
) -> None:
    imported = read(tmp_path, backup(monitor("Odd one", **changes), OTHER))
    assert [site["slug"] for site in sites_of(imported)] == (["odd-one"] if stays else []) + [
        "other"
    ]
    named = {reason: list(concerned) for reason, concerned in imported.left_out}
    (reason,) = (reason for reason in named if says in reason)
    assert named[reason] == ["Odd one"]
    check_pasted(imported)


def test_secrets_are_not_copied_and_have_a_place(tmp_path: Path) -> None:
    imported = read(
        tmp_path,
        backup(
            monitor("A", basic_auth_user="anna", basic_auth_pass="hunter2", authMethod="basic"),
            monitor("B", id=8, headers='{"Authorization": "hunter2", "X-Api-Key": "hunter2"}'),
            monitor("C", id=9, url="https://anna:hunter2@c.example/"),
        ),
    )  # fmt: skip
    assert "hunter2" not in dump({"clients": imported.clients})
    start = "FETTLE_CLIENTS__IMPORTED_SITES__SITES__"
    assert imported.secrets == [
        f"{start}A__BASIC_AUTH__PASSWORD_FILE",
        f"{start}B__HEADERS__AUTHORIZATION_FILE",
        f"{start}B__HEADERS__X_API_KEY_FILE",
        f"{start}C__BASIC_AUTH__PASSWORD_FILE",
    ]
    settings = check_pasted(imported)
    assert settings.clients[0].sites[2].url == "https://c.example/"


def test_groups_and_tags_become_clients(tmp_path: Path) -> None:
    imported = read(
        tmp_path,
        backup(
            group(1, "Harbour Inns"),
            group(2, "Booking", parent=1),
            group(3, "Circle", parent=3),
            monitor("Start", id=10, parent=1, url="https://a.example/"),
            monitor("Rooms", id=11, parent=2, url="https://b.example/"),
            monitor("Round", id=12, parent=3, url="https://c.example/"),
            monitor("Lost", id=13, parent=99, url="https://d.example/"),
            monitor(
                "Tagged", id=14, parent=1, tags=[{"name": "Client", "value": "Wren & Co"}],
                url="https://e.example/",
            ),
        ),
    )  # fmt: skip
    named = {
        client["name"]: [site["name"] for site in client["sites"]]  # type: ignore[attr-defined]
        for client in imported.clients
    }
    assert named == {
        "Harbour Inns": ["Start", "Rooms"],
        "Circle": ["Round"],
        "Imported sites": ["Lost"],
        "Wren & Co": ["Tagged"],
    }
    assert [client["slug"] for client in imported.clients] == [
        "harbour-inns", "circle", "imported-sites", "wren-co",
    ]  # fmt: skip
    check_pasted(imported)


def test_slugs_are_unique(tmp_path: Path) -> None:
    names = ["Shop", "shop!", "SHOP", "Größe", "店", "", "x" * 150, "x" * 150, "shop-2"]
    imported = read(
        tmp_path,
        backup(
            *(monitor(name, id=n, url=f"https://h{n}.example/") for n, name in enumerate(names))
        ),
    )
    slugs = [site["slug"] for site in sites_of(imported)]
    assert len(set(slugs)) == len(names)
    assert slugs[:7] == ["shop", "shop-2", "shop-3", "groe",
                         "h4-example", "h5-example", "x" * 63]  # fmt: skip
    check_pasted(imported)


def test_slugs_keep_clear_of_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "fettle.yml"
    text = AGENCY + (
        "clients:\n- {slug: imported-sites, name: Old, sites: "
        "[{slug: shop, url: 'https://shop.example/'}]}\n"
    )
    config.write_text(text, encoding="utf-8")
    root, _ = parse(text, source="", has_lines=False)
    settings, _ = check(root)
    assert settings is not None
    path = tmp_path / "list.json"
    path.write_text(backup(monitor()), encoding="utf-8")
    imported = fit(read_list(path), beside=settings, config=config)
    assert [client["slug"] for client in imported.clients] == ["imported-sites-2"]
    assert [site["slug"] for site in sites_of(imported)] == ["shop-2"]


def test_the_same_page_twice_is_carried_once(tmp_path: Path) -> None:
    imported = read(tmp_path, backup(monitor("One"), monitor("Two", id=8)))
    assert [site["name"] for site in sites_of(imported)] == ["One"]
    assert any("is watched as one already" in reason for reason in reasons(imported))


FILE_SD: dict[str, tuple[str, dict[str, str], str]] = {
    "a URL": ("https://www.example.com/a", {}, "https://www.example.com/a"),
    "host and port": ("www.example.com:8080", {}, "http://www.example.com:8080"),
    "port 443": ("www.example.com:443", {}, "https://www.example.com:443"),
    "a host": ("www.example.com", {}, "http://www.example.com"),
    "a scheme": ("www.example.com:8443", {"__scheme__": "https"}, "https://www.example.com:8443"),
    "a path": (
        "www.example.com:80",
        {"__metrics_path__": "/health", "__scheme__": "http"},
        "http://www.example.com:80/health",
    ),
    "IPv6": ("[2606:4700::1111]:443", {}, "https://[2606:4700::1111]:443"),
    "behind blackbox_exporter": (
        "blackbox.example:9115",
        {"__param_target": "https://real.example/", "__metrics_path__": "/probe"},
        "https://real.example/",
    ),
}


@pytest.mark.parametrize(("target", "labels", "url"), FILE_SD.values(), ids=FILE_SD)
@pytest.mark.parametrize("name", ["targets.json", "targets.yml"])
def test_a_target_becomes_a_site(
    tmp_path: Path, target: str, labels: dict[str, str], url: str, name: str
) -> None:
    groups = [{"targets": [target], "labels": labels}]
    text = json.dumps(groups) if name.endswith("json") else dump(groups)
    imported = read(tmp_path, text, name=name)
    (site,) = sites_of(imported)
    assert site["url"] == url
    assert reasons(imported) == []
    check_pasted(imported)


def test_labels_of_ours_and_limits_are_carried(tmp_path: Path) -> None:
    labels = {
        "client": "Harbour Inns", "site": "booking", "name": "Booking", "module": "http_2xx",
        "__scrape_interval__": "2m", "__scrape_timeout__": "20s",
    }  # fmt: skip
    imported = read(tmp_path, json.dumps([{"targets": ["https://b.example"], "labels": labels}]))
    (client,) = imported.clients
    assert (client["slug"], client["name"]) == ("harbour-inns", "Harbour Inns")
    assert sites_of(imported) == [
        {
            "slug": "booking",
            "name": "Booking",
            "url": "https://b.example",
            "interval": "2m",
            "timeout": "20s",
        }
    ]


@pytest.mark.parametrize(
    ("target", "labels", "says"),
    [
        ("db.example:5432", {"__param_module": "tcp_connect"}, "'tcp_connect' probes no website"),
        ("https://a.example", {"module": "http_post_2xx"}, "asks with neither GET nor HEAD"),
        ("not a host:80", {}, "neither a URL nor a host"),
        ("a.example:http", {}, "neither a URL nor a host"),
        (17, {}, "neither a URL nor a host"),
        ("https://a.example", {"module": "http_2xx_login"}, "stands in blackbox.yml"),
        ("https://a.example", {"team": "web"}, "the label 'team'"),
        ("https://a.example", {"__param_hostname": "x"}, "put the parameter into the URL"),
    ],
)
def test_targets_that_cannot_be_carried_are_named(
    tmp_path: Path, target: object, labels: dict[str, str], says: str
) -> None:
    imported = read(tmp_path, json.dumps([{"targets": [target], "labels": labels}]))
    assert any(says in reason for reason in reasons(imported))


def test_a_password_in_a_target_is_told_to_nobody(tmp_path: Path) -> None:
    targets = ["https://anna:hunter2@a.example/", "https://anna:hunter2@b.example/#x"]
    imported = read(tmp_path, json.dumps([{"targets": targets}]))
    assert sites_of(imported) == [
        {"slug": "a-example", "url": "https://a.example/", "basic_auth": {"username": "anna"}}
    ]
    assert "hunter2" not in repr([list(imported.left_out), list(imported.assumed)])
    assert imported.secrets == [
        "FETTLE_CLIENTS__IMPORTED_SITES__SITES__A_EXAMPLE__BASIC_AUTH__PASSWORD_FILE"
    ]


def test_an_assumed_scheme_is_told(tmp_path: Path) -> None:
    imported = read(tmp_path, json.dumps([{"targets": ["a.example", "b.example:443"]}]))
    assert [(reason, list(of)) for reason, of in imported.assumed] == [
        ("has no scheme, so it is taken as http", ["a.example"]),
        ("has no scheme, so it is taken as https", ["b.example:443"]),
    ]


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.json", b"", "is not valid JSON"),
    "cut short": ("a.json", b'{"monitorList": [', "is not valid JSON at line 1"),
    "cut short YAML": ("a.yml", b"- targets: [a", "is not valid YAML"),
    "something else": ("a.json", b'{"hello": 1}', "is neither a file_sd list"),
    "a list of texts": ("a.json", b'["https://a.example"]', "is neither a file_sd list"),
    "a page": ("a.html", b"<!doctype html><title>Sign in</title>", "is neither a file_sd list"),
    "binary": ("a.json", bytes(range(256)), "is not UTF-8 text"),
    "deep JSON": ("a.json", b"[" * 200_000, "is nested too deeply"),
    "deep YAML": ("a.yml", b"- " * 100 + b"a", "is nested deeper than"),
    "a huge number": ("a.json", b'{"monitorList": ' + b"9" * 5000 + b"}", "is not valid JSON"),
    "a YAML bomb": ("a.yml", b"- targets: &a [x]\n- targets: *a\n", "aliases"),
    "a tag": ("a.yml", b"- targets: !!python/object/apply:os.system [id]\n", "tags"),
}


@pytest.mark.parametrize(("name", "content", "says"), BROKEN.values(), ids=BROKEN)
def test_a_file_of_no_use_is_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Refused) as caught:
        read_list(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read: is a directory"):
        read_list(tmp_path)


@pytest.mark.parametrize("listed", [None, 7, "x", [None, 3, []], {"1": None}, [{"type": "http"}]])
def test_a_backup_of_nonsense_gives_no_sites(tmp_path: Path, listed: object) -> None:
    imported = read(tmp_path, json.dumps({"monitorList": listed}))
    assert imported.clients == []
