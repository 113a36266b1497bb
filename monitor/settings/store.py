"""Settings of the store: where everything is kept."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from tickets.settings.types import Section

_PASSWORD = re.compile(r"(://[^/@:]*:).*@")
_QUERY_PASSWORD = re.compile(r"([?&]password=)[^&]*")
_STORES = ("sqlite:///", "postgresql+psycopg://")


def _store_url(url: str) -> str:
    if not any(url.startswith(start) and len(url) > len(start) for start in _STORES):
        raise ValueError(
            "must be sqlite:///PATH (sqlite:////PATH for an absolute path) or "
            "postgresql+psycopg://USER@HOST/DATABASE"
        )
    return url


def hide_password(store_url: str) -> str:
    """Return a store's URL with its password masked; what is in doubt is masked as well."""
    return _QUERY_PASSWORD.sub(r"\1***", _PASSWORD.sub(r"\1***@", store_url))


def has_password(store_url: str) -> bool:
    """Tell whether a store's URL contains a password."""
    return hide_password(store_url) != store_url


class StoreSettings(Section):
    """Where everything is kept."""

    url: Annotated[str, AfterValidator(_store_url)] = Field(
        default="sqlite:///data/fettle.db",
        repr=False,
        description="SQLite file, or PostgreSQL as postgresql+psycopg://USER@HOST/DATABASE. Keep a "
        "password out of the file: set FETTLE_STORE__URL_FILE or FETTLE_STORE__URL.",
    )
