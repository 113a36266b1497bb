"""The served API answers as its OpenAPI document says, whatever schemathesis thinks of to send."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from monitor.web import serve
from tests.api import ApiBench
from tests.clocks import FakeClock
from tests.system.running import free_port
from tickets.store import Store

CONFIGURATION = """\
[parameters]
"path.ref" = "T-1001"
[checks]
# An unknown client, a date that is no support day: what the schema cannot know is a 422.
positive_data_acceptance.expected-statuses = ["2xx", 403, 404, 409, 422]
"""


async def explore(url: str, token: str, *, folder: Path, phases: str, examples: int) -> str:
    """Run schemathesis against the API at ``url``; return its report, empty if all is well."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}", "--checks", "all", "--phases", phases),
        *("--max-examples", str(examples), "--seed", "1", "--wait-for-schema", "10"),
        *("--no-shrink", "--continue-on-failure", "--suppress-health-check", "all"),
        cwd=folder,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    report = output.decode(errors="replace")
    assert "Selected: " in report, report
    return report if process.returncode else ""


@pytest.mark.timeout(300)
async def test_no_answer_differs_from_the_description(
    tmp_path: Path, migrated_sqlite: Path, clock: FakeClock
) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "fettle.db")
    store = Store(f"sqlite:///{tmp_path / 'fettle.db'}")
    bench = ApiBench(store, clock)
    bench.tickets()
    token, port, stop = bench.token(staff=bench.staff()), free_port(), asyncio.Event()
    serving = asyncio.create_task(serve(bench.app, host="127.0.0.1", port=port, stop=stop))
    try:
        report = await explore(
            f"http://127.0.0.1:{port}/api/v1",
            token.text,
            folder=tmp_path,
            phases="fuzzing",
            examples=2,
        )
    finally:
        stop.set()
        await serving
        store.close()
    assert not report, report
