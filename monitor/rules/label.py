"""What the labels of an alert mean: its fingerprint, how urgent it is, names that are special."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

WATCHDOG = "Watchdog"
TEST = "TestAlert"
DATASOURCE_ALERTS = frozenset({"DatasourceNoData", "DatasourceError"})
"""What Grafana calls alerts about its own data sources; their rule stands in ``rulename``."""

OUR_DOUBLES = frozenset(
    {
        "SiteDown",
        "SiteSlow",
        "CertificateEndsSoon",
        "CertificateEndsVerySoon",
        "PromiseAtRisk",
        "PromiseOverdue",
        "FettleBlind",
        "FettleOutboxStuck",
        "FettleMailsDead",
        "FettleAlertPathSilent",
    }
)
"""Our own rules that say again what Fettle tells by itself (see ``dashboards/rules``)."""

_LONE = re.compile("[\ud800-\udfff]")
_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint of a set of labels: 64-bit FNV-1a in 16 hex digits."""
    octets = bytearray()
    for name in sorted(labels):
        for part in (name, labels[name]):
            octets += _LONE.sub("\N{REPLACEMENT CHARACTER}", part).encode() + b"\xff"
    digest = _OFFSET
    for octet in octets:
        digest = (digest ^ octet) * _PRIME & _MASK
    return f"{digest:016x}"


_URGENCY = MappingProxyType(
    {
        **dict.fromkeys(("critical", "crit", "page", "emergency", "fatal", "disaster"), "critical"),
        **dict.fromkeys(("low", "info", "information", "informational", "none"), "low"),
        **dict.fromkeys(("notice", "debug"), "low"),
    }
)


def urgency_of(labels: Mapping[str, str]) -> str:
    """Return the priority that the label ``severity`` means: critical, low, or else normal."""
    return _URGENCY.get(labels.get("severity", "").strip().lower(), "normal")
