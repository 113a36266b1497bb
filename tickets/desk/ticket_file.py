"""A file that came with a ticket, handed out to staff as a download."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.attachments import find_attachment
from tickets.desk.answers import Desk
from tickets.pages.downloads import download
from tickets.rules.ticket import parse_reference


async def show_file(desk: Desk, request: Request, _me: SignedIn) -> Response:
    """Hand out a file of the very ticket that the address names."""
    number, file_id = parse_reference(request.path_params["ref"]), request.path_params["file"]
    found = await desk.context.store.aread(
        lambda tx: find_attachment(tx, number or 0, file_id, only_visible=False)
    )
    if found is None:
        raise HTTPException(404)
    return download(found.name, found.media_type, found.content)
