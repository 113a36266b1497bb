"""One site: how it stands and stood, where its time goes, what its counters and certificate say."""

from __future__ import annotations

from dashboards.boards import FEW_SITES, board
from dashboards.fields import COUNT, colours, limit_line, link, merge, override
from dashboards.panels import Place, band, heading, lines, number, table
from dashboards.queries import SITES, Json, queries, query, rows_of
from dashboards.words import (
    DOWN,
    GOOD_SHARE,
    RESULTS,
    SLOW,
    STATES,
    STATUS_CODES,
    UNKNOWN,
    UP,
    VIOLETS,
    no_number,
)
from monitor.rules.observation import Phase

UID = "fettle-site"
LIMIT = "slow from here"


def site(desk: str) -> Json:
    """Return the board; ``desk`` is the address of the desk."""
    return board(
        UID,
        "Fettle: site",
        """Everything that the probes saw of a site. Choose one or a few above; each has a part of
        its own. Incidents are marked on every graph.""",
        [
            heading(1, "$site", 0, repeat="site"),
            *_numbers(1),
            _states(5),
            *_answers(9),
            *_counts(19),
            _certificate(27),
        ],
        desk=desk,
        choices=FEW_SITES,
    )


def _numbers(upper: int) -> list[Json]:
    return [
        number(
            2,
            "State",
            (0, upper, 4, 4),
            f"max(fettle_check_status_code{{{SITES}}})",
            description="How the site stands now, after confirmation.",
            unit="none",
            mappings=STATES,
            steps=[(None, UNKNOWN)],
            links=[link("This site on the desk", "/sites/${site}")],
        ),
        _uptime(
            3,
            "Uptime, 24 hours",
            (4, upper, 4, 4),
            operation="ratio_increase1d",
            description="Share of probes that were answered well, slow ones too, from counters.",
        ),
        _uptime(
            4,
            "Uptime, 30 days",
            (8, upper, 4, 4),
            operation="ratio_increase30d",
            description="""Share of probes that were answered well over 30 days, or as long as
            Prometheus knows the site. From counters.""",
        ),
        number(
            5,
            "Median response, 24 hours",
            (12, upper, 4, 4),
            f"max(site:probe_duration_seconds:median1d{{{SITES}}})",
            description="Half of the probes took no longer, at the slowest location.",
            unit="s",
            decimals=2,
            colour="none",
            no_value="no probes",
        ),
        number(
            6,
            "Certificate ends in",
            (16, upper, 4, 4),
            f"(min(probe_ssl_earliest_cert_expiry{{{SITES}}}) - time()) / 86400",
            description="Days until the first of the certificates ends that the site shows.",
            unit="suffix: days",
            decimals=0,
            steps=[(None, DOWN), (3, SLOW), (21, UP)],
            no_value="no TLS",
        ),
        number(
            7,
            "Last probe",
            (20, upper, 4, 4),
            f"time() - max(fettle_check_last_run_timestamp_seconds{{{SITES}}})",
            description="""How long ago the last probe ended. It should be no more than the site's
            interval.""",
            unit="s",
            decimals=0,
            colour="none",
            no_value="never",
        ),
    ]


def _uptime(id_: int, title: str, at: Place, *, operation: str, description: str) -> Json:
    return number(
        id_,
        title,
        at,
        f"min(site:fettle_checks_good:{operation}{{{SITES}}})",
        description=description,
        unit="percentunit",
        decimals=2,
        mappings=[no_number("no probes")],
        steps=GOOD_SHARE,
        no_value="no probes",
    )


def _states(upper: int) -> Json:
    return band(
        8,
        "State",
        (0, upper, 24, 4),
        [query(f"max by (site) (fettle_check_status_code{{{SITES}}})", "{{site}}")],
        description="How the site stood over the chosen time, after confirmation.",
        unit="none",
        mappings=STATES,
        steps=[(None, UNKNOWN)],
        has_legend=False,
        data_links=[link("This site on the desk", "/sites/${site}")],
    )


def _answers(upper: int) -> list[Json]:
    phases = {
        phase.value: f'max(probe_http_duration_seconds{{{SITES}, phase="{phase}"}})'
        for phase in Phase
    }
    hues = dict(zip(phases, VIOLETS, strict=True))
    return [
        lines(
            9,
            "Response time by phase",
            (0, upper, 16, 10),
            queries({**phases, LIMIT: f"max(fettle_check_slow_threshold_seconds{{{SITES}}})"}),
            fill=75,
            is_stacked=True,
            description="""Where the time of each probe went, at the slowest location: lookup,
            connection, TLS, waiting for the answer, its transfer. A probe above the dashed line is
            slow. A probe that got no answer ends where it failed.""",
            unit="s",
            overrides=[*colours(hues), limit_line(LIMIT, SLOW)],
            links=[link("This site on the desk", "/sites/${site}")],
        ),
        band(
            10,
            "Status codes",
            (16, upper, 8, 5),
            [query(f"max by (site) (probe_http_status_code{{{SITES}}})", "code")],
            description="Status code of the final answer; 0 where there was none.",
            unit="none",
            mappings=STATUS_CODES,
            steps=[(None, UNKNOWN)],
            has_legend=False,
        ),
        lines(
            11,
            "Failed probes in a row",
            (16, upper + 5, 8, 5),
            queries({"in a row": f"max(fettle_check_consecutive_failures{{{SITES}}})"}),
            fill=40,
            description="""Probes in a row that found the site down. An incident opens after as many
            as probing.confirm_down says.""",
            unit=COUNT,
            decimals=0,
            overrides=colours({"in a row": DOWN}),
        ),
    ]


def _counts(upper: int) -> list[Json]:
    results = {
        result: f'sum(increase(fettle_checks_total{{{SITES}, result="{result}"}}[$__interval]))'
        for result in RESULTS
    }
    return [
        lines(
            12,
            "Probes by result",
            (0, upper, 12, 8),
            queries(results),
            draw="bars",
            fill=85,
            is_stacked=True,
            description="""Probes that ended, by result. Unknown and error say nothing of the site:
            the fault was our own, or a probe could not be made.""",
            unit=COUNT,
            overrides=colours(RESULTS),
            more={"interval": "5m"},
        ),
        lines(
            13,
            "Uptime by the hour",
            (12, upper, 12, 8),
            queries({"uptime": f"min(site:fettle_checks_good:ratio_increase1h{{{SITES}}})"}),
            fill=20,
            description="""Share of the probes of the last hour that were answered well, at each
            moment. From counters, so that no outage falls between two scrapes.""",
            unit="percentunit",
            highest=1,
            overrides=colours({"uptime": UP}),
        ),
    ]


def _certificate(upper: int) -> Json:
    names = {
        "subject": "Subject",
        "issuer": "Issuer",
        "subjectalternative": "Names",
        "serialnumber": "Serial number",
        "version": "TLS",
        "cipher": "Cipher",
        "Value #D": "First end",
    }
    return table(
        14,
        "Certificate and connection",
        (0, upper, 24, 4),
        [
            rows_of(
                "max by (subject, issuer, subjectalternative, serialnumber)"
                f" (probe_ssl_last_chain_info{{{SITES}}})"
            ),
            rows_of(f"max by (version) (probe_tls_version_info{{{SITES}}})", ref="B"),
            rows_of(f"max by (cipher) (probe_tls_cipher_info{{{SITES}}})", ref="C"),
            rows_of(f"min(probe_ssl_earliest_cert_expiry{{{SITES}}}) * 1000", ref="D"),
        ],
        description="""What the last probe saw of the site's certificate, verified or not, and how
        it spoke to it. The first end is the soonest among the certificates that were sent.""",
        unit=COUNT,
        no_value="no TLS",
        transformations=merge(
            names=names,
            hidden=["Value #A", "Value #B", "Value #C"],
            order=[
                "subject",
                "issuer",
                "Value #D",
                "subjectalternative",
                "version",
                "cipher",
                "serialnumber",
            ],
        ),
        overrides=[override("First end", {"unit": "dateTimeAsLocal"})],
    )
