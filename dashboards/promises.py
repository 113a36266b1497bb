"""Parts of the board on tickets: how soon they are answered, and which promises were kept."""

from __future__ import annotations

from collections.abc import Iterator

from dashboards.fields import COUNT, colours, limit_line, override_like
from dashboards.panels import bars, lines
from dashboards.queries import Json, buckets, queries
from dashboards.words import (
    ACCENT,
    DOWN,
    MAINTENANCE,
    PRIORITIES,
    SLOW,
    UNKNOWN,
    UP,
    VIOLETS,
)
from tickets.metrics import SOURCES
from tickets.time_metrics import RESPONSE_TIME

MINUTE, HOUR = 60, 3600

ANSWERED = RESPONSE_TIME.name
BROKEN = "sum(increase(fettle_ticket_sla_breaches_total[30d]))"
LATE = "sum(fettle_tickets_response_overdue)"
LATE_BEFORE = "(sum(fettle_tickets_response_overdue offset 30d) or vector(0))"
KEPT = f"clamp_min(sum(increase({ANSWERED}_count[30d])) - ({BROKEN} - ({LATE} - {LATE_BEFORE})), 0)"
"""Promises answered in time: all answers but those that came after a breach.

A breach is counted when its deadline passes and an answer when it comes, so breaches that are still
unanswered are set off.
"""


def answers(upper: int) -> list[Json]:
    """Return the panels, the first of them at ``upper``."""
    critical = f'sum by (le) (increase({ANSWERED}_bucket{{priority="critical"}}[30d]))'
    target = 'fettle_ticket_response_target_seconds{priority="critical"}'
    half, most, promise = "half within", "nine in ten within", "promised"
    return [
        bars(
            11,
            "Answers to critical tickets in 30 days, by support time",
            (0, upper, 12, 9),
            [
                buckets(f'sum by (le) (increase({ANSWERED}_bucket{{priority="critical"}}[30d]))')
                | {"instant": True, "range": False}
            ],
            description="""How many critical tickets of the last 30 days were answered within which
            support time. The red bars took more than the hour that is promised unless the
            settings say otherwise.""",
            unit=COUNT,
            decimals=0,
            lowest=0,
            no_value="No critical ticket was answered",
            overrides=[*_bucket_names()],
        ),
        lines(
            12,
            "Support time to an answer, critical tickets",
            (12, upper, 12, 9),
            queries(
                {
                    half: f"histogram_quantile(0.5, {critical})",
                    most: f"histogram_quantile(0.9, {critical})",
                    promise: f"max({target})",
                }
            ),
            description="""How much support time half and nine in ten of the critical tickets of the
            30 days before took to be answered. What is above the dashed line broke its promise.""",
            unit="s",
            overrides=[
                *colours({half: VIOLETS[1], most: VIOLETS[3]}),
                limit_line(promise, SLOW),
            ],
            no_value="No critical ticket was answered",
            more={"timeFrom": "30d"},
        ),
    ]


def _bucket_names() -> Iterator[Json]:
    """Yield an override for each bucket: what it holds in words, and whether that is in time."""
    lower = "0"
    for edge in RESPONSE_TIME.buckets:
        upper = f"{edge / HOUR:g} h" if edge >= HOUR else f"{edge / MINUTE:g} min"
        # Prometheus 3 writes 300 as 300.0.
        yield override_like(
            rf"/^{edge:g}(\.0)?$/",
            {
                "displayName": f"{lower} to {upper}",
                "color": {"mode": "fixed", "fixedColor": ACCENT if edge <= HOUR else DOWN},
            },
        )
        lower = upper
    yield override_like(
        r"/^\+Inf$/",
        {"displayName": f"over {lower}", "color": {"mode": "fixed", "fixedColor": DOWN}},
    )


def months(upper: int) -> list[Json]:
    """Return the panels, the first of them at ``upper``."""
    sources = sorted({*SOURCES.values()})
    hues = (*VIOLETS, MAINTENANCE, UNKNOWN, SLOW)
    return [
        lines(
            13,
            "Promises kept and broken, by 30 days",
            (0, upper, 12, 8),
            queries({"kept": KEPT, "broken": BROKEN}),
            draw="bars",
            fill=85,
            is_stacked=True,
            description="""Each bar is 30 days. Answers are counted when they come, broken promises
            when their deadline passes.""",
            unit=COUNT,
            decimals=0,
            overrides=colours({"kept": UP, "broken": DOWN}),
            no_value="Nothing was promised",
            more={"interval": "30d", "timeFrom": "180d"},
        ),
        lines(
            14,
            "Tickets opened, by source and day",
            (12, upper, 12, 8),
            queries(
                {
                    source: f'sum(increase(fettle_tickets_opened_total{{source="{source}"}}[1d]))'
                    for source in sources
                }
            ),
            draw="bars",
            fill=85,
            is_stacked=True,
            description="What opened tickets: the monitor, alerts, the form, staff, the API.",
            unit=COUNT,
            decimals=0,
            overrides=colours(dict(zip(sources, hues, strict=False))),
            more={"interval": "1d", "timeFrom": "30d"},
        ),
        *_by_priority(upper + 8),
    ]


def _by_priority(upper: int) -> list[Json]:
    return [
        lines(
            15,
            "Broken promises, by priority",
            (0, upper, 12, 7),
            queries(
                {
                    priority: "sum(increase(fettle_ticket_sla_breaches_total"
                    f'{{priority="{priority}"}}[30d]))'
                    for priority in PRIORITIES
                }
            ),
            description="Promises broken in the 30 days before each moment.",
            unit=COUNT,
            decimals=0,
            overrides=colours(PRIORITIES),
            more={"timeFrom": "90d", "interval": "1d"},
        ),
        lines(
            16,
            "Tickets resolved and taken up again, by day",
            (12, upper, 12, 7),
            queries(
                {
                    "resolved": "sum(increase(fettle_tickets_resolved_total[1d]))",
                    "taken up again": "sum(increase(fettle_tickets_reopened_total[1d]))",
                }
            ),
            draw="bars",
            fill=85,
            description="Tickets that staff resolved, and resolved ones that were taken up again.",
            unit=COUNT,
            decimals=0,
            overrides=colours({"resolved": VIOLETS[1], "taken up again": VIOLETS[4]}),
            more={"interval": "1d", "timeFrom": "30d"},
        ),
    ]
