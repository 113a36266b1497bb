"""Makes settings of what was read: slugs, and only what the settings' own check lets pass.

The sites are checked beside the configuration that they are meant for, with the very check that
``fettle check-config`` makes. What it refuses is left out with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from monitor.settings import Settings
from monitor.settings.check import check
from monitor.settings.file import Node, dump, parse
from monitor.site_exchange.draft import Draft, Imported, SiteDraft, slug_of, unique
from tickets.addresses import url_host
from tickets.errors import Fault, Misconfigured, Refused

Client = dict[str, object]

_PLACE = re.compile(r"clients\[(\d+)\](?:\.sites\[(\d+)\](?:\.([a-z_]+)(?:\.(.+))?)?)?")
_NEEDED = {"url", "slug"}
_MOST_ROUNDS = 30
_STANDALONE = (
    "agency: {name: An agency, url: 'https://agency.example', mail_from: desk@agency.example}\n"
)


def fit(draft: Draft, *, beside: Settings | None = None, config: Path | None = None) -> Imported:
    """Return the settings of all sites of ``draft`` that can be settings.

    ``beside`` are the settings of the file ``config`` that they are meant for; None if there are
    none yet. Raises ``Refused`` for more sites than one configuration can hold.
    """
    kept = list(draft.sites)
    root = _root_of(config if beside is not None else None)
    present = len(beside.clients) if beside is not None else 0
    _name_all(kept, beside)
    for _ in range(_MOST_ROUNDS):
        groups = _group(kept, beside)
        faults = _faults_of([_with_stand_ins(*each) for each in groups], root)
        if not _drop_faulty(draft, kept, groups, faults, present=present):
            break
    groups = _group(kept, beside)
    return Imported(
        clients=[client for client, _sites in groups],
        site_count=len(kept),
        secrets=[
            _variable(str(client["slug"]), site.slug, path)
            for client, sites in groups
            for site in sites
            for path in site.secrets
        ],
        left_out=draft.left_out,
        assumed=draft.assumed,
    )


def _name_all(sites: Sequence[SiteDraft], beside: Settings | None) -> None:
    """Give each site a slug that no other site has, here or in the configuration."""
    taken = {site.slug for client in (beside.clients if beside else ()) for site in client.sites}
    for site in sites:
        host = _host_of(site)
        wanted = slug_of(site.slug or site.name or host, fallback=slug_of(host, fallback="site"))
        site.slug = unique(wanted, taken)


def _host_of(site: SiteDraft) -> str:
    try:
        return url_host(str(site.settings["url"]))
    except ValueError:
        return ""


def _group(
    sites: Sequence[SiteDraft], beside: Settings | None
) -> list[tuple[Client, list[SiteDraft]]]:
    """Return the clients with their sites, in the order in which they first come."""
    by_name: dict[str, list[SiteDraft]] = {}
    for site in sites:
        by_name.setdefault(site.client, []).append(site)
    taken = {client.slug for client in (beside.clients if beside else ())}
    groups: list[tuple[Client, list[SiteDraft]]] = []
    for name, members in by_name.items():
        slug = unique(slug_of(name, fallback="client"), taken)
        settings = [
            {"slug": site.slug, **({"name": site.name} if site.name else {}), **site.settings}
            for site in members
        ]
        groups.append(({"slug": slug, "name": name, "sites": settings}, members))
    return groups


def _with_stand_ins(client: Client, sites: Sequence[SiteDraft]) -> Client:
    """Return a client with something in the place of each secret, so that only these lack."""
    listed = [dict(each) for each in cast("list[dict[str, object]]", client["sites"])]
    for written, site in zip(listed, sites, strict=True):
        for key, name in site.secrets:
            below = cast("dict[str, object]", written.get(key, {}))
            written[key] = below | {name: "stand-in"}
    return client | {"sites": listed}


def _root_of(config: Path | None) -> Node:
    """Return the tree of the configuration, or of one that holds nothing else."""
    text = _STANDALONE if config is None else config.read_text(encoding="utf-8-sig")
    root, _faults = parse(text, source="", has_lines=False)
    return root


def _faults_of(clients: Sequence[Client], root: Node) -> Sequence[Fault]:
    """Return what the settings' check says of ``clients`` behind those of ``root``."""
    if not clients:
        return []
    try:
        added, _ = parse(dump({"clients": clients}), source="", has_lines=False)
    except Misconfigured as error:
        why = error.faults[0].message
        raise Refused(f"these sites do not fit into one configuration: it {why}") from error
    whole = Node("", entries=dict(root.entries or {}))
    before = whole.child("clients")
    mine = added.child("clients")
    items = [*((before.items or []) if before else []), *((mine.items or []) if mine else [])]
    whole.put("clients", Node("", items=items))
    _settings, faults = check(whole)
    return faults


def _drop_faulty(
    draft: Draft,
    kept: list[SiteDraft],
    groups: Sequence[tuple[Client, list[SiteDraft]]],
    faults: Sequence[Fault],
    *,
    present: int,
) -> bool:
    """Drop the keys, or the sites, that ``faults`` speak of; tell whether any was dropped."""
    dropped = False
    gone: list[SiteDraft] = []
    for fault in faults:
        match = _PLACE.match(fault.key)
        number = int(match[1]) - present if match else -1
        if match is None or not 0 <= number < len(groups):
            continue
        members = groups[number][1]
        if match[2] is None:  # the client itself, which only a name can spoil
            gone += members
            for site in members:
                draft.leave_out(site.called, f"its client {site.client}: {fault.message}")
            dropped = True
            continue
        site, key = members[int(match[2])], match[3]
        if site in gone:
            continue
        if key is None or key in _NEEDED or not _has(site, key):
            gone.append(site)
            draft.leave_out(site.called, f"its {key or 'settings'} {fault.message}")
        elif key == "name":
            site.name = ""
            draft.leave_out(site.called, f"its name {fault.message}")
        else:
            what = _drop_key(site, key, match[4])
            draft.leave_out(site.called, f"its {what}: {fault.message}")
        dropped = True
    kept[:] = [site for site in kept if not any(site is each for each in gone)]
    return dropped


def _has(site: SiteDraft, key: str) -> bool:
    return key == "name" or key in site.settings or any(path[0] == key for path in site.secrets)


def _drop_key(site: SiteDraft, key: str, name: str | None) -> str:
    """Drop a key, of the headers the one that is meant alone; return what was dropped."""
    headers = cast("dict[str, object]", site.settings.get("headers", {}))
    if key == "headers" and name is not None and (name in headers or (key, name) in site.secrets):
        headers.pop(name, None)
        site.secrets = [path for path in site.secrets if path != (key, name)]
        return f"header {name}"
    site.settings.pop(key, None)
    site.secrets = [path for path in site.secrets if path[0] != key]
    return key


def _variable(client: str, site: str, path: Sequence[str]) -> str:
    """Return the environment variable that names the file of a secret."""
    words = ("clients", client, "sites", site, *path)
    return "FETTLE_" + "__".join(word.upper().replace("-", "_") for word in words) + "_FILE"
