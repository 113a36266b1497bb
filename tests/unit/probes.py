"""Observations as ``fettle probe`` may tell them: one that is good, one that is bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.rules.observation import Cause, Certificate, Observation, Phase, Phases

SLOW_AFTER = timedelta(seconds=3)

GOOD = Observation(
    url="https://shop.example/",
    started_at=datetime(2026, 3, 9, 9, 0, 1, 500_000, tzinfo=UTC),
    duration_seconds=0.25,
    phases=Phases(resolve=0.01, connect=0.02, tls=0.05, processing=0.15, transfer=0.02),
    final_url="https://www.shop.example/",
    hops=("https://shop.example/", "https://www.shop.example/"),
    http_status=200,
    http_version="1.1",
    remote_address="93.184.215.14",
    body_bytes=12_345,
    body_truncated=False,
    certificate=Certificate(
        not_after=datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
        earliest_not_after=datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
        subject="CN=shop.example",
        issuer="CN=R3,O=Let's Encrypt",
        names=("shop.example", "www.shop.example"),
        verified=True,
    ),
    tls_version="TLSv1.3",
    tls_cipher="TLS_AES_256_GCM_SHA384",
    title="Shop",
)
BAD = Observation(
    url="https://shop.example/",
    started_at=GOOD.started_at,
    duration_seconds=0.03,
    phases=Phases(resolve=0.01, connect=0.02),
    cause=Cause.CONNECT_REFUSED,
    message="93.184.215.14 port 443 refused the connection",
    failed_phase=Phase.CONNECT,
    hops=("https://shop.example/",),
)
