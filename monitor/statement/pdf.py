"""Prints a page as PDF through WeasyPrint, an optional extra; its only home.

The package and the libraries of the system under it are loaded when the first PDF is made, and
asked for nothing but what the page holds within it.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from tickets.errors import ServiceError

HOW_TO = (
    "install the extra `pip install fettle[pdf]`, and Pango of the system "
    "(libpango-1.0-0, libpangoft2-1.0-0)"
)


class PdfImpossible(ServiceError):
    """WeasyPrint or a library of the system that it needs is not installed; HTML still works."""


def print_pdf(page: str) -> bytes:
    """Return the PDF of an HTML page; it fetches nothing, whatever the page names.

    Raises ``PdfImpossible`` where the parts for it are missing.
    """
    try:
        from weasyprint import HTML  # pyright: ignore[reportMissingTypeStubs]
        from weasyprint.urls import URLFetcher  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise PdfImpossible(
            f"a PDF needs WeasyPrint, which is not installed: {HOW_TO}; or write HTML"
        ) from error
    except OSError as error:
        raise PdfImpossible(
            f"WeasyPrint lacks a library of the system ({_first_line(error)}): {HOW_TO}; "
            "or write HTML"
        ) from error
    # It warns of each line of style that is for screens alone.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    untyped = cast("Any", HTML)
    fetcher = cast("Any", URLFetcher)(allowed_protocols={"data"}, allow_redirects=False)
    made = untyped(string=page, base_url=None, url_fetcher=fetcher)
    return cast("bytes", made.write_pdf(pdf_tags=True))


def _first_line(error: OSError) -> str:
    return str(error).strip().partition("\n")[0]
