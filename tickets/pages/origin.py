"""From where a request comes: from which page, by the browser's word, and from which network."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from starlette.requests import Request


def is_foreign(request: Request, *, base_url: str, is_secret: bool = False) -> bool:
    """Tell whether the browser says that another site's page made this request.

    Browsers say so by themselves and pages cannot change it. A request that says nothing comes
    from no browser of today; the form's token stands against it. ``is_secret`` says that the
    address is a secret: its pages have ``no-referrer``, for which browsers send ``Origin: null``,
    the older ones without more; and no other page can know the address.
    """
    relation = request.headers.get("sec-fetch-site")
    if relation is not None and relation not in {"same-origin", "none"}:
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    if origin == "null":
        return relation != "same-origin" and not (is_secret and relation is None)
    theirs, ours = split_url(origin), urlsplit(base_url)
    if theirs is None:
        return True
    if _origin(theirs) == _origin(ours):
        return False
    # Reached by another name, through a tunnel perhaps: the page and the form agree on it.
    if ours.scheme == "https" and theirs.scheme != "https":
        return True
    return theirs.netloc.lower() != request.headers.get("host", "").lower()


def address_of(request: Request) -> str:
    """Return the network address that the request came from, as the server reports it."""
    return request.client.host if request.client is not None else ""


def split_url(text: str) -> SplitResult | None:
    """Return the parts of a URL, None if it is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(parts.scheme)
    try:
        return parts.scheme, (parts.hostname or "").lower(), parts.port or default
    except ValueError:
        return parts.scheme, "", None
