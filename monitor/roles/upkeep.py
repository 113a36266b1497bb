"""Keeps the interpreter fit for a process that probes for months: its collector and its memory."""

from __future__ import annotations

import ctypes
import gc
import sys

TRIM_SECONDS = 60
"""How often memory that nothing needs any more is given back."""


def settle_down() -> None:
    """Tune the interpreter once everything stands.

    What stands now stays: the garbage collector is to look at new objects only, and less often, for
    a look over ten thousand sites takes a tenth of a second. Whoever writes to the store in another
    thread must leave the interpreter to the event loop within half a millisecond.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 100)
    sys.setswitchinterval(0.0005)
    trim()


def trim() -> None:
    """Give back what the C library keeps for later, if it is one that can.

    A burst of five hundred handshakes leaves 40 MB that are free but scattered.
    """
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)
