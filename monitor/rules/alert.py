"""What a body of Alertmanager or Grafana says, as values; all of its text is hostile.

Nothing here trusts a type, a time or a size: what is odd is mended where its meaning is plain, and
a body that is none of an alert's is refused with a sentence. The text of labels is never a format,
a template or a markup to anybody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import cast

from monitor.rules.label import DATASOURCE_ALERTS, fingerprint_of

MOST_ALERTS = 10_000
"""Most alerts of one body."""

MOST_PAIRS = 64
"""Most labels, and most annotations, that are kept of one alert."""

LONGEST_NAME, LONGEST_LABEL, LONGEST_TEXT = 100, 500, 4000
"""Most characters kept of a name, of a label's value, and of an annotation."""

LONGEST_FINGERPRINT = 100

_LINKS = ("generatorURL", "dashboardURL", "panelURL", "silenceURL")
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_GO_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)? ([+-][0-9]{4})"
)

Clean = Callable[[str], str]
"""Makes text safe to store and to show."""


class AlertStatus(StrEnum):
    """What an alert says of itself."""

    FIRING = "firing"
    RESOLVED = "resolved"


class NoAlertBody(ValueError):
    """The body is none of alerts; the text says why, as a sentence without its stop."""


class TooManyAlerts(ValueError):
    """The body holds more than ``MOST_ALERTS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of a body: cleaned, bounded text, and instants in UTC.

    ``starts_at`` is None where the sender gives no start that can be one; ``ends_at`` is set only
    on a resolved alert. ``links`` are http and https addresses by their field's name.
    """

    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    links: Mapping[str, str]
    starts_at: datetime | None
    ends_at: datetime | None

    @property
    def name(self) -> str:
        """What the rule is called; Grafana's own alerts carry the rule's name in a label."""
        name = self.labels.get("alertname", "")
        rule = self.labels.get("rulename", "")
        if name in DATASOURCE_ALERTS and rule:
            return f"{name}: {rule}"
        return name or "Alert without a name"

    @property
    def summary(self) -> str:
        """What it says of itself in one line; empty if nothing."""
        return self._first("summary", "message", "description", "title")

    @property
    def text(self) -> str:
        """What it says of itself at length; its name if nothing."""
        return self._first("description", "message", "summary") or self.name

    def _first(self, *names: str) -> str:
        return next((self.annotations[name] for name in names if self.annotations.get(name)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertBody:
    """What a request brought; ``truncated`` is how many alerts the sender left out."""

    alerts: tuple[Alert, ...]
    truncated: int = 0
    receiver: str = ""

    def parts(self, most: int) -> Iterator[AlertBody]:
        """Yield the body in parts of at most ``most`` alerts, earlier starts first.

        What the sender left out is told by the first part. An alert without a start comes last.
        """
        alerts = sorted(self.alerts, key=lambda alert: alert.starts_at or _LATEST)
        for first in range(0, len(alerts), most):
            yield AlertBody(
                alerts=tuple(alerts[first : first + most]),
                truncated=0 if first else self.truncated,
                receiver=self.receiver,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An alert as Alertmanager's list shows it, with the receivers that it is routed to.

    ``is_muted`` tells whether a time interval keeps it from them.
    """

    alert: Alert
    receivers: frozenset[str]
    is_muted: bool


def read_alerts(content: bytes, *, clean: Clean, now: datetime) -> AlertBody:
    """Return what a posted body says; raises ``NoAlertBody`` or ``TooManyAlerts``."""
    body = _json(content)
    if isinstance(body, list):
        raise NoAlertBody(
            "it is a list, as Prometheus sends it to Alertmanager: let Alertmanager post here"
        )
    if not isinstance(body, dict):
        raise NoAlertBody("it is no JSON object")
    body = cast("dict[str, object]", body)
    alerts = body.get("alerts")
    if not isinstance(alerts, list):
        raise NoAlertBody(_why_none(body))
    alerts = cast("list[object]", alerts)
    if not alerts:
        raise NoAlertBody("its list 'alerts' is empty")
    if len(alerts) > MOST_ALERTS:
        raise TooManyAlerts(f"it holds {len(alerts):,} alerts; at most {MOST_ALERTS:,} are taken")
    usual = _status(body.get("status")) or AlertStatus.FIRING
    truncated = body.get("truncatedAlerts")
    return AlertBody(
        alerts=tuple(
            _alert(alert, place=f"alerts[{index}]", usual=usual, clean=clean, now=now)
            for index, alert in enumerate(alerts)
        ),
        truncated=min(max(truncated, 0), 10**6) if type(truncated) is int else 0,
        # Alertmanager escapes the name as a regular expression would need it.
        receiver=re.sub(r"\\(.)", r"\1", _text(body.get("receiver"), LONGEST_LABEL, clean)),
    )


def read_list(content: bytes, *, clean: Clean, now: datetime) -> tuple[Listed, ...]:
    """Return Alertmanager's list of alerts, all of which fire; raises ``NoAlertBody``."""
    body = _json(content)
    if not isinstance(body, list):
        raise NoAlertBody("it is no list of alerts")
    found: list[Listed] = []
    for index, each in enumerate(cast("list[object]", body)):
        usual = AlertStatus.FIRING
        alert = _alert(each, place=f"[{index}]", usual=usual, clean=clean, now=now)
        fields = cast("dict[str, object]", each)
        found.append(
            Listed(
                alert=alert,
                receivers=frozenset(
                    _text(_object(one).get("name"), LONGEST_LABEL, clean)
                    for one in _list(fields.get("receivers"))
                ),
                is_muted=bool(_list(_object(fields.get("status")).get("mutedBy"))),
            )
        )
    return tuple(found)


def _json(content: bytes) -> object:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NoAlertBody("it is no UTF-8 text") from error
    except RecursionError as error:
        raise NoAlertBody("it nests deeper than any body of alerts") from error
    except json.JSONDecodeError as error:
        raise NoAlertBody(f"it is no JSON: {error.msg} at line {error.lineno}") from error
    except ValueError as error:
        raise NoAlertBody("it holds a number that is far too long") from error


def _why_none(body: Mapping[str, object]) -> str:
    if {"ruleId", "ruleName", "evalMatches"} & body.keys():
        return (
            "it is of Grafana's legacy alerting, which ended with Grafana 11: let a contact point "
            "of Grafana's present alerting post here"
        )
    if "labels" in body:
        return "it is a single alert: alerts stand in a list 'alerts'"
    return "it has no list 'alerts': a custom payload must keep the sender's own form"


def _alert(given: object, *, place: str, usual: AlertStatus, clean: Clean, now: datetime) -> Alert:
    if not isinstance(given, dict):
        raise NoAlertBody(f"{place} is no JSON object")
    fields = cast("dict[str, object]", given)
    labels = {name: _plain(value) for name, value in _object(fields.get("labels")).items()}
    fingerprint = fields.get("fingerprint")
    if not isinstance(fingerprint, str) or not 0 < len(fingerprint) <= LONGEST_FINGERPRINT:
        if not labels:
            raise NoAlertBody(f"{place} has neither labels nor a fingerprint to know it by")
        fingerprint = fingerprint_of(labels)
    status = _status(fields.get("status")) or usual
    ends_at = _instant(fields.get("endsAt")) if status is AlertStatus.RESOLVED else None
    links = {name: _text(fields.get(name), LONGEST_TEXT, clean) for name in _LINKS}
    return Alert(
        fingerprint=clean(fingerprint),
        status=status,
        labels=_pairs(labels, LONGEST_LABEL, clean),
        annotations=_pairs(_object(fields.get("annotations")), LONGEST_TEXT, clean),
        links={name: link for name, link in links.items() if is_link(link)},
        starts_at=_instant(fields.get("startsAt")),
        ends_at=min(ends_at, now) if ends_at is not None else None,
    )


def is_link(text: str) -> bool:
    """Tell whether ``text`` is an address that a page may link to: http or https, in one word."""
    return text.startswith(("http://", "https://")) and not any(c.isspace() for c in text)


def _status(given: object) -> AlertStatus | None:
    word = given.strip().lower() if isinstance(given, str) else ""
    return AlertStatus(word) if word in set(AlertStatus) else None


def _pairs(given: Mapping[str, object], longest: int, clean: Clean) -> Mapping[str, str]:
    """Return the first pairs by name, so that every sender's order gives the same."""
    names = sorted(given)[:MOST_PAIRS]
    return {_text(name, LONGEST_NAME, clean): _text(given[name], longest, clean) for name in names}


def _text(given: object, longest: int, clean: Clean) -> str:
    text = _plain(given)
    return clean(text if len(text) <= longest else text[: longest - 1] + "…")


def _plain(given: object) -> str:
    """Return a value as text; a sender that writes numbers or words of JSON means their text."""
    if isinstance(given, str):
        return given
    return "" if given is None else json.dumps(given, ensure_ascii=False)


def _object(given: object) -> Mapping[str, object]:
    return cast("dict[str, object]", given) if isinstance(given, dict) else {}


def _list(given: object) -> list[object]:
    return cast("list[object]", given) if isinstance(given, list) else []


def _instant(given: object) -> datetime | None:
    """Return an instant of RFC 3339 or in Go's own form; None for any other, and before 1971.

    It is cut to milliseconds: Alertmanager's list has no more, and names the same start as a body.
    """
    if not isinstance(given, str) or len(given) > LONGEST_NAME:
        return None
    go = _GO_TIME.match(given)
    text = f"{go[1]}T{go[2]}{go[3] or ''}{go[4]}" if go else given
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at.replace(microsecond=at.microsecond // 1000 * 1000) if at >= _EARLIEST else None
