"""Parts of the board on Fettle's own health: mails, store and pages, alerts that come in."""

from __future__ import annotations

from dashboards.fields import COUNT, colours, link, merge, override
from dashboards.names import JOB
from dashboards.panels import band, lines, table
from dashboards.queries import Json, queries, query, rows_of
from dashboards.words import (
    ACCENT,
    DOWN,
    SLOW,
    UNKNOWN,
    UP,
    VIOLETS,
    values,
)

OLDEST = "fettle_outbox_oldest_pending_timestamp_seconds"


def mails(upper: int) -> list[Json]:
    """Return the panels, the first of them at ``upper``."""
    states = {"pending": VIOLETS[1], "retrying": SLOW, "dead": DOWN}
    return [
        lines(
            12,
            "Outbox",
            (0, upper, 8, 8),
            queries({state: f'sum(fettle_outbox_messages{{state="{state}"}})' for state in states}),
            fill=60,
            is_stacked=True,
            description="Messages never tried, to be tried again, and given up.",
            unit=COUNT,
            decimals=0,
            overrides=colours(states),
            links=[link("The outbox on the desk", "/outbox")],
        ),
        lines(
            13,
            "Age of the oldest message",
            (8, upper, 8, 8),
            queries({"waits for": f"(time() - max({OLDEST})) or vector(0)"}),
            fill=30,
            description="""How long the oldest message has waited that is still to be sent; 0 when
            none waits. The alert FettleOutboxStuck fires at 10 min.""",
            unit="s",
            overrides=colours({"waits for": VIOLETS[2]}),
            links=[link("The outbox on the desk", "/outbox")],
        ),
        lines(
            14,
            "Mails sent and failed attempts",
            (16, upper, 8, 8),
            queries(
                {
                    "sent": "sum(increase(fettle_emails_sent_total[$__interval]))",
                    "failed": "sum(increase(fettle_email_failures_total[$__interval]))",
                }
            ),
            draw="bars",
            fill=85,
            description="""Mails that the mail server accepted, and attempts that failed, whether or
            not a later one got through.""",
            unit=COUNT,
            overrides=colours({"sent": VIOLETS[1], "failed": DOWN}),
            more={"interval": "5m"},
        ),
        *_holds(upper + 8),
    ]


def _holds(upper: int) -> list[Json]:
    return [
        band(
            27,
            "Mail server",
            (0, upper, 12, 5),
            [query("max(fettle_mail_server_failing)", "mail server")],
            description="""Whether the mail server is of use. While it is failing, mails wait
            and none is given up for it.""",
            unit="none",
            mappings=[values({0: ("well", UP), 1: ("failing", DOWN)})],
            steps=[(None, UNKNOWN)],
            has_legend=False,
        ),
        lines(
            28,
            "Held back on purpose",
            (12, upper, 12, 5),
            [
                query("sum by (why) (fettle_outbox_held_messages)", "{{why}}"),
                query("sum(fettle_mail_undeliverable_addresses)", "addresses refused", ref="B"),
            ],
            description="""Messages that wait though nothing about them failed, by why, and
            addresses that were refused for good and take no mail.""",
            unit=COUNT,
            decimals=0,
            overrides=colours({"addresses refused": SLOW}),
        ),
    ]


def service(upper: int) -> list[Json]:
    """Return the panels, the first of them at ``upper``."""
    took = "sum by (le) (rate(fettle_http_request_duration_seconds_bucket[$__rate_interval]))"
    classes = {"2..": ("well", VIOLETS[0]), "3..": ("moved", VIOLETS[1])}
    classes |= {"4..": ("refused", SLOW), "5..": ("failed", DOWN)}
    return [
        lines(
            15,
            "Pages a second, by answer",
            (0, upper, 8, 8),
            queries(
                {
                    word: f'sum(rate(fettle_http_requests_total{{code=~"{code}"}}'
                    "[$__rate_interval])) or vector(0)"
                    for code, (word, _) in classes.items()
                }
            ),
            fill=75,
            is_stacked=True,
            description="Requests to Fettle's own pages: desk, clients' pages, API and metrics.",
            unit="reqps",
            overrides=colours(dict(classes.values())),
        ),
        lines(
            16,
            "How long our own pages take",
            (8, upper, 8, 8),
            queries(
                {
                    "half within": f"histogram_quantile(0.5, {took})",
                    "95 in 100 within": f"histogram_quantile(0.95, {took})",
                }
            ),
            description="Time from a request to Fettle's own pages to the end of the answer.",
            unit="s",
            overrides=colours({"half within": VIOLETS[1], "95 in 100 within": VIOLETS[3]}),
        ),
        lines(
            17,
            "Store errors, by operation",
            (16, upper, 8, 8),
            [
                query(
                    "sum by (operation) (increase(fettle_store_errors_total[$__rate_interval]))",
                    "{{operation}}",
                )
            ],
            fill=40,
            description="Operations that the database refused. See its log and its disk.",
            unit=COUNT,
            decimals=0,
        ),
        lines(
            18,
            "Memory, by process",
            (0, upper + 8, 8, 8),
            [
                query(
                    f'process_resident_memory_bytes{{job="{JOB}", process!=""}}',
                    "{{process}} {{location}}",
                )
            ],
            fill=10,
            description="Memory that the desk and each location's prober hold.",
            unit="bytes",
        ),
        lines(
            19,
            "Processor, by process",
            (8, upper + 8, 8, 8),
            [
                query(
                    f'rate(process_cpu_seconds_total{{job="{JOB}", process!=""}}'
                    "[$__rate_interval])",
                    "{{process}} {{location}}",
                )
            ],
            fill=10,
            description="Share of one processor core that the desk and each location's prober use.",
            unit="percentunit",
        ),
        table(
            20,
            "What runs",
            (16, upper + 8, 8, 8),
            [
                rows_of("max by (version, revision, python_version) (fettle_build_info)"),
                rows_of("max(fettle_config_last_reload_success_timestamp_seconds) * 1000", ref="B"),
                rows_of("sum(fettle_checks_configured)", ref="C"),
                rows_of(f'max(scrape_duration_seconds{{job="{JOB}"}})', ref="D"),
            ],
            description="""Version, when the configuration in force was loaded, how many sites it
            has, and how long Prometheus takes to read the metrics.""",
            unit=COUNT,
            transformations=[
                *merge(
                    names={
                        "version": "Version",
                        "revision": "Revision",
                        "python_version": "Python",
                        "Value #B": "Configuration of",
                        "Value #C": "Sites",
                        "Value #D": "Read in",
                    },
                    hidden=["Value #A"],
                    order=["version", "revision", "Value #C", "Value #B", "Value #D"],
                ),
            ],
            overrides=[
                override("Configuration of", {"unit": "dateTimeAsLocal"}),
                override("Read in", {"unit": "s", "decimals": 2}),
            ],
        ),
    ]


def alerts(upper: int) -> list[Json]:
    """Return the panels, the first of them at ``upper``."""
    return [
        table(
            23,
            "Last sign of life, by source",
            (0, upper, 8, 7),
            [rows_of("max by (source) (time() - fettle_watchdog_last_received_timestamp_seconds)")],
            description="""How long ago the last Watchdog of each source of alerts came. After 15
            minutes the source counts as silent.""",
            unit="s",
            decimals=0,
            steps=[(None, UP), (300, SLOW), (900, DOWN)],
            no_value="No Watchdog was ever received",
            transformations=merge(names={"source": "Source", "Value": "Silent for"}),
            overrides=[override("Silent for", {"custom.cellOptions": {"type": "color-text"}})],
        ),
        lines(
            24,
            "Alerts received",
            (8, upper, 8, 7),
            [
                query(
                    "sum by (status) (increase(fettle_alerts_received_total[$__rate_interval]))",
                    "{{status}}",
                ),
                query(
                    "sum(increase(fettle_alerts_deduplicated_total[$__rate_interval]))",
                    "changed nothing",
                    ref="B",
                ),
            ],
            fill=20,
            description="""Alerts that sources sent, and how many of them changed nothing because
            they were known already. Sources repeat themselves by design.""",
            unit=COUNT,
            overrides=colours(
                {"firing": SLOW, "resolved": UP, "changed nothing": UNKNOWN},
            ),
            no_value="No source of alerts is set up",
        ),
        lines(
            25,
            "Requests of sources, by outcome",
            (16, upper, 8, 7),
            [
                query(
                    "sum by (outcome)"
                    " (increase(fettle_alert_webhook_requests_total[$__rate_interval]))",
                    "{{outcome}}",
                )
            ],
            fill=20,
            description="""How requests of the sources of alerts were answered. Unauthorised means a
            wrong token; store_error that the source will send again.""",
            unit=COUNT,
            overrides=colours({"ok": ACCENT, "unauthorised": SLOW, "store_error": DOWN}),
            no_value="No source of alerts is set up",
        ),
    ]
