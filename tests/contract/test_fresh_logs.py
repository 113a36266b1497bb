"""The tests' own promise: a log set up in one test is not written to by the next."""

from __future__ import annotations

import io

import pytest
from structlog.testing import capture_logs

from monitor.logs import set_up_logs
from tests.plugins.fresh_logs import forget_logs
from tickets.sweep import log


def test_a_log_that_was_set_up_is_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    set_up_logs(part="probe", stream=stream)
    log.warning("sweep.row_failed", ticket="T-1")
    assert "T-1" in stream.getvalue()
    stream.close()

    forget_logs()

    log.warning("sweep.row_failed", ticket="T-2")
    told = capsys.readouterr().out
    assert "T-2" in told
    assert "probe" not in told
    with capture_logs() as lines:
        log.warning("sweep.row_failed", ticket="T-3")
    assert [line["ticket"] for line in lines] == ["T-3"]
