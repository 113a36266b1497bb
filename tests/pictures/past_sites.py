"""The past of sites: states, probes, counters, incidents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from tests.pictures.instants import (
    DAY,
    HOUR,
    MINUTE,
    OLDER,
    Part,
    always,
)
from tests.seeded import CLIENTS, NAMES

SPANS: Mapping[str, Sequence[tuple[float, float, int]]] = {
    "menu": [(-0.2, 0, 0), (-72, -71.6, 0), (-216, -215, 0)],
    "rooms": [(-0.9, 0, 2), (-20, -17.5, 2), (-90, -88, 2)],
    "spa": [(-1, 1, 3), (-25, -23, 3), (-49, -47, 3)],
    "tickets": [(-3, -2, 0), (-9, -8.2, 2)],
    "foyer": [(-0.4, 0, 5), (-13, -12.6, 0)],
    "booking": [],
}
"""Hours before the end, and the state that a site was in between them; it is up otherwise."""


@dataclass(slots=True)
class SitesPast:
    """What became of sites, up to ``end`` (Unix seconds)."""

    end: int

    def state(self, slug: str, at: int) -> int:
        """Return the code of the state that a site was in."""
        ago = (at - self.end) / HOUR
        return next((code for since, until, code in SPANS[slug] if since < ago <= until), 1)

    def _spent(self, slug: str, code: int, at: int) -> float:
        """Return the minutes that a site spent in a state until then."""
        first = self.end - OLDER
        spans = [
            (max(first, self.end + since * HOUR), min(at, self.end + until * HOUR))
            for since, until, of in SPANS[slug]
            if of == code
        ]
        return sum(max(0, until - since) for since, until in spans) / MINUTE

    def _counted(self, slug: str, result: str, at: int) -> float:
        whole = (at - (self.end - OLDER)) / MINUTE
        down, slow, unknown = (self._spent(slug, code, at) for code in (0, 2, 5))
        return {
            "up": whole - down - slow - unknown,
            "slow": slow,
            "down": down * 1.5,
            "unknown": unknown,
            "error": max(0, self._spent("foyer", 5, at) // 6) if slug == "foyer" else 0,
        }[result]

    def _seconds(self, slug: str, at: int) -> float:
        noise = Random(f"{slug}{at}").random()
        base = 0.18 + 0.09 * (sum(map(ord, slug)) % 7)
        day = 0.5 + 0.5 * math.sin((at % DAY) / DAY * 2 * math.pi - 2)
        good = base * (0.8 + 0.5 * day + 0.5 * noise**4)
        return {0: 0.02, 2: 3.4 + 1.6 * noise}.get(self.state(slug, at), good)

    def _phase(self, slug: str, phase: str, at: int) -> float:
        seconds = self._seconds(slug, at)
        early = {"resolve": 0.01, "connect": 0.02, "tls": 0.04}
        if self.state(slug, at) == 0:
            return {"resolve": 0.008, "connect": 0.012}.get(phase, 0)
        share = {"processing": 0.75, "transfer": 0.25}
        rest = seconds - sum(early.values())
        return early[phase] if phase in early else rest * share[phase]

    def _failures(self, slug: str, at: int) -> float:
        return float(self._spent(slug, 0, at) - self._spent(slug, 0, at - 4 * HOUR)) * (
            self.state(slug, at) == 0
        )

    def series(self) -> Part:
        """Yield the series."""
        for place, (slug, (client, title)) in enumerate(NAMES.items()):
            bare = {"site": slug, "client": client}
            labels = bare | {"instance": f"https://{slug}.{client}.test/"}
            ends = self.end + (12.4, 88, 54, 31, 160, 71)[place] * DAY
            yield "fettle_check_status_code", labels, partial(self.state, slug)
            yield "fettle_check_info", labels | {"name": title, "kind": "http"}, always(1)
            yield "fettle_check_interval_seconds", labels, always(60)
            yield "fettle_check_slow_threshold_seconds", labels, always(3)
            yield "fettle_check_last_run_timestamp_seconds", labels, lambda at: at - 23
            yield "fettle_check_consecutive_failures", labels, partial(self._failures, slug)
            yield "probe_duration_seconds", labels, partial(self._seconds, slug)
            yield "probe_http_status_code", labels, partial(self._code, slug)
            yield "probe_ssl_earliest_cert_expiry", labels, always(ends)
            subject = {
                "subject": f"CN={slug}.{client}.test",
                "issuer": "CN=Test authority,O=Authority",
                "subjectalternative": f"{slug}.{client}.test",
                "serialnumber": "0f",
                "fingerprint_sha256": "ab12",
            }
            yield "probe_ssl_last_chain_info", labels | subject, always(1)
            yield "probe_tls_version_info", labels | {"version": "TLS 1.3"}, always(1)
            cipher = {"cipher": "TLS_AES_128_GCM_SHA256"}
            yield "probe_tls_cipher_info", labels | cipher, always(1)
            for phase in ("resolve", "connect", "tls", "processing", "transfer"):
                value = partial(self._phase, slug, phase)
                yield "probe_http_duration_seconds", labels | {"phase": phase}, value
            for result in ("up", "slow", "down", "unknown", "error"):
                value = partial(self._counted, slug, result)
                yield "fettle_checks_total", bare | {"result": result}, value
            for code, kind in {0: "down", 2: "slow", 8: "tls", 9: "domain"}.items():
                value = partial(self._is_in, slug, code)
                yield "fettle_incident_open", bare | {"kind": kind}, value
        for client in CLIENTS:
            count = sum(of == client for of, _ in NAMES.values())
            yield "fettle_checks_configured", {"client": client}, always(count)

    def _code(self, slug: str, at: int) -> float:
        return {0: 503 if slug == "tickets" else 0}.get(self.state(slug, at), 200)

    def _is_in(self, slug: str, code: int, at: int) -> float:
        return float(self.state(slug, at) == code)
