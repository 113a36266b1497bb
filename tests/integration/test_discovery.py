"""The list of sites for Prometheus: whole, from the store, for those who have a token for it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from starlette.applications import Starlette

from monitor.discovery import discovery_routes
from monitor.site_exchange import file_sd_groups
from tests.builders import a_site
from tests.clocks import FakeClock
from tests.prometheus import ROOT, real
from tests.sites import watch
from tickets.rules.scope import Scope
from tickets.store import Store
from tickets.tokens import add_token

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
SITES = [
    a_site(),
    a_site("shop", client="wren", url="https://wren.test/shop?q=1", name='A "shop" {{é}}\n<b>'),
]


def token(store: Store, *scopes: Scope, client: str | None = None) -> str:
    """Make a token and return its text."""
    make = partial(add_token, name=f"For {scopes} {client}", scopes=scopes, client=client, at=START)
    return store.write(make).text


async def ask(
    store: Store, clock: FakeClock, text: str | None, *, path: str = "/sd/sites"
) -> httpx.Response:
    app = Starlette(routes=discovery_routes(store, clock))
    headers = {} if text is None else {"Authorization": f"Bearer {text}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        return await client.get(path, headers=headers)


def without_meta(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "targets": group["targets"],
            "labels": {k.removeprefix("__meta_"): v for k, v in group["labels"].items()},
        }
        for group in groups
    ]


async def test_the_whole_list_comes_each_time_as_the_file_would_have_it(
    store: Store, clock: FakeClock
) -> None:
    text = token(store, Scope.SITES_READ)
    nothing = await ask(store, clock, text)
    assert (nothing.status_code, nothing.text) == (200, "[]")
    watch(store, SITES, at=START)
    answer = await ask(store, clock, text)
    assert answer.headers["content-type"] == "application/json"
    groups = answer.json()
    assert without_meta(groups) == file_sd_groups(SITES)
    assert {name for group in groups for name in group["labels"]} == {
        "__meta_client",
        "__meta_site",
        "__meta_name",
    }
    watch(store, SITES[:1], at=START)
    left = (await ask(store, clock, text)).json()
    assert [group["labels"]["__meta_site"] for group in left] == ["booking"]


async def test_a_clients_token_sees_that_clients_sites(store: Store, clock: FakeClock) -> None:
    watch(store, SITES, at=START)
    answer = await ask(store, clock, token(store, Scope.SITES_READ, client="wren"))
    assert [group["targets"] for group in answer.json()] == [["https://wren.test/shop?q=1"]]
    assert "harbour" not in answer.text


async def test_nobody_reads_it_without_the_right_token(store: Store, clock: FakeClock) -> None:
    watch(store, SITES, at=START)
    other = token(store, Scope.TICKETS_READ, Scope.TICKETS_WRITE)
    for text, status in ((None, 401), ("fettle_wrong", 401), (other, 403)):
        answer = await ask(store, clock, text)
        assert (answer.status_code, "booking" in answer.text) == (status, False), text
    in_address = await ask(store, clock, None, path=f"/sd/sites?token={other}")
    assert in_address.status_code == 401


async def test_a_store_that_is_away_leaves_prometheus_its_list(
    clock: FakeClock, tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path}/empty.db")
    answer = await ask(store, clock, f"fettle_{'0' * 16}_{'a' * 43}")
    assert answer.status_code == 503
    store.close()


@pytest.mark.parametrize("page", ["discovery.md"])
def test_the_configuration_in_the_documentation_is_good(page: str, tmp_path: Path) -> None:
    promtool = real("promtool")
    _, _, rest = (ROOT / "docs" / page).read_text().partition("```yaml\n")
    example = rest.partition("```")[0]
    assert yaml.safe_load(example)["scrape_configs"]
    (tmp_path / "prometheus.yml").write_text(example)
    (tmp_path / "sites.token").write_text("fettle_0_0")
    checked = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
