"""Files that come with a ticket's entries: checked, kept in the store with them, found again.

Their bytes stand in the store, so they are written in the transaction of their entry and are in
every backup. Identifiers are random; what may be sent is said by ``tickets.rules.attachment``.
Functions that take ``tx`` need an open transaction and commit nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.errors import Refused
from tickets.link_tables import AttachmentContentRow, AttachmentRow
from tickets.rules.attachment import (
    ALLOWED,
    LARGEST_FILE,
    LARGEST_SET,
    LARGEST_TICKET,
    LIMITS,
    MOST_FILES,
    CheckedFile,
    SentFile,
    clean_name,
    find_media_type,
    is_allowed_name,
)
from tickets.tables import EntryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentView:
    """A file as pages list it."""

    id: str
    entry_number: int
    name: str
    media_type: str
    size_bytes: int
    kept_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentFile:
    """A file to be handed out."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


def accept(files: Sequence[SentFile]) -> tuple[CheckedFile, ...]:
    """Return the files of one form as they may be kept; pure.

    Raises ``Refused`` with one sentence on the first that may not be, and what is allowed.
    """
    if len(files) > MOST_FILES:
        raise Refused(f"there are {len(files)} files; send {LIMITS}")
    if any(len(file.content) > LARGEST_FILE for file in files):
        largest = max(files, key=lambda file: len(file.content))
        raise Refused(f"the file ‘{clean_name(largest.name)}’ is too large; send {LIMITS}")
    if sum(len(file.content) for file in files) > LARGEST_SET:
        raise Refused(f"the files are too large together; send {LIMITS}")
    return tuple(_checked(file) for file in files)


def _checked(file: SentFile) -> CheckedFile:
    name = clean_name(file.name)
    if not file.content:
        raise Refused(f"the file ‘{name}’ is empty; choose it again")
    if not is_allowed_name(name):
        raise Refused(f"the file ‘{name}’ is of a kind that cannot be sent; allowed are {ALLOWED}")
    media_type = find_media_type(name, file.content)
    if media_type is None:
        raise Refused(
            f"the file ‘{name}’ does not hold what its name says, or holds macros; allowed are "
            f"{ALLOWED}"
        )
    return CheckedFile(name, media_type, file.content)


def keep(
    tx: Session,
    ticket_id: int,
    *,
    entry_number: int,
    files: Sequence[CheckedFile],
    sender_address: str | None,
    at: datetime,
) -> None:
    """Store ``files`` as those of one entry; raises ``Refused`` if the ticket would hold too much.

    ``sender_address`` is that of the person at the client who sent them, None for staff. The
    ticket must be locked for change, as it is while its entry is recorded.
    """
    if not files:
        return
    held = tx.exec(
        select(sa.func.coalesce(sa.func.sum(col(AttachmentRow.size_bytes)), 0)).where(
            col(AttachmentRow.ticket_id) == ticket_id
        )
    ).one()
    if held + sum(len(file.content) for file in files) > LARGEST_TICKET:
        most = LARGEST_TICKET // 1024**2
        raise Refused(f"the files of this ticket together are more than the {most} MB it can hold")
    rows = [
        AttachmentRow(
            id=secrets.token_hex(16),
            ticket_id=ticket_id,
            entry_number=entry_number,
            name=file.name,
            media_type=file.media_type,
            size_bytes=len(file.content),
            sha256=hashlib.sha256(file.content).hexdigest(),
            kept_at=at,
            sender_address=sender_address,
        )
        for file in files
    ]
    tx.add_all(rows)
    tx.flush()
    for row, file in zip(rows, files, strict=True):
        content = {"attachment_id": row.id, "content": file.content}
        tx.exec(sa.insert(AttachmentContentRow).values(**content))


def list_attachments(tx: Session, ticket_id: int) -> Sequence[AttachmentView]:
    """Return the files of a ticket in the order of their entries; reads none of their bytes."""
    query = (
        select(AttachmentRow)
        .where(col(AttachmentRow.ticket_id) == ticket_id)
        .order_by(
            col(AttachmentRow.entry_number),
            sa.func.lower(col(AttachmentRow.name)),
            AttachmentRow.id,
        )
    )
    return [
        AttachmentView(
            id=row.id,
            entry_number=row.entry_number,
            name=row.name,
            media_type=row.media_type,
            size_bytes=row.size_bytes,
            kept_at=row.kept_at,
        )
        for row in tx.exec(query).all()
    ]


def find_attachment(
    tx: Session, ticket_id: int, attachment_id: str, *, only_visible: bool
) -> AttachmentFile | None:
    """Return a file of this very ticket; None for any other, be it foreign or nobody's.

    ``only_visible`` leaves out what came with an entry that the client may not see.
    """
    if not attachment_id.isascii() or not attachment_id.isalnum():
        return None
    query = (
        select(AttachmentRow, AttachmentContentRow)
        .join(
            AttachmentContentRow, col(AttachmentContentRow.attachment_id) == col(AttachmentRow.id)
        )
        .join(
            EntryRow,
            sa.and_(
                col(EntryRow.ticket_id) == col(AttachmentRow.ticket_id),
                col(EntryRow.number) == col(AttachmentRow.entry_number),
            ),
        )
        .where(col(AttachmentRow.id) == attachment_id, col(AttachmentRow.ticket_id) == ticket_id)
    )
    if only_visible:
        query = query.where(col(EntryRow.is_visible))
    found = tx.exec(query).first()
    if found is None:
        return None
    row, stored = found
    return AttachmentFile(name=row.name, media_type=row.media_type, content=stored.content)
