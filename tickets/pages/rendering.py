"""Templates and static files of all pages: those of the desk, the portal and the demo.

Every template escapes what it prints, and prints no character that would hide or reorder others;
no single template can switch that off. Every page extends ``bare.html`` (see its first lines) and
is served with the files of ``/static``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, cast
from urllib.parse import urlsplit

import jinja2

from tickets.pages.watch import STATE_WORDS, SiteState
from tickets.rules.plain_text import several_lines

CONTENT_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
}


def make_environment(
    packages: Sequence[str], *, names: Mapping[str, object] | None = None
) -> jinja2.Environment:
    """Return the environment of the templates of ``packages``, the first of them asked first.

    Each package has a folder ``templates``; those of ``tickets.pages`` come last. ``names`` are
    known to every template.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package) for package in (*packages, "tickets.pages")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_showable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known = cast("dict[str, object]", environment.globals)  # pyright: ignore[reportUnknownMemberType] (Jinja2 declares it untyped)
    known.update(asset=asset, SiteState=SiteState, STATE_WORDS=STATE_WORDS, **(names or {}))
    tests = cast("dict[str, object]", environment.tests)  # pyright: ignore[reportUnknownMemberType] (the same)
    tests["web_address"] = is_web_address
    return environment


def _showable(value: object) -> object:
    """Return what a template prints, text without characters that hide or reorder others."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return value if value.isascii() and value.isprintable() else several_lines(value)


def is_web_address(text: object) -> bool:
    """Tell whether a text from outside may become a link: http or https with a host."""
    if not isinstance(text, str) or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


@cache
def static_files() -> dict[str, bytes]:
    """Return the static files by name; read once."""
    folder = resources.files("tickets.pages") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@cache
def static_version(name: str) -> str:
    """Return what changes in the address of a static file when its content does."""
    return hashlib.sha256(static_files()[name]).hexdigest()[:12]


def asset(name: str) -> str:
    """Return the address of a static file; browsers may keep what it names for ever."""
    return f"/static/{name}?v={static_version(name)}"


def render(environment: jinja2.Environment, name: str, facts: dict[str, Any]) -> str:
    """Return the page that the template ``name`` makes of ``facts``."""
    return environment.get_template(name).render(facts)
