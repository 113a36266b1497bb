"""Networks and addresses as settings write them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import WithJsonSchema

from monitor.rules.site import Network
from tickets.addresses import shown
from tickets.settings.types import from_text


def parse_network(text: str) -> Network:
    """Return a network or a single address; raises ``ValueError`` that says what is allowed."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        whole = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{shown(text)} is not a network; write it as 192.168.0.0/16 or fd00::/8"
        ) from None
    raise ValueError(f"{shown(text)} is an address within a network; write {whole}")


NetworkSetting = Annotated[
    Network,
    from_text(parse_network),
    WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8"]}),
]
"""A network or a single address, written as ``10.0.0.0/8``, ``fd00::/8`` or ``192.0.2.1``."""
