"""The prober's way out: fresh connections to addresses that are allowed, bounded, told truthfully.

The transport stands under httpx and carries each request by libcurl, driven by the event loop. It
looks the name up, guards the very address that is connected to, takes the time of each phase, caps
headers and body, reads the certificate, and names what went wrong. It judges nothing.
"""

from monitor.egress.cookies import ProbeCookies
from monitor.egress.lookup import LookupFailed, NameLookup, SystemLookup
from monitor.egress.terms import EgressFailed, Terms, Transcript
from monitor.egress.transport import CurlTransport

__all__ = [
    "CurlTransport",
    "EgressFailed",
    "LookupFailed",
    "NameLookup",
    "ProbeCookies",
    "SystemLookup",
    "Terms",
    "Transcript",
]
