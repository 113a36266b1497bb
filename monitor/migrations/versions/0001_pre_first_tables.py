"""First tables: tickets and what belongs to them, sites and what was seen of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001_pre_first_tables"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    """Create every table of the first release; entries can be added, never changed."""
    op.create_table(
        "prober",
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("ticked_at", INSTANT, nullable=True),
        sa.Column("figures", JSON, nullable=False),
        sa.PrimaryKeyConstraint("location", name=op.f("pk_prober")),
    )
    op.create_table(
        "site",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("client_name", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("interval_seconds", sa.Float(), nullable=False),
        sa.Column("timeout_seconds", sa.Float(), nullable=False),
        sa.Column("slow_after_seconds", sa.Float(), nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_site")),
    )
    op.create_index(op.f("ix_site_client"), "site", ["client"], unique=False)
    op.create_table(
        "staff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", _enum("role", "viewer", "staff", "lead"), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("disabled_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("form_token", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_session_staff_id_staff")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
    )
    op.create_index("ix_session_expiry", "session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_session_staff_id"), "session", ["staff_id"], unique=False)
    op.create_table(
        "sighting",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("settled", _enum("settled", "up", "slow", "down", "unknown"), nullable=True),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("verdict", _enum("verdict", "up", "slow", "down", "unknown"), nullable=True),
        sa.Column(
            "cause",
            _enum(
                "cause",
                "dns_not_found",
                "dns_failure",
                "dns_timeout",
                "connect_refused",
                "connect_unreachable",
                "connect_reset",
                "connect_timeout",
                "tls_expired",
                "tls_name",
                "tls_untrusted",
                "tls_handshake",
                "tls_timeout",
                "response_timeout",
                "transfer_timeout",
                "protocol_error",
                "headers_too_large",
                "body_incomplete",
                "decode_error",
                "http_status",
                "keyword_missing",
                "keyword_present",
                "redirect_loop",
                "redirect_invalid",
                "address_blocked",
                "slow",
                "own_network",
                "own_resolver",
                "own_resources",
                "own_stall",
                "missed",
            ),
            nullable=True,
        ),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("observed_at", INSTANT, nullable=True),
        sa.Column("succeeded_at", INSTANT, nullable=True),
        sa.Column("failures_in_row", sa.Integer(), nullable=False),
        sa.Column("up_count", sa.Integer(), nullable=False),
        sa.Column("slow_count", sa.Integer(), nullable=False),
        sa.Column("down_count", sa.Integer(), nullable=False),
        sa.Column("unknown_count", sa.Integer(), nullable=False),
        sa.Column("missed_count", sa.Integer(), nullable=False),
        sa.Column("observation", JSON, nullable=True),
        sa.Column("last_good", JSON, nullable=True),
        sa.ForeignKeyConstraint(["site"], ["site.slug"], name=op.f("fk_sighting_site_site")),
        sa.PrimaryKeyConstraint("site", "location", name=op.f("pk_sighting")),
    )
    op.create_table(
        "ticket",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("client_name", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=True),
        sa.Column("site_name", sa.String(), nullable=True),
        sa.Column("site_url", sa.String(), nullable=True),
        sa.Column("priority", _enum("priority", "critical", "normal", "low"), nullable=False),
        sa.Column(
            "status",
            _enum("status", "open", "acknowledged", "waiting", "resolved", "closed"),
            nullable=False,
        ),
        sa.Column(
            "category",
            _enum(
                "category",
                "bug_fix",
                "content_change",
                "advice",
                "cms_update",
                "outage",
                "slow",
                "certificate",
                "domain",
                "alert",
            ),
            nullable=False,
        ),
        sa.Column(
            "source",
            _enum("source", "monitor", "alertmanager", "grafana", "portal", "staff", "api"),
            nullable=False,
        ),
        sa.Column(
            "outcome",
            _enum(
                "outcome", "fixed", "recovered_by_itself", "duplicate", "not_an_issue", "answered"
            ),
            nullable=True,
        ),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("promise_number", sa.Integer(), nullable=False),
        sa.Column("assignee_id", sa.Integer(), nullable=True),
        sa.Column("update_by", INSTANT, nullable=True),
        sa.Column("recovered_at", INSTANT, nullable=True),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("root_message_id", sa.String(), nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["staff.id"], name=op.f("fk_ticket_assignee_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
    )
    op.create_index("ix_ticket_client", "ticket", ["client", "id"], unique=False)
    op.create_index("ix_ticket_queue", "ticket", ["status", "id"], unique=False)
    op.create_index(
        "uq_ticket_key_not_closed",
        "ticket",
        ["key"],
        unique=True,
        sqlite_where=sa.text("status <> 'closed'"),
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.create_table(
        "entry",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column(
            "action",
            _enum(
                "action",
                "open",
                "acknowledge",
                "reply",
                "note",
                "resolve",
                "reopen",
                "close",
                "recover",
                "relapse",
                "worsen",
                "unwatch",
                "breach",
            ),
            nullable=False,
        ),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("is_visible", sa.Boolean(), nullable=False),
        sa.Column("before", JSON, nullable=False),
        sa.Column("after", JSON, nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_entry_staff_id_staff")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_entry_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "number", name=op.f("pk_entry")),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("kind", _enum("kind", "down", "slow"), nullable=False),
        sa.Column(
            "cause",
            _enum(
                "cause",
                "dns_not_found",
                "dns_failure",
                "dns_timeout",
                "connect_refused",
                "connect_unreachable",
                "connect_reset",
                "connect_timeout",
                "tls_expired",
                "tls_name",
                "tls_untrusted",
                "tls_handshake",
                "tls_timeout",
                "response_timeout",
                "transfer_timeout",
                "protocol_error",
                "headers_too_large",
                "body_incomplete",
                "decode_error",
                "http_status",
                "keyword_missing",
                "keyword_present",
                "redirect_loop",
                "redirect_invalid",
                "address_blocked",
                "slow",
                "own_network",
                "own_resolver",
                "own_resources",
                "own_stall",
                "missed",
            ),
            nullable=False,
        ),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("ended_as", _enum("ended_as", "recovered", "unwatched"), nullable=True),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.slug"], name=op.f("fk_incident_site_site")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_incident_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_incident_ticket_id")),
    )
    op.create_index("ix_incident_latest", "incident", ["site", "id"], unique=False)
    op.create_index(
        "uq_incident_open_site_kind",
        "incident",
        ["site", "kind"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("entry_number", sa.Integer(), nullable=False),
        sa.Column(
            "notice",
            _enum(
                "notice",
                "down",
                "slow",
                "recovered",
                "acknowledged",
                "reply",
                "resolved",
                "reopened",
                "breached",
            ),
            nullable=False,
        ),
        sa.Column("audience", _enum("audience", "client", "staff"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("priority", _enum("priority", "critical", "normal", "low"), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("header_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("written_at", INSTANT, nullable=False),
        sa.Column("facts", JSON, nullable=False),
        sa.Column(
            "state",
            _enum("state", "pending", "sending", "sent", "dead", "cancelled"),
            nullable=False,
        ),
        sa.Column("not_before", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("claimed_by", sa.String(), nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("last_failure", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_message_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "ticket_id",
            "entry_number",
            "address",
            name=op.f("uq_message_ticket_id_entry_number_address"),
        ),
    )
    op.create_index(
        "ix_message_due",
        "message",
        ["rank", "not_before"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'sending')"),
        postgresql_where=sa.text("state IN ('pending', 'sending')"),
    )
    op.create_index("ix_message_newest", "message", ["written_at"], unique=False)
    op.create_index(op.f("ix_message_ticket_id"), "message", ["ticket_id"], unique=False)
    op.create_table(
        "promise",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("target_seconds", sa.Integer(), nullable=False),
        sa.Column(
            "counted_in", _enum("counted_in", "support_hours", "support_days"), nullable=False
        ),
        sa.Column("met_by", _enum("met_by", "acknowledgement", "reply"), nullable=False),
        sa.Column("respond_by", INSTANT, nullable=False),
        sa.Column("derivation", JSON, nullable=False),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column(
            "answered_with",
            _enum(
                "answered_with",
                "open",
                "acknowledge",
                "reply",
                "note",
                "resolve",
                "reopen",
                "close",
                "recover",
                "relapse",
                "worsen",
                "unwatch",
                "breach",
            ),
            nullable=True,
        ),
        sa.Column("breached_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_promise_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "number", name=op.f("pk_promise")),
    )
    op.create_index(
        "ix_promise_due",
        "promise",
        ["respond_by"],
        unique=False,
        sqlite_where=sa.text("answered_at IS NULL AND breached_at IS NULL"),
        postgresql_where=sa.text("answered_at IS NULL AND breached_at IS NULL"),
    )
    op.create_table(
        "delivery",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "notice",
            _enum(
                "notice",
                "down",
                "slow",
                "recovered",
                "acknowledged",
                "reply",
                "resolved",
                "reopened",
                "breached",
            ),
            nullable=False,
        ),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("outcome", _enum("outcome", "sent", "deferred", "refused"), nullable=False),
        sa.Column(
            "reason",
            _enum("reason", "connect", "tls", "auth", "temporary", "permanent", "timeout"),
            nullable=True,
        ),
        sa.Column("answer", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_delivery_message_id_message")
        ),
        sa.PrimaryKeyConstraint("message_id", "number", name=op.f("pk_delivery")),
    )
    op.create_table(
        "incident_interval",
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_interval_incident_id_incident")
        ),
        sa.PrimaryKeyConstraint("incident_id", "number", name=op.f("pk_incident_interval")),
    )
    _make_entries_append_only()


def _make_entries_append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER entry_refuses_{verb.lower()} BEFORE {verb} ON entry BEGIN"
                " SELECT RAISE(ABORT, 'entries are never changed or deleted'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_entry_change() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION 'entries are never changed or deleted'; END $$"
    )
    op.execute(
        "CREATE TRIGGER entry_refuses_change BEFORE UPDATE OR DELETE ON entry"
        " FOR EACH ROW EXECUTE FUNCTION refuse_entry_change()"
    )
