"""Every address of a site probed: which one speaks for the site, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta

from monitor.rules.observation import Cause, Certificate, Observation
from monitor.rules.verdict import Verdict, judge

_WORST = (Verdict.UP, Verdict.SLOW, Verdict.UNKNOWN, Verdict.DOWN)
_TLS = {Cause.TLS_EXPIRED, Cause.TLS_NAME, Cause.TLS_UNTRUSTED, Cause.TLS_HANDSHAKE}


def worst_of(seen: Mapping[str, Observation], *, slow_after: timedelta) -> Observation:
    """Return the observation that speaks for all addresses in ``seen`` (not empty): the worst one.

    Down is worse than unknown, unknown worse than slow; of equals the longest counts. Its message
    says how many addresses answer and names those that fail, its warnings what each of them did. An
    address that this host has no way to is no part of it, unless there is no other. The certificate
    is the one that ends first, unless the worst address has failed by its own.
    """
    judged = {
        address: each for address, each in seen.items() if each.cause is not Cause.OWN_NETWORK
    } or dict(seen)

    def badness(address: str) -> tuple[int, float]:
        observation = judged[address]
        verdict = judge(observation, slow_after=slow_after).verdict
        return _WORST.index(verdict), observation.duration_seconds

    worst_address = max(judged, key=badness)
    worst = judged[worst_address]
    failing = [address for address, each in judged.items() if each.cause is not None]
    message = worst.message
    if failing and len(judged) > 1:
        good = len(judged) - len(failing)
        message = (
            f"{good} of {len(judged)} addresses {'answers' if good == 1 else 'answer'} well, "
            f"{_named(failing)} {'fails' if len(failing) == 1 else 'fail'}: {message}"
        )
    return replace(
        worst,
        message=message,
        remote_address=worst.remote_address or worst_address,
        certificate=_certificate(worst, judged.values()),
        warnings=tuple(_warnings(seen, judged, worst_address, slow_after=slow_after)),
    )


def _warnings(
    seen: Mapping[str, Observation],
    judged: Mapping[str, Observation],
    worst_address: str,
    *,
    slow_after: timedelta,
) -> list[str]:
    aside = [address for address in seen if address not in judged]
    warnings = [f"this host has no IPv6 to try {_named(aside)}"] if aside else []
    limit = slow_after.total_seconds()
    slow = [
        address
        for address, each in judged.items()
        if each.cause is None and each.duration_seconds > limit
    ]
    if slow and len(judged) > 1:
        warnings.append(f"{len(slow)} of {len(judged)} addresses are slow: {_named(slow)}")
    for address, each in judged.items():
        if each.cause is not None and address != worst_address:
            warnings.append(f"{address}: {each.message}")
        warnings += each.warnings
    return list(dict.fromkeys(warnings))


def _certificate(worst: Observation, seen: Collection[Observation]) -> Certificate | None:
    if worst.cause in _TLS and worst.certificate is not None:
        return worst.certificate
    found = [each.certificate for each in seen if each.certificate is not None]
    return min(found, key=lambda certificate: certificate.earliest_not_after, default=None)


def _named(addresses: Collection[str]) -> str:
    return ", ".join(addresses)
