"""The compose file, the image and what they mount: pinned, unprivileged, bounded, on loopback."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus import real

ROOT = Path(__file__).parents[2]
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

LOOSE_TAGS = {"latest", "main", "edge", "stable", "nightly"}

each_service = pytest.mark.parametrize("name", SERVICES)


def test_it_has_every_part_and_the_optional_ones_only_by_profile() -> None:
    assert set(SERVICES) == {
        "fettle",
        "prometheus",
        "alertmanager",
        "grafana",
        "postgres",
        "mailpit",
    }
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}
    assert {name: found for name, found in profiles.items() if found} == {
        "postgres": ["postgres"],
        "mailpit": ["demo"],
    }


@each_service
def test_a_service_is_pinned_to_a_release(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert tag not in LOOSE_TAGS
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?", tag), tag


@each_service
def test_a_service_has_no_privileges(name: str) -> None:
    service = SERVICES[name]
    user, _, group = service["user"].partition(":")
    assert user.isdecimal()
    assert group.isdecimal()
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert any(mount.partition(":")[0] == "/tmp" for mount in service["tmpfs"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    for forbidden in ("privileged", "cap_add", "network_mode", "pid", "ipc", "devices"):
        assert forbidden not in service


@each_service
def test_a_service_is_bounded_and_stops_in_order(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["pids_limit"] <= 1000
    assert service["logging"]["options"].keys() >= {"max-size", "max-file"}
    assert service["init"] is True
    assert int(service["stop_grace_period"].removesuffix("s")) > 10  # a stop may take that long
    assert service["restart"] == "unless-stopped"


@each_service
def test_a_service_is_asked_whether_it_is_well(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"  # no shell, which an image may lack
    assert check.keys() >= {"interval", "timeout", "retries", "start_period"}


def test_who_needs_another_waits_until_it_is_well() -> None:
    needed = {
        (name, other): how["condition"]
        for name, service in SERVICES.items()
        for other, how in service.get("depends_on", {}).items()
    }
    assert set(needed.values()) == {"service_healthy"}
    assert {("prometheus", "fettle"), ("grafana", "prometheus"), ("fettle", "postgres")} <= set(
        needed
    )
    by_profile = {name for name, service in SERVICES.items() if "profiles" in service}
    for name, other in needed:
        if other in by_profile:  # else the usual start would fail for want of it
            assert SERVICES[name]["depends_on"][other]["required"] is False


@each_service
def test_a_service_is_published_on_loopback_only(name: str) -> None:
    for published in SERVICES[name].get("ports", []):
        address, _, _ = published.partition(":")
        assert ip_address(address).is_loopback, published


@each_service
def test_a_service_gets_secrets_as_files(name: str) -> None:
    service = SERVICES[name]
    used = set(service.get("secrets", []))
    assert used <= set(COMPOSE["secrets"])
    for variable, value in service.get("environment", {}).items():
        if re.search("PASSWORD|TOKEN|SECRET|CREDENTIAL", variable) and "GRAVATAR" not in variable:
            assert variable.endswith("_FILE"), variable
            assert value.startswith(("/run/secrets/", "${")), variable
            secret = value.removeprefix("/run/secrets/")
            assert secret in used or value.startswith("${"), variable
    for variable in service.get("environment", {}):
        assert "PASSWORD=" not in variable
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


@each_service
def test_a_service_keeps_what_it_keeps_in_named_volumes_and_reads_what_is_there(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source, _target, *mode = mount.split(":")
        if source.startswith("./"):
            assert mode == ["ro"], mount
            assert (ROOT / source).exists(), mount
        else:
            assert source in COMPOSE["volumes"], mount


def test_a_configuration_that_an_editor_replaced_is_seen_by_a_reload() -> None:
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["fettle"]["volumes"])
    assert mounts["./config"] == "/etc/fettle"  # a file that is mounted alone stays the old one
    assert SERVICES["fettle"]["environment"]["FETTLE_CONFIG"] == "/etc/fettle/fettle.yml"


def test_the_settings_that_it_gives_are_settings() -> None:
    from monitor.settings.load import load

    given = SERVICES["fettle"]["environment"]
    environ = {
        name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)
        for name, value in given.items()
        if not name.endswith("_FILE")
    }
    environ |= {f"FETTLE_ALERTS__SOURCES__{n}__TOKEN": "x" * 40 for n in range(2)}
    settings = load(ROOT / "config" / "fettle.yml", environ=environ)
    assert str(settings.web.listen) == "0.0.0.0:8080"
    assert [source.name for source in settings.alerts.sources] == ["prometheus", "grafana"]


def test_the_files_for_containers_differ_in_addresses_and_places_only() -> None:
    def content(file: str) -> str:
        text = (ROOT / "config" / file).read_text()
        return text[text.index("route:") :]

    ours = content("alertmanager.yml")
    ours = ours.replace("http://127.0.0.1:8080/", "http://fettle:8080/")
    ours = ours.replace("credentials_file: secrets/", "credentials_file: /run/secrets/")
    assert content("compose/alertmanager.yml") == ours
    for file in (ROOT / "config" / "targets").iterdir():
        [here] = yaml.safe_load(file.read_text())
        [there] = yaml.safe_load((ROOT / "config" / "compose" / "targets" / file.name).read_text())
        assert there["targets"] == [
            target.replace("127.0.0.1", file.stem) for target in here["targets"]
        ]


def test_alertmanager_takes_its_file() -> None:
    file = str(ROOT / "config" / "compose" / "alertmanager.yml")
    checked = subprocess.run(
        [real("amtool"), "check-config", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def provisioned() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in sorted((ROOT / "config" / "grafana" / "provisioning").rglob("*.yml")):
        yield file.parent.name, yaml.safe_load(file.read_text())


def test_grafana_finds_data_dashboards_and_fettle() -> None:
    kinds = dict(provisioned())
    assert {kind: document["apiVersion"] for kind, document in kinds.items()} == {
        "datasources": 1,
        "dashboards": 1,
        "alerting": 1,
    }
    sources = {source["uid"]: source for source in kinds["datasources"]["datasources"]}
    assert sources["prometheus"]["url"] == "http://prometheus:9090"
    [provider] = kinds["dashboards"]["providers"]
    mounts = [mount.split(":") for mount in SERVICES["grafana"]["volumes"]]
    [source] = [here for here, there, *_ in mounts if there == provider["options"]["path"]]
    assert list((ROOT / source).glob("*.json"))
    [point] = kinds["alerting"]["contactPoints"]
    [receiver] = point["receivers"]
    assert receiver["settings"]["url"] == "http://fettle:8080/api/v1/alerts/grafana"
    assert "secrets/alert_token" in receiver["settings"]["authorization_credentials"]


STAGES = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_the_image_is_made_in_two_stages_from_what_the_lock_names() -> None:
    build, last = STAGES
    for stage in (build, last):
        assert re.match(r"python:3\.\d+\.\d+-slim-[a-z]+\b", stage), stage[:40]
    assert "--require-hashes --requirement requirements.lock" in build
    assert "PIP_NO_INDEX=1" in build
    assert "index-url" not in DOCKERFILE
    assert "apt-get" not in DOCKERFILE
    assert "pip install" not in last
    assert "COPY --from=build" in last


def test_the_image_runs_as_itself_and_tells_how_it_is() -> None:
    last = STAGES[-1]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    user = re.search(r"^USER (\S+)$", last, re.MULTILINE)
    assert user is not None
    assert user[1] == SERVICES["fettle"]["user"]
    assert last.index("USER ") < last.index("ENTRYPOINT")
    check = re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", last, re.MULTILINE)
    assert check is not None
    assert ast.literal_eval(check[1]) == ["fettle", "healthcheck"]
    assert 'VOLUME ["/data"]' in last
    for label in ("title", "description", "version", "licenses"):
        assert f"org.opencontainers.image.{label}=" in last
    assert f'image.version="{VERSION}"' in last
    assert SERVICES["fettle"]["image"] == f"fettle:{VERSION}"


def test_no_secret_and_no_store_reaches_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert "*" in ignored
    copied = re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE)
    sources = {word for line in copied for word in line.split()[:-1]}
    assert sources == set(allowed)
