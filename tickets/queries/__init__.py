"""What the desk, the command line and the metrics read of the ticket store; nothing here writes.

Every function needs an open (read) transaction. Texts come from sites and people and are hostile.
"""

from __future__ import annotations

MOST_ROWS = 200
"""Longest list that one page shows."""
