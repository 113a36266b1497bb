"""What the last probe of each site saw, under the names of blackbox_exporter.

A probe that says nothing of its site, because the fault was our own, tells nothing here either, and
neither does one that is too old. All text comes from sites and is hostile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.queries import Sighting, Standing
from monitor.rules.blackbox import (
    cipher_name,
    http_version,
    ip_facts,
    last_modified,
    tls_version_name,
)
from monitor.rules.observation import Cause, Phase
from monitor.rules.verdict import Verdict
from monitor.site_metrics import (
    Labels,
    Sample,
    SiteFamily,
    label,
    maybe_one,
    one,
    site_family,
)

_PASSED = frozenset({Verdict.UP, Verdict.SLOW})
_TEXT_RULES = frozenset({Cause.KEYWORD_MISSING, Cause.KEYWORD_PRESENT})

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Probed:
    """What one location last saw of a site: a document of ``readings``, under the site's labels."""

    labels: str
    timeout_seconds: float
    document: Document

    @property
    def certificate(self) -> Document | None:
        """The certificate that the site showed, verified or not."""
        return self.document["certificate"]


def list_probed(
    fresh: Iterable[Sighting], standing: Standing, labels: Labels, *, is_told: bool
) -> Sequence[Probed]:
    """Return the last probe by each location that still counts and judged the site.

    With ``is_told`` the location is a label.
    """
    return [
        Probed(
            labels.with_address + (f",{label('location', sighting.location)}" if is_told else ""),
            standing.timeout_seconds,
            sighting.observation,
        )
        for sighting in fresh
        if sighting.observation and sighting.observation["verdict"] != Verdict.UNKNOWN
    ]


_PHASES = tuple((phase.value, f',phase="{phase}"') for phase in Phase)


def _phases(probed: Probed) -> Iterable[Sample]:
    phases: Mapping[str, float] = probed.document["phases"]
    return [(text, phases[phase]) for phase, text in _PHASES]


def _is_over_tls(document: Document) -> bool:
    return document["http_status"] is not None and document["final_url"].startswith("https:")


def _content_length(document: Document) -> int:
    if document["http_status"] is None:
        return 0
    declared = document["content_length"]
    return -1 if declared is None else declared


def _modified(document: Document) -> float | None:
    for name, text in document["headers"].items():
        if name.lower() == "last-modified":
            return last_modified(text)
    return None


def _end(certificate: Document | None, name: str) -> float | None:
    return datetime.fromisoformat(certificate[name]).timestamp() if certificate else None


def _chain_end(certificate: Document | None) -> float | None:
    # No chain outlives its leaf; the soonest end among all that was sent may belong to a
    # certificate that the verified chain does without.
    return _end(certificate, "not_after") if certificate and certificate["verified"] else None


def _chain_info(probed: Probed) -> Iterator[Sample]:
    certificate = probed.certificate
    if certificate is not None:
        labels = (
            label("fingerprint_sha256", certificate["fingerprint_sha256"]),
            label("subject", certificate["subject"]),
            label("issuer", certificate["issuer"]),
            label("subjectalternative", ",".join(certificate["names"])),
            label("serialnumber", certificate["serial_number"]),
        )
        yield "," + ",".join(labels), 1


def _named(name: str, spell: Callable[[str], str], text: str | None) -> Iterator[Sample]:
    if text:
        yield f",{label(name, spell(text))}", 1


PROBE_FAMILIES: tuple[SiteFamily[Probed], ...] = (
    site_family(
        "probe_success",
        "bool",
        "Whether the last probe passed; an answer that is slow but correct passes.",
        lambda probed: one(int(probed.document["verdict"] in _PASSED)),
    ),
    site_family(
        "probe_duration_seconds",
        "seconds",
        "How long the last probe took, redirects and body included.",
        lambda probed: one(probed.document["duration_seconds"]),
    ),
    site_family(
        "probe_timeout_seconds",
        "seconds",
        "The longest that a probe of the site may take.",
        lambda probed: one(probed.timeout_seconds),
    ),
    site_family(
        "probe_http_duration_seconds",
        "seconds",
        "The last probe by phase, summed over redirects; 0 where a phase was not reached.",
        _phases,
        more=("phase",),
    ),
    site_family(
        "probe_dns_lookup_time_seconds",
        "seconds",
        "Time spent on looking up names, summed over redirects.",
        lambda probed: one(probed.document["phases"]["resolve"]),
    ),
    site_family(
        "probe_ip_protocol",
        "",
        "4 or 6, after the address that was connected to; 0 when there was none.",
        lambda probed: one(ip_facts(probed.document["remote_address"])[0]),
    ),
    site_family(
        "probe_ip_addr_hash",
        "",
        "32-bit FNV-1a hash of the address, so that a change shows; 0 when there was none.",
        lambda probed: one(ip_facts(probed.document["remote_address"])[1]),
    ),
    site_family(
        "probe_http_status_code",
        "",
        "Status code of the final answer; 0 when there was none.",
        lambda probed: one(probed.document["http_status"] or 0),
    ),
    site_family(
        "probe_http_version",
        "",
        "HTTP version of the final answer, 1, 1.1, 2 or 3; 0 when there was none.",
        lambda probed: one(http_version(probed.document["http_version"])),
    ),
    site_family(
        "probe_http_ssl",
        "bool",
        "Whether the final answer came over TLS.",
        lambda probed: one(int(_is_over_tls(probed.document))),
    ),
    site_family(
        "probe_http_redirects",
        "",
        "Redirects followed.",
        lambda probed: one(probed.document["redirects"]),
    ),
    site_family(
        "probe_http_content_length",
        "bytes",
        "Declared length of the final answer; -1 when it declared none, 0 when there was none.",
        lambda probed: one(_content_length(probed.document)),
    ),
    site_family(
        "probe_http_uncompressed_body_length",
        "bytes",
        "Bytes of the body that were read, after decoding; capped by body_limit.",
        lambda probed: one(probed.document["body_bytes"]),
    ),
    site_family(
        "probe_http_last_modified_timestamp_seconds",
        "unix seconds",
        "Last-Modified of the final answer.",
        lambda probed: maybe_one(_modified(probed.document)),
        present_when="the header can be read",
    ),
    site_family(
        "probe_failed_due_to_regex",
        "bool",
        "Whether the probe failed because of a keyword that is missing or present.",
        lambda probed: one(int(probed.document["cause"] in _TEXT_RULES)),
    ),
    site_family(
        "probe_ssl_earliest_cert_expiry",
        "unix seconds",
        "Soonest end among the certificates sent, also after it has passed.",
        lambda probed: maybe_one(_end(probed.certificate, "earliest_not_after")),
        present_when="a certificate was shown, verified or not",
    ),
    site_family(
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "unix seconds",
        "End of the verified chain.",
        lambda probed: maybe_one(_chain_end(probed.certificate)),
        present_when="the certificate was verified",
    ),
    site_family(
        "probe_ssl_last_chain_info",
        "info",
        "Facts of the site's certificate; always 1.",
        _chain_info,
        more=("fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber"),
        present_when="a certificate was shown, verified or not",
    ),
    site_family(
        "probe_tls_version_info",
        "info",
        "TLS version in use, written like TLS 1.3; always 1.",
        lambda probed: _named("version", tls_version_name, probed.document["tls_version"]),
        more=("version",),
        present_when="TLS was in use",
    ),
    site_family(
        "probe_tls_cipher_info",
        "info",
        "Cipher in use, by its IANA name; always 1.",
        lambda probed: _named("cipher", cipher_name, probed.document["tls_cipher"]),
        more=("cipher",),
        present_when="TLS was in use",
    ),
)
