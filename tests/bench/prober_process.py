"""The prober role as the supervisor starts it, in a process of its own, for ``contenders``.

    python -m tests.bench.prober_process CONFIG AUTHORITIES [STALLS]

It differs from ``fettle run --role prober`` in the public authorities (those of the file
AUTHORITIES) and, where a file STALLS is named, in that every turn of the event loop is timed: on
SIGUSR1 the longest since the last one are written there as JSON. Rich and click, which httpx and
structlog import where they find them, are hidden: they come with the developers' tools only.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

import certifi


class TimedSelector(selectors.DefaultSelector):
    """Notes how long the loop stayed away between two looks: by the clock, and on the processor."""

    def __init__(self) -> None:
        super().__init__()
        self._left_at = time.perf_counter(), time.thread_time()
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.turns = 0
        self.longest = 0.0
        self.longest_on_processor = 0.0
        self.above = dict.fromkeys((0.01, 0.02, 0.05, 0.1), 0)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Select, and note when the loop came and went."""
        took = time.perf_counter() - self._left_at[0]
        on_processor = time.thread_time() - self._left_at[1]
        self.turns += 1
        self.longest = max(self.longest, took)
        self.longest_on_processor = max(self.longest_on_processor, on_processor)
        if took > 0.01:
            for limit in self.above:
                self.above[limit] += took > limit
        ready = super().select(timeout)
        self._left_at = time.perf_counter(), time.thread_time()
        return ready

    def tell(self, path: Path) -> None:
        """Write down what was noted, and begin anew."""
        document = {
            "turns": self.turns,
            "longest": self.longest,
            "longest_on_processor": self.longest_on_processor,
            "above": {str(limit): count for limit, count in self.above.items()},
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(document), encoding="ascii")
        fresh.replace(path)
        self.forget()


class _TimedPolicy(asyncio.DefaultEventLoopPolicy):
    """Makes event loops whose turns are timed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        selector = TimedSelector()
        signal.signal(signal.SIGUSR1, lambda _number, _frame: selector.tell(self._path))
        return asyncio.SelectorEventLoop(selector)


def main() -> int:
    config, authorities, *stalls = sys.argv[1:]
    certifi.where = lambda: authorities
    hidden: dict[str, Any] = dict.fromkeys(("rich", "click"))  # None there means: not installed
    sys.modules.update(hidden)
    if stalls:
        asyncio.set_event_loop_policy(_TimedPolicy(Path(stalls[0])))
    from monitor import startup  # it would otherwise be imported by whoever only wants the class

    return startup.run(Path(config), environ=os.environ, role="prober", supervised=True)


if __name__ == "__main__":
    sys.exit(main())
