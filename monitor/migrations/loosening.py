"""How a step loosens in place what stands in a table: the words of a check, an empty column.

For use by steps only, inside their transaction. SQLite changes neither but by copying the table, to
which others refer and on which triggers hang. So the text of its schema is edited, which its manual
describes as safe for a constraint that only becomes wider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import sqlalchemy as sa
from alembic import op

_WORD = re.compile(r"'([a-z_]+)'")


def allow(table: str, column: str, *words: str) -> None:
    """Let ``column`` hold ``words`` beside what its check constraint allows already."""
    name = f"ck_{table}_{column}"
    if op.get_bind().dialect.name == "sqlite":
        _edit_sqlite(table, lambda text: _widened(text, column, name, words))
    else:
        _widen_postgresql(table, column, name, words)


def let_be_null(table: str, column: str) -> None:
    """Let an integer column be empty."""
    if op.get_bind().dialect.name == "sqlite":
        _edit_sqlite(table, lambda text: _loosened(text, column))
    else:
        op.alter_column(table, column, nullable=True)


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


def _edit_sqlite(table: str, edit: Callable[[str], str]) -> None:
    bind = op.get_bind()
    query = sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :table")
    edited = edit(bind.execute(query, {"table": table}).scalar_one())
    version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    update = "UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = :table"
    bind.execute(sa.text(update), {"sql": edited, "table": table})
    bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    bind.exec_driver_sql("PRAGMA writable_schema = OFF")


def _widened(text: str, column: str, name: str, words: Iterable[str]) -> str:
    pattern = rf'(CONSTRAINT "?{name}"? CHECK \("?{column}"? IN \()([^)]*)(\)\))'
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"the table has no constraint {name}: {text}")
    listed = _listed([*_WORD.findall(found[2]), *words])
    return text[: found.start(2)] + listed + text[found.end(2) :]


def _loosened(text: str, column: str) -> str:
    strict = f"{column} INTEGER NOT NULL"
    if strict not in text:
        raise RuntimeError(
            f"the table has no integer column {column} that may not be empty: {text}"
        )
    return text.replace(strict, f"{column} INTEGER")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in dict.fromkeys(words))
