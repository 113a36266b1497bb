"""Tickets and promises: what waits, how long is left, and how well promises were kept."""

from __future__ import annotations

from dashboards.boards import board
from dashboards.fields import COUNT, colours, link, override
from dashboards.panels import band, heading, lines, number, table
from dashboards.promises import BROKEN, KEPT, answers, months
from dashboards.queries import Json, queries, query, rows_of
from dashboards.words import (
    DOWN,
    NONE_IS_WELL,
    SLOW,
    UNKNOWN,
    UP,
    VIOLETS,
    no_number,
    values,
)

UID = "fettle-tickets"
QUARTER = 900

DEADLINE = "fettle_ticket_next_response_deadline_timestamp_seconds"

STATES = {
    "new": VIOLETS[3],
    "acknowledged": VIOLETS[1],
    "waiting": VIOLETS[0],
    "recovered": VIOLETS[4],
}
"""Hues by the label ``state`` of open tickets."""


def tickets(desk: str) -> Json:
    """Return the board; ``desk`` is the address of the desk."""
    return board(
        UID,
        "Fettle: tickets and promises",
        """What waits for an answer, how long is left, and how well promises were kept. Times to an
        answer are in support hours, as they are promised.""",
        [
            *_numbers(),
            _support(5),
            heading(20, "Open tickets", 8),
            *_open(9),
            heading(21, "How soon they are answered", 17),
            *answers(18),
            heading(22, "How much comes in, and what is kept", 27),
            *months(28),
        ],
        desk=desk,
        since="now-7d",
    )


def _numbers() -> list[Json]:
    return [
        number(
            1,
            "Unanswered",
            (0, 0, 4, 5),
            'sum(fettle_tickets_open{state="new"})',
            description="Tickets that nobody has acknowledged yet, of every priority.",
            unit=COUNT,
            steps=[(None, UP), (1, SLOW)],
            links=[link("The queue on the desk", "/tickets")],
        ),
        number(
            2,
            "Past their deadline",
            (4, 0, 4, 5),
            "sum(fettle_tickets_response_overdue)",
            description="Tickets whose response deadline has passed and that nobody has answered.",
            unit=COUNT,
            steps=NONE_IS_WELL,
            links=[link("The queue on the desk", "/tickets")],
        ),
        number(
            3,
            "Next critical deadline in",
            (8, 0, 4, 5),
            f'min({DEADLINE}{{priority="critical"}}) - time()',
            description="""Time until the nearest deadline among unanswered critical tickets, by the
            clock on the wall. Below zero it has passed.""",
            unit="s",
            decimals=0,
            steps=[(None, DOWN), (0, SLOW), (QUARTER, UP)],
            no_value="none waits",
            links=[link("Critical tickets on the desk", "/tickets?priority=critical")],
        ),
        number(
            4,
            "Oldest unanswered",
            (12, 0, 4, 5),
            "time() - min(fettle_tickets_oldest_unanswered_timestamp_seconds)",
            description="""How long the ticket has waited that has waited longest for an answer, by
            the clock on the wall. It may still be within its promise.""",
            unit="s",
            decimals=0,
            colour="none",
            no_value="none waits",
            links=[link("The queue on the desk", "/tickets")],
        ),
        number(
            5,
            "Promises kept, 30 days",
            (16, 0, 4, 5),
            f"{KEPT} / ({KEPT} + {BROKEN})",
            description="""Share of the promises of the last 30 days that were answered in time.
            Answers are counted when they come, broken promises when their deadline passes.""",
            unit="percentunit",
            decimals=0,
            mappings=[no_number("none was due")],
            steps=[(None, DOWN), (0.95, SLOW), (1, UP)],
        ),
        number(
            6,
            "Support",
            (20, 0, 4, 5),
            'fettle_support_window_open{calendar="default"}',
            description="""Whether support time is running now on the agency's calendar. While it is
            not, no promise runs but those of clients with hours of their own; the band below has
            every calendar.""",
            unit="none",
            mappings=[values({1: ("open", UP), 0: ("closed", UNKNOWN)})],
            steps=[(None, UNKNOWN)],
            no_value="not known",
            links=[link("The calendar on the desk", "/calendar")],
        ),
    ]


def _support(upper: int) -> Json:
    return band(
        7,
        "Support hours",
        (0, upper, 24, 3),
        [query("max by (calendar) (fettle_support_window_open)", "{{calendar}}")],
        description="When support time ran. A promise stands still where support is closed.",
        unit="none",
        mappings=[values({1: ("open", UP), 0: ("closed", UNKNOWN)})],
        steps=[(None, UNKNOWN)],
        has_legend=False,
        links=[link("The calendar on the desk", "/calendar")],
    )


def _open(upper: int) -> list[Json]:
    by_state = {state: f'sum(fettle_tickets_open{{state="{state}"}})' for state in reversed(STATES)}
    left = {"Value #A": "Deadline", "Value #B": "Left", "priority": "Priority"}
    return [
        table(
            8,
            "Now, by priority and state",
            (0, upper, 8, 4),
            [rows_of("sum by (priority, state) (fettle_tickets_open)")],
            description="""Tickets with work outstanding. Recovered: their site is well again, and
            they are still to be looked at.""",
            unit=COUNT,
            transformations=[
                {
                    "id": "groupingToMatrix",
                    "options": {
                        "columnField": "state",
                        "rowField": "priority",
                        "valueField": "Value",
                        "emptyValue": "zero",
                    },
                }
            ],
            overrides=[override("priority\\state", {"displayName": "Priority"})],
            data_links=[link("The queue on the desk", "/tickets")],
        ),
        table(
            9,
            "Next deadlines",
            (0, upper + 4, 8, 4),
            [
                rows_of(f"{DEADLINE} * 1000"),
                rows_of(f"{DEADLINE} - time()", ref="B"),
            ],
            description="The nearest response deadline among unanswered tickets, by priority.",
            unit=COUNT,
            sort_by="Deadline",
            is_falling=False,
            no_value="no ticket waits for an answer",
            transformations=[
                {"id": "merge", "options": {}},
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {"Time": True, "instance": True, "job": True},
                        "indexByName": {"priority": 0, "Value #A": 1, "Value #B": 2},
                        "renameByName": left,
                    },
                },
            ],
            overrides=[
                override(
                    "Priority",
                    {
                        "links": [
                            link(
                                "These tickets on the desk",
                                "/tickets?priority=${__data.fields.priority}",
                            )
                        ]
                    },
                ),
                override("Deadline", {"unit": "dateTimeAsLocal"}),
                override("Left", {"unit": "s", "decimals": 0}),
            ],
        ),
        lines(
            10,
            "Open tickets by state",
            (8, upper, 16, 8),
            queries(by_state),
            fill=75,
            is_stacked=True,
            description="Tickets with work outstanding over the chosen time, of every priority.",
            unit=COUNT,
            decimals=0,
            overrides=colours(STATES),
        ),
    ]
