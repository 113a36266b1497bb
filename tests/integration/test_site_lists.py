"""``fettle sites import`` and ``export`` with real files and the real check."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clocks import FakeClock
from tests.commands import Ended, call_fettle

AGENCY = """\
agency: {name: Bright Agency, url: "https://agency.test/", mail_from: support@agency.test}
"""
CLIENTS = """\
clients:
  - slug: harbour
    name: Harbour Inns
    contacts: [{name: Anna Wright, email: anna@harbour.test}]
    sites:
      - slug: booking
        url: https://booking.harbour.test/
        interval: 2m
        expect_status: [200-299, 401]
        keyword: Grüße
        headers: {Accept-Language: de, X-Token: hunter2}
        basic_auth: {username: anna, password: hunter2}
        maintenance: [{days: [mon], from: "02:00", to: "03:00"}]
      - {slug: shop, url: "https://shop.test/"}
"""
BACKUP = {
    "version": "1.23.16",
    "monitorList": [
        {"id": 1, "type": "group", "name": "Wren & Co"},
        {"id": 2, "type": "http", "name": "Shop", "url": "https://shop.wren.test/", "parent": 1,
         "interval": 60, "headers": '{"X-Key": "hunter2"}', "notificationIDList": {"1": True}},
        {"id": 3, "type": "keyword", "name": "Blog", "url": "https://blog.wren.test/", "parent": 1,
         "keyword": "Latest\u00a0posts", "interval": 300, "basic_auth_user": "anna",
         "basic_auth_pass": "hunter2", "authMethod": "basic"},
        {"id": 4, "type": "ping", "name": "Router", "hostname": "10.0.0.1"},
    ],
}  # fmt: skip

Call = Callable[..., Ended]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "fettle.yml"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    path = tmp_path / "backup.json"
    path.write_text(json.dumps(BACKUP), encoding="utf-8")
    return path


@pytest.fixture
def fettle(config: Path, clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: object, **environ: str) -> Ended:
        given = {"FETTLE_CONFIG": str(config), **environ}
        return call_fettle(list(map(str, words)), environ=given, clock=clock, capture=capsys)

    return call


def test_what_is_imported_passes_the_check_when_pasted(
    fettle: Call, config: Path, backup: Path, tmp_path: Path
) -> None:
    config.write_text(AGENCY, encoding="utf-8")
    code, out, err = fettle("sites", "import", backup)
    assert code == 1  # not all of it could be carried
    assert "hunter2" not in out + err
    assert "2 sites of 1 client carried" in err
    assert "left out: 'Router': type 'ping'" in err
    assert "left out: notifications" in err
    variables = [line.strip() for line in err.splitlines() if line.startswith("  FETTLE_")]
    start = "FETTLE_CLIENTS__WREN_CO__SITES__"
    assert variables == [
        f"{start}SHOP__HEADERS__X_KEY_FILE",
        f"{start}BLOG__BASIC_AUTH__PASSWORD_FILE",
    ]
    assert config.read_text(encoding="utf-8") == AGENCY
    config.write_text(AGENCY + out, encoding="utf-8")
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")
    secret.chmod(0o600)
    code, _, err = fettle("check-config", config, **dict.fromkeys(variables, str(secret)))
    assert (code, err) == (0, "")
    code, out, err = fettle("check-config", config)  # without its password it is told, not run
    assert code == 1
    assert "clients[0].sites[1].basic_auth.password" in out + err


def test_nothing_is_overwritten(fettle: Call, config: Path, backup: Path, tmp_path: Path) -> None:
    config.write_text(AGENCY, encoding="utf-8")
    code, out, err = fettle("sites", "import", backup, "--out", config)
    assert (code, out) == (2, "")
    assert "is there already, and nothing is overwritten" in err
    assert config.read_text(encoding="utf-8") == AGENCY
    new = tmp_path / "new.yml"
    code, out, err = fettle("sites", "import", backup, "--out", new)
    assert (code, out) == (1, "")
    assert 'keyword: "Latest\\_posts"' in new.read_text(encoding="utf-8")


def test_without_a_configuration_sites_are_imported_all_the_same(
    fettle: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sd.yml").write_text("- targets: [https://a.test/]\n", encoding="utf-8")
    code, out, err = fettle("sites", "import", "sd.yml", FETTLE_CONFIG="")
    assert (code, err) == (0, "1 site of 1 client carried\n")
    assert "url: https://a.test/" in out


def test_import_as_json(fettle: Call, config: Path, backup: Path) -> None:
    config.write_text(AGENCY, encoding="utf-8")
    code, out, _ = fettle("sites", "import", backup, "--json")
    document = json.loads(out)
    assert code == 1
    assert set(document) == {"clients", "secrets", "left_out", "assumed"}
    assert {"why": "type 'ping': Fettle probes websites only", "of": ["Router"]} in document[
        "left_out"
    ]
    assert len(document["secrets"]) == 2


def test_a_file_of_no_use_is_wrong_usage(fettle: Call, config: Path, tmp_path: Path) -> None:
    config.write_text(AGENCY, encoding="utf-8")
    (tmp_path / "page.json").write_text("<title>Sign in</title>\x1b[2J", encoding="utf-8")
    for name in ("page.json", "missing.json"):
        code, out, err = fettle("sites", "import", tmp_path / name)
        assert (code, out) == (2, "")
        assert err.startswith("fettle: ")
        assert err.count("\n") == 1


def test_sites_are_exported_without_secrets(fettle: Call, config: Path) -> None:
    config.write_text(AGENCY + CLIENTS, encoding="utf-8")
    config.chmod(0o600)
    code, out, err = fettle("sites", "export")
    assert code == 0
    assert "hunter2" not in out
    assert "anna@harbour.test" not in out
    assert err.splitlines() == [
        "left out, as it is a secret: clients.harbour.sites.booking.headers.X-Token",
        "left out, as it is a secret: clients.harbour.sites.booking.basic_auth.password",
    ]
    config.write_text(AGENCY + out, encoding="utf-8")
    password = {"FETTLE_CLIENTS__HARBOUR__SITES__BOOKING__BASIC_AUTH__PASSWORD": "hunter2"}
    assert fettle("check-config", config, **password)[0] == 0
    assert fettle("sites", "export", **password)[1] == out


def test_what_is_exported_for_prometheus_is_imported_again(
    fettle: Call, config: Path, tmp_path: Path
) -> None:
    config.write_text(AGENCY + CLIENTS, encoding="utf-8")
    config.chmod(0o600)
    code, out, err = fettle("sites", "export", "--format", "file_sd")
    assert (code, err) == (0, "")
    groups = json.loads(out)
    assert groups == [
        {
            "targets": [f"https://{host}/"],
            "labels": {"client": "harbour", "site": slug, "name": host},
        }
        for slug, host in (("booking", "booking.harbour.test"), ("shop", "shop.test"))
    ]
    listed = tmp_path / "targets.json"
    listed.write_text(out, encoding="utf-8")
    config.write_text(AGENCY, encoding="utf-8")
    code, out, _ = fettle("sites", "import", listed)
    assert code == 0
    config.write_text(AGENCY + out, encoding="utf-8")
    again = json.loads(fettle("sites", "export", "--format", "file_sd")[1])
    assert again == groups
