"""The whole life of a ticket: waiting, links, time spent, allowances, refused attempts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.migrations.loosening import allow
from tickets.errors import Refused

revision = "0004_pre_whole_life"
down_revision = "0003_pre_notices"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


PRIORITIES = ("critical", "normal", "low")
NEW_ACTIONS = (
    "priority", "category", "assign", "wait", "resume", "client_reply", "merge", "absorb", "link",
    "log_time",
)  # fmt: skip
ACTIONS = (
    "open", "acknowledge", "reply", "note", "resolve", "reopen", "close", "recover", "relapse",
    "worsen", "unwatch", "breach", *NEW_ACTIONS,
)  # fmt: skip
NEW_NOTICES = (
    "received", "priority_changed", "assigned", "question", "resumed", "client_replied", "merged",
    "allowance",
)  # fmt: skip


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    """Add what the ticket's whole life needs; entries learn the priority of their time."""
    for table, column, words in (
        ("entry", "action", NEW_ACTIONS),
        ("promise", "answered_with", NEW_ACTIONS),
        ("promise", "counted_in", ("clock_then_roll",)),
        ("message", "notice", NEW_NOTICES),
        ("delivery", "notice", NEW_NOTICES),
    ):
        allow(table, column, *words)
    _widen_tickets()
    _add_tables()
    _give_entries_a_priority()


def _widen_tickets() -> None:
    for name in ("requester_name", "requester_address", "next_steps", "estimate"):
        op.add_column("ticket", sa.Column(name, sa.String(), nullable=True))
    op.add_column("ticket", sa.Column("resume_at", INSTANT, nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        # Only so does SQLite take a reference without copying the table.
        op.execute(
            "ALTER TABLE ticket ADD COLUMN merged_into_id INTEGER"
            " CONSTRAINT fk_ticket_merged_into_id_ticket REFERENCES ticket (id)"
        )
        return
    op.add_column("ticket", sa.Column("merged_into_id", sa.Integer(), nullable=True))
    op.create_foreign_key(
        "fk_ticket_merged_into_id_ticket", "ticket", "ticket", ["merged_into_id"], ["id"]
    )


def _add_tables() -> None:
    op.create_table(
        "watcher",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_watcher_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "address", name=op.f("pk_watcher")),
    )
    op.create_table(
        "link",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("kind", _enum("kind", "related", "duplicate"), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_link_ticket_id_ticket")
        ),
        sa.ForeignKeyConstraint(["other_id"], ["ticket.id"], name=op.f("fk_link_other_id_ticket")),
        sa.PrimaryKeyConstraint("ticket_id", "other_id", name=op.f("pk_link")),
    )
    op.create_index(op.f("ix_link_other_id"), "link", ["other_id"], unique=False)
    op.create_table(
        "time_spent",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("entry_number", sa.Integer(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("worked_on", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("is_counted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_time_spent_ticket_id_ticket")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_time_spent_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "entry_number", name=op.f("pk_time_spent")),
    )
    op.create_index("ix_time_spent_month", "time_spent", ["client", "worked_on"], unique=False)
    op.create_table(
        "allowance_warning",
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("client", "month", "share", name=op.f("pk_allowance_warning")),
    )
    op.create_table(
        "refusal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("action", _enum("action", *ACTIONS), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_refusal_ticket_id_ticket")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_refusal_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
    )
    op.create_index(op.f("ix_refusal_ticket_id"), "refusal", ["ticket_id"], unique=False)


def _give_entries_a_priority() -> None:
    """Fill in the ticket's own priority: until now nothing could change it."""
    check = f"CONSTRAINT ck_entry_priority CHECK (priority IN {PRIORITIES})"
    op.execute(
        f"ALTER TABLE entry ADD COLUMN priority VARCHAR(40) DEFAULT 'normal' NOT NULL {check}"
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    # Nobody else may change an entry, and nobody sees one between these statements.
    if is_sqlite:
        op.execute("DROP TRIGGER entry_refuses_update")
    else:
        op.execute("ALTER TABLE entry DISABLE TRIGGER entry_refuses_change")
    op.execute(
        "UPDATE entry SET priority ="
        " (SELECT ticket.priority FROM ticket WHERE ticket.id = entry.ticket_id)"
    )
    if is_sqlite:
        op.execute(
            "CREATE TRIGGER entry_refuses_update BEFORE UPDATE ON entry BEGIN"
            " SELECT RAISE(ABORT, 'entries are never changed or deleted'); END"
        )
    else:
        op.execute("ALTER TABLE entry ENABLE TRIGGER entry_refuses_change")


def downgrade() -> None:
    """Refuse: what tickets have lived through would be lost."""
    raise Refused(
        f"{revision} cannot be undone, for what tickets have lived through would be lost; "
        "restore a backup that was taken before it"
    )
