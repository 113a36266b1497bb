"""How a step lets a column hold more words than its check constraint allowed so far.

For use by steps only, inside their transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

_WORD = re.compile(r"'([a-z_]+)'")


def allow(table: str, column: str, *words: str) -> None:
    """Let ``column`` hold ``words`` beside what it may hold already.

    SQLite cannot change a constraint but by copying the table, to which others refer and on which
    triggers hang. So its text is edited in place, which its manual describes as safe for a
    constraint that only becomes wider.
    """
    name = f"ck_{table}_{column}"
    if op.get_bind().dialect.name == "sqlite":
        _widen_sqlite(table, column, name, words)
    else:
        _widen_postgresql(table, column, name, words)


def _widen_postgresql(table: str, column: str, name: str, words: Iterable[str]) -> None:
    query = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conname = :name AND conrelid = to_regclass(:table)"
    )
    parameters = {"name": name, "table": table}
    found = op.get_bind().execute(sa.text(query), parameters).scalar_one()
    listed = _listed([*_WORD.findall(found), *words])
    op.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT {name}')
    op.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT {name} CHECK ({column} IN ({listed}))')


def _widen_sqlite(table: str, column: str, name: str, words: Iterable[str]) -> None:
    bind = op.get_bind()
    query = sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :table")
    text = bind.execute(query, {"table": table}).scalar_one()
    pattern = rf'(CONSTRAINT "?{name}"? CHECK \("?{column}"? IN \()([^)]*)(\)\))'
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"table {table} has no constraint {name}")
    listed = _listed([*_WORD.findall(found[2]), *words])
    widened = text[: found.start(2)] + listed + text[found.end(2) :]
    version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    update = "UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = :table"
    bind.execute(sa.text(update), {"sql": widened, "table": table})
    bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    bind.exec_driver_sql("PRAGMA writable_schema = OFF")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in dict.fromkeys(words))
