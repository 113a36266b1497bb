"""Fettle's own health: whether it ticks, sees, stores, mails and is told of alerts."""

from __future__ import annotations

from dashboards.boards import board
from dashboards.fields import COUNT, colours, limit_line, link
from dashboards.panels import heading, heat, lines, number
from dashboards.queries import Json, buckets, queries
from dashboards.service import alerts, mails, service
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

UID = "fettle-health"
TICK = "fettle_scheduler_last_tick_timestamp_seconds"
BLIND_FROM = 0.3
"""Share of probes that say nothing above which the alert FettleBlind fires."""

UNSEEING = (
    'sum(increase(fettle_checks_total{result=~"unknown|error"}[5m]))'
    " / sum(increase(fettle_checks_total[5m]))"
)


def health(desk: str) -> Json:
    """Return the board; ``desk`` is the address of the desk."""
    return board(
        UID,
        "Fettle: own health",
        """Whether Fettle itself is well: what ticks, what sees, what is stored, what is mailed and
        what it hears of alerts. A wall that shows no trouble is worth as much as this board.""",
        [
            *_numbers(),
            heading(30, "Probing", 4),
            *_probing(5),
            heading(31, "Mails", 21),
            *mails(22),
            heading(32, "Store and pages", 35),
            *service(36),
            heading(33, "Alerts that come in", 52),
            *alerts(53),
        ],
        desk=desk,
        since="now-6h",
    )


def _numbers() -> list[Json]:
    return [
        number(
            1,
            "Last tick",
            (0, 0, 3, 4),
            f"time() - max({TICK})",
            description="How long ago the prober last ticked; it does so each second.",
            unit="s",
            decimals=0,
            steps=[(None, UP), (30, SLOW), (120, DOWN)],
            no_value="never",
            links=[link("What Fettle says of itself", "/-/ready")],
        ),
        number(
            26,
            "Sight",
            (3, 0, 3, 4),
            "max(fettle_location_blind)",
            description="""Whether every location sees: blind is one whose canaries failed with its
            sites, that missed its slots, or that gives no sign of life.""",
            unit="none",
            mappings=[values({0: ("sees", UP), 1: ("blind", DOWN)})],
            steps=[(None, UNKNOWN)],
            no_value="none",
        ),
        number(
            2,
            "Slots missed, 1 hour",
            (6, 0, 4, 4),
            'sum(increase(fettle_checks_total{result="error"}[1h]))',
            description="""Times at which a site should have been probed and was not, because the
            prober could not keep up or stood still.""",
            unit=COUNT,
            decimals=0,
            steps=[(None, UP), (1, SLOW), (20, DOWN)],
        ),
        number(
            3,
            "Probes that say nothing",
            (10, 0, 4, 4),
            UNSEEING,
            description="""Share of the probes of the last five minutes that say nothing of their
            site: the canaries failed with it, so that our own network or name servers are at fault,
            or the slot was missed. From 30 % on the prober counts as blind.""",
            unit="percentunit",
            decimals=0,
            mappings=[no_number("no probes")],
            steps=[(None, UP), (0.05, SLOW), (BLIND_FROM, DOWN)],
        ),
        number(
            4,
            "Messages given up",
            (14, 0, 3, 4),
            'sum(fettle_outbox_messages{state="dead"})',
            description="Messages that will not be tried again unless somebody puts them back.",
            unit=COUNT,
            steps=NONE_IS_WELL,
            links=[link("These messages on the desk", "/outbox?state=dead")],
        ),
        number(
            5,
            "Configuration",
            (17, 0, 4, 4),
            "min(fettle_config_last_reload_successful)",
            description="""Whether the last load of the configuration worked. If not, the one from
            before is in force.""",
            unit="none",
            mappings=[values({1: ("in force", UP), 0: ("refused", DOWN)})],
            steps=[(None, UNKNOWN)],
        ),
        number(
            6,
            "Store errors, 1 hour",
            (21, 0, 3, 4),
            "sum(increase(fettle_store_errors_total[1h]))",
            description="Reads and writes that the database refused.",
            unit=COUNT,
            decimals=0,
            steps=NONE_IS_WELL,
        ),
    ]


def _probing(upper: int) -> list[Json]:
    late = "sum by (le) (rate(fettle_scheduler_lateness_seconds_bucket[$__rate_interval]))"
    outcomes = {"ok": VIOLETS[0], "error": DOWN, "missed": SLOW, "skipped": UNKNOWN}
    return [
        heat(
            7,
            "How late probes start",
            (0, upper, 12, 8),
            [
                buckets(
                    "sum by (le)"
                    " (increase(fettle_scheduler_lateness_seconds_bucket[$__rate_interval]))"
                )
            ],
            description="""How long after its time each probe started; the darker, the more. Most
            belong into the lowest rows.""",
            unit="s",
        ),
        lines(
            8,
            "Late starts: half and 99 in 100",
            (12, upper, 12, 8),
            queries(
                {
                    "half within": f"histogram_quantile(0.5, {late})",
                    "99 in 100 within": f"histogram_quantile(0.99, {late})",
                }
            ),
            description="""How late half of the probes and 99 in 100 of them started at most. The
            alert FettleProbesLate fires at 5 s.""",
            unit="s",
            overrides=colours({"half within": VIOLETS[1], "99 in 100 within": VIOLETS[3]}),
        ),
        lines(
            9,
            "Probes a second, by outcome",
            (0, upper + 8, 8, 8),
            queries(
                {
                    outcome: "sum(rate(fettle_scheduler_runs_total"
                    f'{{job="probe", outcome="{outcome}"}}[$__rate_interval]))'
                    for outcome in outcomes
                }
            ),
            fill=75,
            is_stacked=True,
            description="Probes that were made, failed for our own reasons, or were missed.",
            unit="ops",
            overrides=colours(outcomes),
        ),
        lines(
            10,
            "Due and running",
            (8, upper + 8, 8, 8),
            queries(
                {
                    "due": "sum(fettle_scheduler_due_checks)",
                    "running": "sum(fettle_probes_in_flight)",
                }
            ),
            fill=15,
            description="""Probes that are due and not started, and that are running. Due ones that
            pile up mean that probing.concurrency is too low.""",
            unit=COUNT,
            overrides=colours({"due": SLOW, "running": VIOLETS[2]}),
        ),
        lines(
            11,
            "Probes that say nothing of their site",
            (16, upper + 8, 8, 8),
            queries({"share": UNSEEING, "blind from here": f"vector({BLIND_FROM})"}),
            fill=40,
            description="""Share of the probes whose fault was our own: the canaries failed too, or
            the slot was missed. Above the dashed line the prober counts as blind and an outage of a
            client would not be noticed.""",
            unit="percentunit",
            overrides=[*colours({"share": UNKNOWN}), limit_line("blind from here", DOWN)],
        ),
    ]
