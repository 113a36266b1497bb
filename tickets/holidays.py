"""Public holidays, and the calendar of support hours that they make with the settings.

The only module that knows the ``holidays`` package. Nothing here reads a clock: the years are
arguments. Every refusal is a ``ValueError`` whose message is a sentence for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from importlib.metadata import version
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tickets.rules.closure import parse_closure
from tickets.rules.hours import SupportHours, parse_week

if TYPE_CHECKING:
    from tickets.settings.support import HolidaySettings, SupportSettings

YEARS_BACK = 2
YEARS_AHEAD = 6
"""Years around today that a calendar knows: enough for any open ticket and any deadline."""

NO_COUNTRY = "none"
"""Said instead of a country by an agency that works on every public holiday."""

_UNITED_KINGDOM = ("GB", "GBR", "UK")
_LONG_CODE = 3
_MOST_LISTED = 60


def public_holidays(country: str, subdivision: str | None, years: Iterable[int]) -> dict[date, str]:
    """Return the public holidays of a country, with its subdivision's, by date with their names.

    ``country`` is an ISO 3166 code; names are English where the package has them. Raises
    ``ValueError`` that says what is allowed for an unknown country or subdivision, for the United
    Kingdom without a subdivision, and for a year of which the package knows nothing.
    """
    # The package takes a third of a second to import, which most commands need not spend.
    import holidays

    code = country.strip().upper()
    calendar = getattr(holidays, code, None) if code.isalpha() and len(code) in {2, 3} else None
    if calendar is None:
        # Listing them all imports every country, half a second that only a mistake is worth.
        known = holidays.list_supported_countries(include_aliases=True)
        raise ValueError(_unknown_country(country, known))
    _check_subdivision(code, subdivision, calendar.subdivisions, calendar.subdivisions_aliases)
    wanted = sorted(set(years))
    for year in wanted:
        if not calendar.start_year <= year <= calendar.end_year:
            raise ValueError(
                f"the holidays of {code} are known from {calendar.start_year} "
                f"to {calendar.end_year}, not for {year}"
            )
    found = holidays.country_holidays(
        code,
        subdiv=subdivision,
        years=wanted,
        language=_english(calendar.supported_languages or ()),
    )
    return dict(sorted(found.items()))


def calendar_source() -> str:
    """Return what holidays come from, with its version: it decides them as much as the settings."""
    return f"holidays {version('holidays')}"


def _last_known(country: str) -> int:
    """Return the last year for which the package knows the holidays of ``country``."""
    import holidays

    calendar = getattr(holidays, country.strip().upper(), None)
    return int(getattr(calendar, "end_year", date.max.year))


def calendar_years(today: date) -> tuple[int, int]:
    """Return the first and last year that a calendar made on ``today`` should know."""
    return today.year - YEARS_BACK, today.year + YEARS_AHEAD


def build_support_hours(
    support: SupportSettings, timezone: str, *, first_year: int, last_year: int
) -> SupportHours:
    """Return the calendar of support hours for whole years from ``first_year`` to ``last_year``.

    It ends earlier where the holidays of its country are not known for so long.
    A date that is both holiday and within a closure carries the holiday's name; of two closures
    that overlap, the first names it. Raises ``ValueError`` for anything that makes no calendar.
    """
    if support.holidays.country != NO_COUNTRY:
        last_year = max(first_year, min(last_year, _last_known(support.holidays.country)))
    years = range(first_year, last_year + 1)
    days_off: dict[date, str] = {}
    for given in reversed(support.closures):
        closure = parse_closure(given.name, given.start, given.end)
        days_off.update(dict.fromkeys(closure.dates(first_year, last_year), closure.why))
    days_off.update(_holidays_of(support.holidays, years))
    return SupportHours(
        _zone(timezone),
        parse_week(support.hours),
        days_off=days_off,
        first=date(first_year, 1, 1),
        last=date(last_year, 12, 31),
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone of the tz database") from error


def _holidays_of(settings: HolidaySettings, years: range) -> dict[date, str]:
    found: dict[date, str] = {}
    if settings.country != NO_COUNTRY:
        found = public_holidays(settings.country, settings.subdivision, years)
    elif settings.subdivision is not None:
        raise ValueError(f"subdivision {settings.subdivision!r} is given without a country")
    for on in settings.remove:
        if on.year in years and found.pop(on, None) is None:
            raise ValueError(f"{on} cannot be removed: it is no public holiday")
    for day in settings.add:
        if day.date.year in years:
            found[day.date] = day.name
    return found


def _check_subdivision(
    code: str, subdivision: str | None, allowed: Sequence[str], aliases: Mapping[str, str]
) -> None:
    listed = ", ".join(allowed)
    if subdivision is None:
        if code in _UNITED_KINGDOM:
            raise ValueError(
                f"holidays of {code} need a subdivision, one of {listed}: without it Easter "
                "Monday and the August bank holiday would count as support days"
            )
        return
    if subdivision in allowed or subdivision in aliases:
        return
    if not allowed:
        raise ValueError(f"{subdivision!r} is no subdivision of {code}, which has none")
    if len(allowed) > _MOST_LISTED:
        near = get_close_matches(subdivision, [*allowed, *aliases])
        listed = _or_such_as(near, ", ".join(allowed[:_MOST_LISTED]))
        raise ValueError(f"{subdivision!r} is no subdivision of {code}; {listed}")
    raise ValueError(f"{subdivision!r} is no subdivision of {code}; allowed are {listed}")


def _unknown_country(country: str, known: Mapping[str, Sequence[str]]) -> str:
    from holidays.registry import COUNTRIES

    codes = {name.replace("_", " ").title(): codes[1] for name, codes in COUNTRIES.items()}
    names = get_close_matches(country.title(), codes, n=3, cutoff=0.75)
    near = [f"{codes[name]} ({name})" for name in names]
    if not near and len(country) == _LONG_CODE:
        near = [code for code in known if country.upper().startswith(code)]
    return f"{country!r} is no country with known holidays; {_or_such_as(near, 'GB, IE or FR')}"


def _english(languages: Iterable[str]) -> str | None:
    """Return the English to ask for; None leaves the country's own language."""
    english = sorted(language for language in languages if language.startswith("en_"))
    if "en_GB" in english:
        return "en_GB"
    return english[0] if english else None


def _or_such_as(near: Sequence[str], examples: str) -> str:
    return f"did you mean {' or '.join(near)}?" if near else f"allowed are codes such as {examples}"
