"""The kinds of value that arguments take, each a function from text to the value.

What is no such value is an ``argparse.ArgumentTypeError`` that says what is allowed.
"""

from __future__ import annotations

import argparse
import math
import re
from datetime import date

from monitor.rules.month import Month, parse_month
from monitor.rules.site import Network
from tickets.addresses import HostPort, parse_host_port, shown

LONGEST_PROBE_SECONDS = 300.0

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def text(text: str) -> str:
    """Return ``text`` if it can be stored: what came in another encoding cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not text in this locale") from None
    return text


def seconds(text: str) -> float:
    """Return a number of seconds, with or without its ``s``."""
    try:
        number = float(text.removesuffix("s"))
    except ValueError:
        number = math.nan
    if not 0 < number <= LONGEST_PROBE_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not a number of seconds, above 0 and at most "
            f"{LONGEST_PROBE_SECONDS:g}"
        )
    return number


def day(text: str) -> date:
    """Return a date."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"{shown(text)} is not a date; write YYYY-MM-DD, such as 2026-12-23"
    )


def month(text: str) -> Month:
    """Return a month."""
    try:
        return parse_month(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a month: {error}") from None


def minutes(text: str) -> int:
    """Return a whole number of minutes; how many are allowed is for the action to say."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a whole number of minutes")
    return int(text)


def port(text: str) -> int:
    """Return a port."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a port; allowed are 1 to 65535")
    return int(text)


def network(text: str) -> Network:
    """Return a network or a single address."""
    from monitor.settings.networks import parse_network  # with it come all settings' models

    try:
        return parse_network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def listen(text: str) -> HostPort:
    """Return a place to listen at."""
    try:
        return parse_host_port(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def location(text: str) -> str:
    """Return the name of a location."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not a location; write 1 to 63 small letters, digits and inner "
            "hyphens, such as london"
        )
    return text
