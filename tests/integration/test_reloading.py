"""A changed configuration is taken into use once it is asked for, and a faulty one is not."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest

from monitor.reloading import Loads, Reloads, Word
from monitor.service_metrics import ServiceFigures
from monitor.web import Web, create_app
from tests.builders import a_policy
from tests.clocks import FakeClock
from tickets.errors import Fault, Misconfigured, Unavailable
from tickets.store import Store


class Configuration:
    """A file, and how often it was read; ``fault`` is raised by reading it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.read_count = 0
        self.fault: Exception | None = None
        file.write_text("old")
        self.reloads = Reloads(file, self._read)
        self.loads = Loads(self.reloads.ask)

    def _read(self) -> str:
        self.read_count += 1
        if self.fault is not None:
            raise self.fault
        return self.file.read_text()


@pytest.fixture
async def configuration(tmp_path: Path) -> Configuration:
    return Configuration(tmp_path / "fettle.yml")


@pytest.fixture
def fault() -> Misconfigured:
    return Misconfigured([Fault(file="fettle.yml", line=3, key="web", message="is wrong")])


async def test_a_request_has_nothing_read_that_has_not_changed(
    configuration: Configuration,
) -> None:
    following = asyncio.create_task(configuration.reloads.next(configuration.loads.hear))
    assert await configuration.loads.ask() is Word.UNCHANGED
    assert configuration.read_count == 0
    configuration.file.write_text("new")
    assert await configuration.loads.ask() is Word.LOADED
    assert await following == "new"
    assert configuration.loads.counts == Counter({Word.LOADED: 1})


async def test_a_signal_has_it_read_in_any_case(configuration: Configuration) -> None:
    configuration.reloads.order()
    assert await configuration.reloads.next(configuration.loads.hear) == "old"


async def test_a_fault_keeps_the_old_one_until_the_file_is_mended(
    configuration: Configuration, fault: Misconfigured
) -> None:
    following = asyncio.create_task(configuration.reloads.next(configuration.loads.hear))
    configuration.fault = fault
    configuration.file.write_text("faulty")
    answers = [await configuration.loads.ask(), await configuration.loads.ask()]
    assert answers == [Word.REFUSED, Word.STILL_REFUSED]
    assert (configuration.read_count, configuration.loads.is_good) == (1, False)
    configuration.fault = None
    configuration.file.write_text("old")
    assert await configuration.loads.ask() is Word.LOADED
    assert await following == "old"
    assert configuration.loads.is_good


async def test_a_store_that_is_away_is_asked_again(configuration: Configuration) -> None:
    following = asyncio.create_task(configuration.reloads.next(configuration.loads.hear))
    configuration.fault = Unavailable("the store is away")
    configuration.file.write_text("new")
    assert await configuration.loads.ask() is Word.REFUSED
    configuration.fault = None
    assert await configuration.loads.ask() is Word.LOADED
    assert await following == "new"


@pytest.mark.parametrize(
    ("word", "status", "told"),
    [
        (Word.LOADED, 200, '{"reloaded":true}'),
        (Word.UNCHANGED, 200, '{"reloaded":false}'),
        (Word.REFUSED, 422, "the one before stays in force"),
        (Word.STILL_REFUSED, 422, "the one before stays in force"),
        (None, 503, "cannot load its configuration anew"),
    ],
)
async def test_a_reload_over_http_says_how_it_went(
    sqlite_store: Store, clock: FakeClock, word: Word | None, status: int, told: str
) -> None:
    loads = Loads(None if word is None else lambda: loads.hear(word))
    service = ServiceFigures(version="1", revision="", python_version="3", reloaded_at=clock.now())
    web = Web(store=sqlite_store, policy=a_policy(), clock=clock, service=service, loads=loads)
    transport, base = httpx.ASGITransport(create_app(web)), "http://desk.agency.test"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        answer = await client.post("/-/reload")
        elsewhere = await client.post("/-/reload", headers={"Sec-Fetch-Site": "cross-site"})
        read = await client.get("/-/reload")
        ready = await client.get("/-/ready")
        metrics = (await client.get("/metrics")).text
    assert (answer.status_code, elsewhere.status_code, read.status_code) == (status, 403, 405)
    assert told in answer.text
    refused = int(word is Word.REFUSED)
    assert ("the last configuration was refused" in str(ready.json()["reasons"])) == bool(refused)
    assert f'job="reload",outcome="ok"}} {int(word is Word.LOADED)}.0' in metrics
    assert f'job="reload",outcome="error"}} {refused}.0' in metrics
    assert f"fettle_config_last_reload_successful {1 - refused}.0" in metrics
