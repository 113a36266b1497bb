"""Loads the settings, or tells every fault in them with its file, line and key.

Flag beats environment beats file beats default. Plain pydantic does the checking: the sources of
pydantic-settings know no lines, take duplicate keys in silence and read no secret from a file that
a variable names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from monitor.settings import Settings
from monitor.settings.check import check
from monitor.settings.file import Node, read_file
from monitor.settings.site import is_secret_header
from monitor.settings.sources import apply_environment, apply_overrides, is_world_readable
from monitor.settings.store import has_password
from tickets.errors import Fault, Misconfigured
from tickets.settings.channels import is_secret_channel

_EXPOSED = (
    "is a secret, and every user of this host can read this file; set it by environment, or run "
    "chmod o-r on the file"
)
_NOTHING: Mapping[str, object] = MappingProxyType({})


def load(
    path: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] = _NOTHING,
    reads_files: bool = False,
) -> Settings:
    """Return the settings in the YAML file ``path``, with ``environ`` and ``overrides`` over them.

    ``overrides`` maps dotted paths (``web.listen``) to text or finished values; None counts as not
    given. With ``reads_files`` a certificate file that is of no use is a fault as well. Raises
    ``Misconfigured`` with every fault found, in the order of the file.
    """
    root, faults = read_file(path)
    faults += apply_environment(root, environ)
    apply_overrides(root, overrides)
    if is_world_readable(path):
        faults += _exposed_secrets(root, source=str(path))
    settings, found = check(root, reads_files=reads_files)
    faults += found
    if settings is None or faults:
        raise Misconfigured(sorted(faults, key=lambda fault: (fault.line is None, fault.line or 0)))
    return settings


def _exposed_secrets(node: Node, *, source: str) -> Iterator[Fault]:
    """Yield a fault for each secret that stands in the file itself, which everybody can read."""
    for name, child in (node.entries or {}).items():
        if child.source == source and _is_secret(node, name, child.scalar):
            yield child.fault(_EXPOSED)
        yield from _exposed_secrets(child, source=source)
    for child in node.items or ():
        is_channel = node.key.startswith("staff_channels.") and isinstance(child.scalar, str)
        if child.source == source and is_channel and is_secret_channel(str(child.scalar)):
            yield child.fault(_EXPOSED)
        yield from _exposed_secrets(child, source=source)


def _is_secret(parent: Node, name: str, value: object) -> bool:
    if not isinstance(value, str):
        return False
    if name in {"password", "key_password", "heartbeat_url", "hmac_secret"}:
        return True
    if parent.key.startswith("alerts.sources[") and name == "token":
        return True
    if parent.key == "store" and name == "url":
        return has_password(value)
    return parent.key.endswith(".headers") and is_secret_header(name)
