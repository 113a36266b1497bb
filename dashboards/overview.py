"""The wall: is anything wrong, how long is left, and which sites are it."""

from __future__ import annotations

from dashboards.boards import CHOICES, board
from dashboards.fields import COUNT, link, merge, override, thresholds
from dashboards.names import JOB
from dashboards.panels import band, number, table
from dashboards.queries import SITES, Json, query, rows_of
from dashboards.words import (
    DOWN,
    GOOD_SHARE,
    NONE_IS_WELL,
    RANKS,
    SLOW,
    STATES,
    UNKNOWN,
    UP,
    no_number,
    rank,
    values,
)

UID = "fettle-overview"
STATE = f"fettle_check_status_code{{{SITES}}}"
QUARTER = 900

INCIDENTS = {
    4: ("down", "■ Down", DOWN),
    3: ("slow", "◐ Slow", SLOW),
    2: ("tls", "Certificate", SLOW),
    1: ("domain", "Domain", SLOW),
}
"""Open incidents by how bad they are: the label ``kind``, the word and the hue."""


def overview(desk: str) -> Json:
    """Return the board; ``desk`` is the address of the desk."""
    return board(
        UID,
        "Fettle: overview",
        """What is wrong now, how long is left to answer, and how each site stands. Made to be read
        from across a room.""",
        [*_numbers(), _troubled(), _sites()],
        desk=desk,
        choices=CHOICES,
        refresh="30s",
    )


def _numbers() -> list[Json]:
    return [
        number(
            1,
            "Sites down",
            (0, 0, 4, 6),
            f"count({STATE} == 0) or vector(0)",
            description="Sites that are down after confirmation. 0 is well.",
            unit=COUNT,
            steps=NONE_IS_WELL,
            links=[link("Sites that are down, on the desk", "/sites?state=down")],
        ),
        number(
            2,
            "Sites slow",
            (4, 0, 4, 6),
            f"count({STATE} == 2) or vector(0)",
            description="Sites that answer well but later than their limit, after confirmation.",
            unit=COUNT,
            steps=[(None, UP), (1, SLOW)],
            links=[link("Sites that are slow, on the desk", "/sites?state=slow")],
        ),
        number(
            3,
            "Critical tickets",
            (8, 0, 4, 6),
            'sum(fettle_tickets_open{priority="critical"})',
            description="""Critical tickets with work outstanding, also those that were acknowledged
            or whose site is well again.""",
            unit=COUNT,
            steps=[(None, UP), (1, SLOW), (3, DOWN)],
            links=[link("Critical tickets on the desk", "/tickets?priority=critical")],
        ),
        number(
            4,
            "Next deadline in",
            (12, 0, 5, 6),
            "min(fettle_ticket_next_response_deadline_timestamp_seconds) - time()",
            description="""Time until the nearest response deadline among unanswered tickets, by the
            clock on the wall. Below zero it has passed. Out of support hours it may be far off.""",
            unit="s",
            decimals=0,
            steps=[(None, DOWN), (0, SLOW), (QUARTER, UP)],
            no_value="none waits",
            links=[link("The queue on the desk", "/tickets")],
        ),
        number(
            5,
            "Certificates, 21 days",
            (17, 0, 3, 6),
            f"count(min by (client, site) (probe_ssl_earliest_cert_expiry{{{SITES}}}) - time()"
            " < 21 * 86400) or vector(0)",
            description="Sites with a certificate that ends within 21 days or has ended.",
            unit=COUNT,
            steps=[(None, UP), (1, SLOW)],
            links=[link("All sites on the desk", "/sites")],
        ),
        number(
            6,
            "Mails waiting",
            (20, 0, 2, 6),
            'sum(fettle_outbox_messages{state=~"pending|retrying"})',
            description="Messages in the outbox that are still to be sent, tried before or not.",
            unit=COUNT,
            steps=[(None, UP), (20, SLOW), (100, DOWN)],
            links=[link("The outbox on the desk", "/outbox")],
        ),
        number(
            7,
            "Fettle",
            (22, 0, 2, 6),
            "(time() - max(fettle_scheduler_last_tick_timestamp_seconds) < bool 120)"
            f' * max(up{{job="{JOB}"}}) * (1 + max(fettle_location_blind)) or vector(0)',
            description="""Whether Fettle itself is watching: it answers Prometheus, its last tick
            is younger than two minutes, and no location is blind. If not, trust nothing else
            here.""",
            unit="none",
            mappings=[values({1: ("on", UP), 2: ("blind", DOWN), 0: ("OFF", DOWN)})],
            steps=[(None, DOWN), (1, UP)],
            links=[link("What Fettle says of itself", "/-/ready")],
        ),
    ]


def _troubled() -> Json:
    well = " or ".join(
        f"{extreme}_over_time({STATE}[$__range] @ end()) != 1" for extreme in ("min", "max")
    )
    names = f"max by (client, site, name) (fettle_check_info{{{SITES}}})"
    troubled = f"({STATE} and on (client, site) ({well}))"
    return band(
        8,
        "Sites that were not up all the time",
        (0, 6, 24, 9),
        [query(f"{troubled} * on (client, site) group_left (name) {names}", "{{name}}")],
        description="""How sites stood over the chosen time. Sites that were up throughout are left
        out, so that a hundred of them hide nothing.""",
        unit="none",
        mappings=STATES,
        steps=[(None, UNKNOWN)],
        no_value="No site was seen other than up",
        data_links=[link("${__field.labels.name} on the desk", "/sites/${__field.labels.site}")],
    )


def _sites() -> Json:
    names = {
        "name": "Site",
        "client": "Client",
        "Value #A": "State",
        "Value #B": "Uptime 30 d",
        "Value #C": "Median response 1 d",
        "Value #D": "Certificate ends in",
        "Value #E": "Open incident",
    }
    by_site = "max by (client, site)"
    incident = " or ".join(
        f'{weight} * fettle_incident_open{{{SITES}, kind="{kind}"}}'
        for weight, (kind, _, _) in INCIDENTS.items()
    )
    words = {weight: (word, hue) for weight, (_, word, hue) in INCIDENTS.items()}
    coloured = {"custom.cellOptions": {"type": "color-background", "mode": "basic"}}
    return table(
        9,
        "Every site, the worst first",
        (0, 15, 24, 14),
        [
            rows_of(
                f"{by_site} ({rank(SITES)}) * on (client, site) group_left (name)"
                f" max by (client, site, name) (fettle_check_info{{{SITES}}})"
            ),
            rows_of(f"{by_site} (site:fettle_checks_good:ratio_increase30d{{{SITES}}})", ref="B"),
            rows_of(f"{by_site} (site:probe_duration_seconds:median1d{{{SITES}}})", ref="C"),
            rows_of(
                f"(min by (client, site) (probe_ssl_earliest_cert_expiry{{{SITES}}}) - time())"
                " / 86400",
                ref="D",
            ),
            rows_of(f"{by_site} ({incident})", ref="E"),
        ],
        description="""Uptime is from counters of probes, over 30 days or as long as Prometheus
        knows the site. The median is of the slowest location over a day. A click opens the site
        on the desk, with its incidents and tickets.""",
        unit=COUNT,
        sort_by="State",
        no_value="–",
        transformations=merge(
            names=names,
            hidden=["site"],
            order=[
                "Value #A",
                "name",
                "client",
                "Value #E",
                "Value #B",
                "Value #C",
                "Value #D",
                "site",
            ],
        ),
        overrides=[
            override("State", {"mappings": RANKS, "custom.width": 150, **coloured}),
            override(
                "Site",
                {"links": [link("The site on the desk", "/sites/${__data.fields.site}")]},
            ),
            override(
                "Uptime 30 d",
                {
                    "unit": "percentunit",
                    "decimals": 2,
                    "mappings": [no_number("no probes")],
                    "thresholds": thresholds(GOOD_SHARE),
                    "custom.cellOptions": {"type": "color-text"},
                },
            ),
            override("Median response 1 d", {"unit": "s", "decimals": 2}),
            override(
                "Certificate ends in",
                {
                    "unit": "suffix: days",
                    "decimals": 0,
                    "thresholds": thresholds([(None, DOWN), (3, SLOW), (21, UP)]),
                    "custom.cellOptions": {"type": "color-text"},
                },
            ),
            override(
                "Open incident",
                {
                    "mappings": [values({0: ("–", "text"), **words})],
                    "custom.cellOptions": {"type": "color-text"},
                    "links": [
                        link("The site and its ticket, on the desk", "/sites/${__data.fields.site}")
                    ],
                },
            ),
        ],
    )
