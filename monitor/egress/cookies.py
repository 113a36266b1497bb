"""The cookies of one probe: set on one hop, sent on the next, gone with the probe."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import cast
from urllib.request import Request


class ProbeCookies:
    """Keeps cookies by the usual rules of domain, path and age; text is Latin-1, byte for byte."""

    def __init__(self) -> None:
        self._jar: CookieJar | None = None

    def take(self, url: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep what an answer from ``url`` sets."""
        sent = Message()
        for name, value in headers:
            if name.lower() == b"set-cookie":
                sent["Set-Cookie"] = value.decode("latin-1")
        if "Set-Cookie" in sent:
            self._jar = self._jar if self._jar is not None else CookieJar()
            answered = cast(HTTPResponse, _Answered(sent))  # the jar asks it for its headers only
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its complaints of cookies that it cannot read
                self._jar.extract_cookies(answered, _Asked(url))

    def header_for(self, url: str) -> str:
        """Return the Cookie header for a request to ``url``, empty if there is none to send."""
        if self._jar is None:
            return ""
        asked = _Asked(url)
        self._jar.add_cookie_header(asked)
        return asked.get_header("Cookie") or ""


class _Asked(Request):
    """The request as the standard library's jar wants it."""


class _Answered:
    """The answer as the standard library's jar wants it."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers

    def info(self) -> Message:
        return self._headers
