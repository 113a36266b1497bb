"""Files handed out as downloads: never shown in place, never run, whatever they hold."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


def download(name: str, media_type: str, content: bytes) -> Response:
    """Return the answer that lets a browser save ``content`` under ``name``.

    ``name`` is clean (see ``tickets.rules.attachment.clean_name``).
    """
    return Response(
        content,
        media_type=None,
        headers={
            # The type alone: Starlette would add a charset that nobody has found out.
            "Content-Type": media_type,
            "Content-Disposition": disposition(name),
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "X-Download-Options": "noopen",
            "X-Robots-Tag": "noindex, nofollow",
            "Accept-Ranges": "none",
            "Cache-Control": "no-store",
        },
    )


def disposition(name: str) -> str:
    """Return the header that makes it a download, with the name as any browser reads it."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\%' else "_"
        for letter in name
    )
    whole = quote(name, safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}"
