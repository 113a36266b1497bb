"""The JSON backup of Uptime Kuma: its monitors of the types http, keyword and json-query.

The outermost group that a monitor stands in becomes its client, unless a tag ``client`` names one.
Numbers and switches come as numbers, booleans or null, depending on the version; headers are JSON
within a text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from monitor.rules.site import Confirmation
from monitor.site_exchange.draft import (
    NO_CLIENT,
    Draft,
    SiteDraft,
    shortened,
    split_credentials,
    take_headers,
)
from monitor.site_exchange.values import (
    as_list,
    as_mapping,
    as_seconds,
    as_text,
    duration,
    is_on,
)
from tickets.addresses import shown

Monitor = Mapping[str, object]

_WEB = {"http", "keyword", "json-query"}
_DEEPEST = 50
_USUAL_STATUS = ["200-299"]


def is_uptime_kuma(document: object) -> bool:
    """Tell whether a document is a backup."""
    return "monitorList" in as_mapping(document)


def read_uptime_kuma(document: object) -> Draft:
    """Return the sites among the monitors of a backup."""
    draft = Draft()
    listed = as_mapping(document)["monitorList"]
    found = as_list(listed) or list(as_mapping(listed).values())
    monitors = [as_mapping(each) for each in found]
    by_id = {str(each.get("id")): each for each in monitors}
    for monitor in monitors:
        _take_monitor(draft, monitor, by_id)
    if any(as_mapping(each.get("notificationIDList")) for each in monitors):
        draft.leave_out("", "notifications: list each client's contacts, and staff_channels")
    return draft


def _take_monitor(draft: Draft, monitor: Monitor, by_id: Mapping[str, Monitor]) -> None:
    name = shortened(as_text(monitor.get("name")))
    called = name or f"monitor {as_text(str(monitor.get('id')))}"
    kind = as_text(monitor.get("type"))
    if kind == "group":
        return  # it names a client, if anything stands in it
    reason = _why_not(monitor, kind)
    if reason is not None:
        draft.leave_out(called, reason)
        return
    url, user = split_credentials(as_text(monitor.get("url")).partition("#")[0])
    settings: dict[str, object] = {"url": url}
    site = SiteDraft(called=called, client=_client_of(monitor, by_id), name=name, settings=settings)
    _take_limits(draft, site, monitor)
    _take_expectations(draft, site, monitor, kind)
    _take_request(draft, site, monitor)
    _take_credentials(draft, site, monitor, user=user)
    _note_the_rest(draft, called, monitor)
    draft.sites.append(site)


def _why_not(monitor: Monitor, kind: str) -> str | None:
    """Tell why a monitor as a whole cannot be carried; None if it can."""
    if kind == "push":
        return "type push: it waits for a sign of life and probes nothing"
    if kind not in _WEB:
        return f"type {shown(kind)}: Fettle probes websites only"
    if "active" in monitor and not is_on(monitor["active"]):
        return "it is paused"
    if is_on(monitor.get("upsideDown")):
        return "it is upside down: Fettle watches for sites that are up"
    method = as_text(monitor.get("method")) or "GET"
    if method.upper() not in {"GET", "HEAD"}:
        return f"it asks with {shown(method)}: Fettle asks with GET or HEAD"
    return None


def _client_of(monitor: Monitor, by_id: Mapping[str, Monitor]) -> str:
    for tag in map(as_mapping, as_list(monitor.get("tags"))):
        if as_text(tag.get("name")).lower() == "client" and as_text(tag.get("value")):
            return shortened(as_text(tag.get("value")))
    group = ""
    for _ in range(_DEEPEST):  # a group may stand within itself, in a backup that was edited
        parent = by_id.get(str(monitor.get("parent"))) if monitor.get("parent") else None
        if parent is None:
            break
        group, monitor = as_text(parent.get("name")) or group, parent
    return shortened(group) or NO_CLIENT


def _take_limits(draft: Draft, site: SiteDraft, monitor: Monitor) -> None:
    interval, timeout = as_seconds(monitor.get("interval")), as_seconds(monitor.get("timeout"))
    if interval:
        site.settings["interval"] = duration(round(interval))
    if timeout:
        timeout = min(timeout, round(interval) or timeout)
        site.settings["timeout"] = duration(timeout)
    retries = as_seconds(monitor.get("maxretries"))
    if "maxretries" in monitor and retries + 1 != Confirmation().down:
        many = f"{retries:g} retr{'y' if retries == 1 else 'ies'}"
        reason = f"{many} before it is down: probing.confirm_down holds for all sites"
        draft.leave_out(site.called, reason)


def _take_expectations(draft: Draft, site: SiteDraft, monitor: Monitor, kind: str) -> None:
    statuses = [as_text(each) for each in as_list(monitor.get("accepted_statuscodes"))]
    if statuses and statuses != _USUAL_STATUS:
        site.settings["expect_status"] = statuses
    if kind == "keyword":
        keyword = monitor.get("keyword")
        key = "keyword_absent" if is_on(monitor.get("invertKeyword")) else "keyword"
        if isinstance(keyword, str) and keyword.startswith("re2:"):
            draft.leave_out(site.called, "a keyword that begins with re2: would be a pattern here")
        elif isinstance(keyword, str) and keyword:
            site.settings[key] = keyword
    elif kind == "json-query":
        draft.leave_out(site.called, "its query: the answer's status is looked at, not its JSON")
    if as_list(monitor.get("conditions")):
        draft.leave_out(site.called, "its conditions")


def _take_request(draft: Draft, site: SiteDraft, monitor: Monitor) -> None:
    method = as_text(monitor.get("method")).upper()
    if method == "HEAD":
        site.settings["method"] = method
    if monitor.get("body"):
        draft.leave_out(site.called, "its body: a probe sends none")
    family = {"ipv4": 4, "ipv6": 6}.get(as_text(monitor.get("ipFamily")).lower())
    if family is not None:
        site.settings["ip_family"] = family
    headers = _headers_of(monitor.get("headers"))
    if headers is None:
        draft.leave_out(site.called, "its headers, which are no JSON object of texts")
    else:
        take_headers(site, headers)


def _headers_of(value: object) -> Sequence[tuple[str, str]] | None:
    """Return the headers in a text of JSON, none for no text; None for what cannot be read."""
    if not value:
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    headers = as_mapping(value)
    if not headers or not all(isinstance(each, str | int | float) for each in headers.values()):
        return [] if value == {} else None
    return [(name, str(each)) for name, each in headers.items()]


def _take_credentials(draft: Draft, site: SiteDraft, monitor: Monitor, *, user: str) -> None:
    method = as_text(monitor.get("authMethod")).lower()
    named = as_text(monitor.get("basic_auth_user"))
    if method in {"", "null", "basic"}:
        user = named or user
    elif method == "mtls":
        draft.leave_out(
            site.called,
            "its client certificate: save it and its key as files, and name them in "
            "client_certificate and ca_file",
        )
    else:
        draft.leave_out(site.called, f"signing in by {shown(method)}: Fettle knows basic_auth")
    if user:
        site.settings["basic_auth"] = {"username": user}
        site.secrets.append(("basic_auth", "password"))


def _note_the_rest(draft: Draft, called: str, monitor: Monitor) -> None:
    if is_on(monitor.get("ignoreTls")):
        draft.leave_out(
            called,
            "ignoring its certificate: Fettle always verifies; ca_file can name its authority",
        )
    if monitor.get("proxyId"):
        draft.leave_out(called, "its proxy: probes go straight to the site")
    if monitor.get("maxredirects") == 0:
        draft.leave_out(
            called, "following no redirect: list 301 and 302 in expect_status to take one as good"
        )
    if is_on(monitor.get("cacheBust")):
        draft.leave_out(called, "a changing parameter against caches")
    if as_text(monitor.get("description")):
        draft.leave_out(called, "its description")
    for tag in map(as_mapping, as_list(monitor.get("tags"))):
        name = as_text(tag.get("name"))
        if name.lower() != "client":
            draft.leave_out(called, f"the tag {shown(name)}: sites have no labels")
