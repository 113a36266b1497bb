"""Runs the schema's steps on the connection that ``monitor.migrations.upgrade`` hands over."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from monitor.alert_tables import AlertRow
from monitor.tables import SiteRow
from tickets.contact_tables import ErasureRow
from tickets.link_tables import TicketLinkRow
from tickets.outbox_tables import UndeliverableRow
from tickets.request_tables import FormRequestRow
from tickets.statement_tables import StatementRow
from tickets.tables import TicketRow
from tickets.token_tables import TokenRow

# Importing the row modules is what fills the metadata.
rows = {
    AlertRow.__tablename__,
    ErasureRow.__tablename__,
    SiteRow.__tablename__,
    TicketLinkRow.__tablename__,
    StatementRow.__tablename__,
    FormRequestRow.__tablename__,
    UndeliverableRow.__tablename__,
    TicketRow.__tablename__,
    TokenRow.__tablename__,
}
assert rows <= set(SQLModel.metadata.tables)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=True,
    compare_type=True,
)
context.run_migrations()
