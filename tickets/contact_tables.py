"""Rows of erased contacts: that somebody's data was erased, and nothing of who it was.

Rows carry no behaviour. Every instant is aware UTC.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from tickets.store import Instant, Row


class ErasureRow(Row, table=True):
    """An erasure; while its transaction has not finished it, entries let their texts be masked.

    ``pseudonym`` is the token that stands in the histories. The address is stored nowhere.
    """

    pseudonym: str = Field(primary_key=True)
    erased_at: datetime = Field(sa_type=Instant)
    is_finished: bool = False
