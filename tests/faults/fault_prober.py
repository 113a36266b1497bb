"""No ticket for what is our own fault: each fault is staged on the real service and outlived."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.tables import IncidentIntervalRow, SightingRow
from tests.faults.scene import DUTY, LEAD, NameServer, Stage
from tests.system.running import eventually

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.parametrize("store_url", ["sqlite"], indirect=True),
]

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")

can_fake_names = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs root and unshare, to give the service a name server of its own",
)
can_fake_time = pytest.mark.skipif(not FAKETIME.exists(), reason="needs libfaketime")
can_limit = pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")


@pytest.fixture
def stage(tmp_path: Path, store_url: str) -> Iterator[Stage]:
    stage = Stage(tmp_path, store_url)
    yield stage
    stage.close()


def report(what: str, **figures: object) -> None:
    """Say what was seen, for whoever runs the faults."""
    print(f"\n{what}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))  # noqa: T201


def wait_for_mail(stage: Stage, word: str) -> None:
    for address in (LEAD, DUTY):
        eventually(
            lambda address=address: [m for m in stage.postbox.to(address) if word in m.subject],
            what=f"the mail '{word}' to {address}",
        )


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_all_sites_unreachable_with_dead_canaries(stage: Stage, how: str) -> None:
    service = stage.run(40, canaries=[stage.canary.url()])

    def cut() -> None:
        if how == "refused":
            stage.crowd.close()
            stage.canary.close()
        else:
            stage.crowd.latency = stage.canary.latency = 30

    cut()
    wait_for_mail(stage, "Blind")
    time.sleep(10)
    stage.assert_no_alarm()
    assert "blind" in str(service.events("lookout.sight_changed"))
    assert not service.is_ready()
    service.kill_prober()
    time.sleep(5)
    assert stage.notices() == {"blind": 2}
    if how == "refused":
        stage.crowd.open()
        stage.canary.open()
    stage.crowd.latency = stage.canary.latency = 0
    wait_for_mail(stage, "Sees again")
    eventually(service.is_ready, what="the service to be ready again")
    time.sleep(5)
    stage.assert_no_alarm()
    assert stage.notices() == {"blind": 2, "sighted": 2}
    report(f"dead network ({how})", counts=stage.counts(), notices=dict(stage.notices()))


def test_all_sites_unreachable_while_canaries_answer_opens_tickets(stage: Stage) -> None:
    stage.run(12, canaries=[stage.canary.url()])
    stage.crowd.close()
    eventually(lambda: stage.verdicts()["down"] == 12, what="all sites to be down")
    assert stage.notices()["blind"] == 0


@can_fake_names
def test_a_dead_resolver(stage: Stage) -> None:
    names = NameServer()
    resolv = stage.folder / "resolv.conf"
    resolv.write_text(f"nameserver {NameServer.ADDRESS}\n")
    script = f'mount --bind {resolv} /etc/resolv.conf && exec "$@"'
    try:
        service = stage.run(
            40,
            before=["unshare", "--mount", "sh", "-c", script, "sh"],
            host=lambda number: f"site-{number}.agency.test",
            canaries=[stage.canary.url(host="canary.elsewhere.test"), stage.canary.url()],
        )
        names.is_silent = True
        wait_for_mail(stage, "Blind")
        time.sleep(10)
        stage.assert_no_alarm()
        causes = stage.causes()
        names.is_silent = False
        wait_for_mail(stage, "Sees again")
        time.sleep(5)
        stage.assert_no_alarm()
        [blind] = [e for e in service.events("lookout.sight_changed") if e["change"] == "blind"]
        assert blind["cause"] == "own_resolver"
        report("dead resolver", causes=dict(causes), counts=stage.counts())
    finally:
        names.close()


@pytest.mark.parametrize("seconds", [8, 30])
def test_a_suspended_prober(stage: Stage, seconds: int) -> None:
    stage.crowd.latency = 0.4
    service = stage.run(60, interval="4s", canaries=[stage.canary.url()])
    before = stage.counts()
    service.suspend(seconds, "prober")
    eventually(lambda: service.events("ticker.gap_seen"), what="the gap to be seen")
    time.sleep(12)
    stage.assert_no_alarm()
    after = stage.counts()
    missed = after["missed"] - before["missed"]
    assert missed >= 60 * (seconds - 6) / 4
    assert stage.verdicts()["up"] == 60
    report(f"SIGSTOP {seconds} s", missed=missed, before=before, after=after)


def test_a_suspended_host(stage: Stage) -> None:
    """Both roles stand still, as on a host that was suspended."""
    stage.crowd.latency = 0.4
    service = stage.run(60, interval="4s", canaries=[stage.canary.url()])
    service.suspend(30, "prober", "desk")
    eventually(lambda: service.events("ticker.gap_seen"), what="the gap to be seen")
    time.sleep(10)
    stage.assert_no_alarm()
    assert service.is_ready()
    report("host suspended 30 s", counts=stage.counts(), notices=dict(stage.notices()))


STALL = """
import signal, time
signal.signal(signal.SIGUSR2, lambda *_: time.sleep(8))
"""


def test_a_stalled_loop(stage: Stage) -> None:
    """The main thread sleeps in a signal handler while every other thread goes on."""
    (stage.folder / "sitecustomize.py").write_text(STALL)
    stage.crowd.latency = 0.4
    service = stage.run(
        60,
        interval="4s",
        canaries=[stage.canary.url()],
        environ={"PYTHONPATH": f"{stage.folder}:{os.environ.get('PYTHONPATH', '')}"},
    )
    os.kill(service.pid("prober"), signal.SIGUSR2)
    eventually(lambda: service.events("ticker.gap_seen"), what="the gap to be seen")
    time.sleep(10)
    stage.assert_no_alarm()
    report("loop stalled 8 s", counts=stage.counts(), causes=dict(stage.causes()))


@can_fake_time
@pytest.mark.parametrize("step", ["-1h", "+1h", "+3650d"])
def test_a_step_of_the_clock(stage: Stage, step: str) -> None:
    offset = stage.folder / "offset"
    offset.write_text("+0\n")
    service = stage.run(
        20,
        interval="5s",
        canaries=[stage.canary.url()],
        environ={
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )
    time.sleep(15)
    stepped_at = time.monotonic()
    offset.write_text(f"{step}\n")
    time.sleep(45)
    offset.write_text("+0\n")
    back_at = time.monotonic()
    time.sleep(30)
    stage.assert_no_alarm()
    gaps = [
        later - sooner
        for seen in stage.crowd.seen.values()
        for sooner, later in itertools.pairwise(sorted(seen))
        if later > stepped_at
    ]
    asked = sum(at > stepped_at for seen in stage.crowd.seen.values() for at in seen)
    expected = 20 * (time.monotonic() - stepped_at) / 5
    report(
        f"clock stepped {step}",
        asked=asked,
        expected=round(expected),
        longest_gap=round(max(gaps), 2),
        shortest_gap=round(min(gaps), 2),
        median_gap=round(statistics.median(gaps), 2),
        counts=stage.counts(),
        back_after=round(back_at - stepped_at),
    )
    assert 0.9 <= asked / expected <= 1.1
    assert service.is_ready()
    for row in stage.rows(IncidentIntervalRow):
        assert row.ended_at is None or row.ended_at >= row.started_at


@can_limit
def test_few_file_descriptors(stage: Stage) -> None:
    stage.crowd.latency = 3.0
    service = stage.run(
        300,
        interval="8s",
        timeout="7s",
        slow_after="5s",
        canaries=[stage.canary.url()],
        before=["prlimit", "--nofile=100"],
    )
    time.sleep(40)
    stage.assert_no_alarm()
    assert {row.settled.value for row in stage.rows(SightingRow)} == {"up"}
    report(
        "nofile=100 with 300 sites",
        counts=stage.counts(),
        causes=dict(stage.causes()),
        notices=dict(stage.notices()),
        capped=[e.get("concurrency") for e in service.events("service.concurrency_capped")],
    )
