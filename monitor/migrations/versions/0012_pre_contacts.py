"""Contacts whose data was erased, for which the texts of entries may be masked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_pre_contacts"
down_revision = "0011_pre_alerts"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
REFUSAL = "entries are never changed or deleted"
FIXED = ("ticket_id", "number", "at", "action", "priority", "staff_id", "is_visible")
"""Columns of an entry that no erasure touches."""


def upgrade() -> None:
    """Create the table; an entry then yields to an erasure under way, and to nothing else."""
    op.create_table(
        "erasure",
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("erased_at", INSTANT, nullable=False),
        sa.Column("is_finished", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("pseudonym", name=op.f("pk_erasure")),
    )
    if op.get_bind().dialect.name == "sqlite":
        moved = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in FIXED)
        op.execute("DROP TRIGGER entry_refuses_update")
        op.execute(
            "CREATE TRIGGER entry_refuses_update BEFORE UPDATE ON entry"  # noqa: S608  (our words)
            f" WHEN {moved} OR NOT EXISTS (SELECT 1 FROM erasure WHERE is_finished = 0)"
            f" BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
        return
    new, old = (", ".join(f"{row}.{column}" for column in FIXED) for row in ("NEW", "OLD"))
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_entry_change()"  # noqa: S608  (our words)
        " RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = 'UPDATE' THEN"
        f" IF ROW({new}) IS NOT DISTINCT FROM ROW({old})"
        " AND EXISTS (SELECT 1 FROM erasure WHERE NOT is_finished) THEN RETURN NEW; END IF;"
        f" END IF; RAISE EXCEPTION '{REFUSAL}'; END $$"
    )


def downgrade() -> None:
    """Let entries refuse every change again, and forget which pseudonyms there are."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER entry_refuses_update")
        op.execute(
            "CREATE TRIGGER entry_refuses_update BEFORE UPDATE ON entry BEGIN"
            f" SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
    else:
        op.execute(
            "CREATE OR REPLACE FUNCTION refuse_entry_change() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
    op.drop_table("erasure")
