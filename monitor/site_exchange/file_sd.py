"""Lists of targets as Prometheus reads them from files, among them those for blackbox_exporter.

A target is a URL, or a host with or without a port. The labels that Prometheus itself heeds say
the rest: ``__scheme__``, ``__metrics_path__``, ``__param_target``, ``__param_module``,
``__scrape_interval__`` and ``__scrape_timeout__``. Of others, ``client``, ``site`` and ``name`` are
Fettle's own, as ``fettle sites export`` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.site_exchange.draft import (
    NO_CLIENT,
    Draft,
    SiteDraft,
    is_host,
    shortened,
    split_credentials,
)
from monitor.site_exchange.values import as_list, as_mapping, as_text
from tickets.addresses import shown

_OURS = {"client", "site", "name"}
_PROBE_PATH = "/probe"
_NO_WEBSITE = ("icmp", "tcp", "dns", "ssh", "pop3", "imap", "smtp", "irc", "grpc")
_NO_GET = ("post", "put", "delete")


def is_file_sd(document: object) -> bool:
    """Tell whether a document is a list of target groups."""
    groups = as_list(document)
    return bool(groups) and all("targets" in as_mapping(group) for group in groups)


def read_file_sd(document: object) -> Draft:
    """Return the sites that a list of target groups names."""
    draft = Draft()
    for group in as_list(document):
        members = as_mapping(group)
        labels = {name: as_text(value) for name, value in as_mapping(members.get("labels")).items()}
        targets = as_list(members["targets"])
        if not targets:
            draft.leave_out("", "a group of targets is empty")
        for target in targets:
            _take_target(draft, as_text(target), labels)
    return draft


def _take_target(draft: Draft, target: str, labels: Mapping[str, str]) -> None:
    called = split_credentials(target)[0] or "a target that is no text"
    target = labels.get("__param_target") or target
    module = (labels.get("__param_module") or labels.get("module") or "").lower()
    if any(module.startswith(each) for each in _NO_WEBSITE):
        draft.leave_out(called, f"its module {shown(module)} probes no website")
        return
    if any(each in module for each in _NO_GET):
        draft.leave_out(called, f"its module {shown(module)} asks with neither GET nor HEAD")
        return
    url, user = split_credentials(_url_of(draft, target, labels, called=called))
    if not url:
        draft.leave_out(called, "it is neither a URL nor a host with a port")
        return
    settings: dict[str, object] = {"url": url}
    site = SiteDraft(
        called=called,
        client=shortened(labels.get("client", "")) or NO_CLIENT,
        name=shortened(labels.get("name", "")),
        slug=labels.get("site", ""),
        settings=settings,
    )
    if user:
        settings["basic_auth"] = {"username": user}
        site.secrets.append(("basic_auth", "password"))
    for label, key in (("__scrape_interval__", "interval"), ("__scrape_timeout__", "timeout")):
        if labels.get(label):
            settings[key] = labels[label]
    if module and module != "http_2xx":
        draft.leave_out(called, f"what its module {shown(module)} asks for stands in blackbox.yml")
    for label in labels:
        if label not in _OURS and label != "module" and not label.startswith("__"):
            draft.leave_out(called, f"the label {shown(label)}: sites have no labels")
        elif label.startswith("__param_") and label not in {"__param_target", "__param_module"}:
            draft.leave_out(called, f"the label {shown(label)}: put the parameter into the URL")
    draft.sites.append(site)


def _url_of(draft: Draft, target: str, labels: Mapping[str, str], *, called: str) -> str:
    """Return the URL that a target means, empty if it means none."""
    if "://" in target:
        return target
    rest, slash, path = target.partition("/")
    host, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not colon:
        host, port = rest, ""
    if not is_host(host) or (colon and not (port.isascii() and port.isdigit())):
        return ""
    scheme = labels.get("__scheme__", "")
    if not scheme:
        scheme = "https" if port == "443" else "http"
        draft.assumed.add(called, f"has no scheme, so it is taken as {scheme}")
    metrics_path = labels.get("__metrics_path__", "")
    if not slash and metrics_path.startswith("/") and metrics_path != _PROBE_PATH:
        slash, path = "/", metrics_path[1:]
    return f"{scheme}://{rest}{slash}{path}"
