"""The files that one person at a client has sent: listed, read, and erased with their bytes.

Every function needs a transaction of its caller, ``erase_files`` a write one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.link_tables import AttachmentContentRow, AttachmentRow
from tickets.request_tables import FormFileRow, FormRequestRow
from tickets.rules.ticket import reference
from tickets.tables import MessageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFile:
    """A file that a person sent, with a ticket or with a request that has none yet.

    ``key`` names it among all files; it is a part of no web address.
    """

    key: str
    ticket: str | None
    name: str
    media_type: str
    size_bytes: int


def list_files(tx: Session, address: str) -> Sequence[ContactFile]:
    """Return the files that ``address`` sent, of tickets first; reads none of their bytes."""
    of_tickets = _attachments_of(tx, address)
    size = cast("sa.Label[int]", sa.func.length(col(FormFileRow.content)).label("size_bytes"))
    of_requests = tx.connection().execute(
        sa.select(
            col(FormFileRow.request_id),
            col(FormFileRow.place),
            col(FormFileRow.name),
            col(FormFileRow.media_type),
            size,
        )
        .join(FormRequestRow, col(FormRequestRow.id) == col(FormFileRow.request_id))
        .where(sa.func.lower(col(FormRequestRow.address)) == address.lower())
        .order_by(col(FormFileRow.request_id), col(FormFileRow.place))
    )
    return [
        *(
            ContactFile(
                key=row.id,
                ticket=reference(row.ticket_id),
                name=row.name,
                media_type=row.media_type,
                size_bytes=row.size_bytes,
            )
            for row in of_tickets
        ),
        *(
            ContactFile(
                key=f"{request_id}-{place}",
                ticket=None,
                name=name,
                media_type=media_type,
                size_bytes=size_bytes,
            )
            for request_id, place, name, media_type, size_bytes in of_requests
        ),
    ]


def read_file(tx: Session, file: ContactFile) -> bytes:
    """Return the bytes of a file that ``list_files`` told of in the same transaction."""
    if file.ticket is not None:
        return tx.get_one(AttachmentContentRow, file.key).content
    request_id, _, place = file.key.partition("-")
    return tx.get_one(FormFileRow, (int(request_id), int(place))).content


def erase_files(tx: Session, address: str) -> None:
    """Delete what ``address`` sent, and its names in the mails that told of it.

    Files of requests without a ticket go with those requests (see ``tickets.erasure``).
    """
    for row in _attachments_of(tx, address):
        told = select(MessageRow).where(
            col(MessageRow.ticket_id) == row.ticket_id,
            col(MessageRow.entry_number) == row.entry_number,
        )
        for message in tx.exec(told.with_for_update()).all():
            if message.facts.get("files"):
                message.facts = message.facts | {"files": None}
        tx.exec(
            sa.delete(AttachmentContentRow).where(col(AttachmentContentRow.attachment_id) == row.id)
        )
        tx.delete(row)
    tx.flush()


def _attachments_of(tx: Session, address: str) -> Sequence[AttachmentRow]:
    query = select(AttachmentRow).where(
        sa.func.lower(col(AttachmentRow.sender_address)) == address.lower()
    )
    order = col(AttachmentRow.ticket_id), col(AttachmentRow.entry_number), col(AttachmentRow.id)
    return tx.exec(query.order_by(*order)).all()
