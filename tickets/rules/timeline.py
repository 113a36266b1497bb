"""Support time as a line of windows in UTC, on which counting costs the same near and far.

Windows are gathered on demand into blocks of 32 days with running totals, so that a count over a
year adds a dozen numbers. Instants and durations are microseconds, instants since 1970 UTC. What
the windows mean, and which of them exist, is ``hours``'s business.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from tickets.rules.localtime import DAY, instant_at

Window = tuple[int, int]
"""[open, close)."""

REACH = 5 * 366 * DAY
"""How far a search looks ahead before it gives up."""

_BLOCK = 32 * DAY
_ONE_DAY = timedelta(days=1)


class _Block(NamedTuple):
    """The windows within one block, in order.

    ``before`` and ``after`` are the time counted in this block by each window's open and close,
    ``total`` is all of it.
    """

    opens: tuple[int, ...]
    closes: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    total: int

    def counted_by(self, at: int) -> int:
        index = bisect_right(self.opens, at) - 1
        if index < 0:
            return 0
        return min(self.before[index] + at - self.opens[index], self.after[index])


class Timeline:
    """All windows that ``windows_on`` gives for local dates, as one line from ``start`` to ``end``.

    ``windows_on`` is asked for each local date at most a few times and must always answer the
    same; windows of different dates do not overlap. Safe to share between threads: two may
    compute the same block, and both compute the same.
    """

    def __init__(
        self, windows_on: Callable[[date], tuple[Window, ...]], *, start: int, end: int
    ) -> None:
        self.start, self.end = start, end
        self._windows_on = windows_on
        self._blocks: dict[int, _Block] = {}

    def limit(self, at: int) -> int:
        """Return how far a search that begins at ``at`` may look."""
        return min(self.end, at + REACH)

    def is_open(self, at: int) -> bool:
        """Tell whether ``at`` lies in a window."""
        block = self._block(at // _BLOCK)
        index = bisect_right(block.opens, at) - 1
        return index >= 0 and at < block.closes[index]

    def counted(self, low: int, high: int) -> int:
        """Return the time within windows from ``low`` to ``high``, which is not before it."""
        first, last = low // _BLOCK, high // _BLOCK
        counted = self._block(last).counted_by(high) - self._block(first).counted_by(low)
        for number in range(first, last):
            counted += self._block(number).total
        return counted

    def advance(self, at: int, wanted: int) -> int | None:
        """Return the earliest instant by which ``wanted`` has counted since ``at``.

        ``wanted`` is more than none. None if the instant is beyond the limit.
        """
        limit = self.limit(at)
        number = at // _BLOCK
        wanted += self._block(number).counted_by(at)
        while number * _BLOCK < limit:
            block = self._block(number)
            if wanted <= block.total:
                index = bisect_left(block.after, wanted)
                reached = block.opens[index] + wanted - block.before[index]
                return reached if reached <= limit else None
            wanted -= block.total
            number += 1
        return None

    def next_open(self, at: int) -> int | None:
        """Return the first instant from ``at`` on that lies in a window; None beyond the limit."""
        for opens, _ in self._windows_after(at):
            return max(at, opens)
        return None

    def next_close(self, at: int) -> int | None:
        """Return when the window that holds ``at`` or follows it ends; None beyond the limit.

        Windows that touch are one here.
        """
        end: int | None = None
        for opens, closes in self._windows_after(at):
            if end is not None and opens > end:
                break
            end = closes
        return end if end is not None and end < self.limit(at) else None

    def _windows_after(self, at: int) -> Iterator[Window]:
        """Yield the windows that end after ``at``, cut where blocks meet, up to the limit."""
        limit = self.limit(at)
        number = at // _BLOCK
        while number * _BLOCK < limit:
            block = self._block(number)
            for index in range(bisect_right(block.closes, at), len(block.closes)):
                if block.opens[index] < limit:
                    yield block.opens[index], block.closes[index]
            number += 1

    def _block(self, number: int) -> _Block:
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = self._build(number)
        return block

    def _build(self, number: int) -> _Block:
        start, end = number * _BLOCK, (number + 1) * _BLOCK
        on = instant_at(start).date() - _ONE_DAY
        windows: list[Window] = []
        for _ in range(_BLOCK // DAY + 2):  # a local date is at most one off the date in UTC
            windows.extend(self._windows_on(on))
            on += _ONE_DAY
        opens: list[int] = []
        closes: list[int] = []
        for window_opens, window_closes in sorted(windows):
            low, high = max(start, window_opens), min(end, window_closes)
            if low < high:
                opens.append(low)
                closes.append(high)
        totals = [0]
        for low, high in zip(opens, closes, strict=True):
            totals.append(totals[-1] + high - low)
        return _Block(
            tuple(opens), tuple(closes), tuple(totals[:-1]), tuple(totals[1:]), totals[-1]
        )
