"""``fettle run``, ``demo``, ``healthcheck`` and ``version``: the service as a whole.

The parts of the service are slow to import, so each command imports only its own.
"""

from __future__ import annotations

import json
from argparse import Namespace
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib import metadata
from typing import cast
from urllib.parse import urlsplit

from monitor.commands.screen import Screen
from monitor.commands.surroundings import Surroundings, WrongUsage
from monitor.source_revision import source_revision
from tickets.addresses import HostPort, canonical_url
from tickets.errors import Unavailable

READY_PATH = "/-/ready"
ANSWER_SECONDS = 5
MOST_BYTES = 100_000
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared, not bound)


def run(surroundings: Surroundings, arguments: Namespace) -> int:
    """Run the service, or one role of it, until it is told to stop."""
    from monitor import startup

    return startup.run(
        surroundings.config,
        environ=surroundings.environ,
        role=arguments.role,
        location=arguments.location,
        listen=None if arguments.listen is None else str(arguments.listen),
        supervised=arguments.supervised,
        holder=arguments.holder,
        pulse=arguments.pulse,
    )


def demo(_surroundings: Surroundings, arguments: Namespace) -> int:
    """Run the demo until it is told to stop."""
    from monitor.demo import show

    return show.run(arguments.port)


def tell_version(surroundings: Surroundings, arguments: Namespace) -> int:
    """Print the version."""
    version = metadata.version("fettle")
    if arguments.json:
        surroundings.screen.document({"version": version, "revision": source_revision()})
    else:
        surroundings.screen.line(f"fettle {version}")
    return 0


def ask_readiness(surroundings: Surroundings, arguments: Namespace) -> int:
    """Ask the running service whether it is ready: 0 yes, 1 no, with its reasons.

    Raises ``Unavailable`` when nothing answers.
    """
    url = _ready_url(surroundings, arguments.url)
    status, body = _get(url)
    reasons = [] if status == 200 else _reasons(status, body)
    _tell_readiness(surroundings.screen, reasons, url=url, as_json=arguments.json)
    return 1 if reasons else 0


def _tell_readiness(screen: Screen, reasons: list[str], *, url: str, as_json: bool) -> None:
    if as_json:
        screen.document({"url": url, "ready": not reasons, "reasons": reasons})
    elif reasons:
        screen.line("not ready")
        for reason in reasons:
            screen.line("  ", reason)
    else:
        screen.line("ready")


def _ready_url(surroundings: Surroundings, url: str | None) -> str:
    if url is None:
        listen = surroundings.load_settings().web.listen
        host = _EVERYWHERE.get(listen.host, listen.host)
        return f"http://{HostPort(host, listen.port)}{READY_PATH}"
    try:
        url = canonical_url(url)
    except ValueError as error:
        raise WrongUsage(f"--url {error}") from error
    return url if url.endswith(READY_PATH) else url.removesuffix("/") + READY_PATH


def _get(url: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", parts.path, headers={"User-Agent": "fettle healthcheck"})
        answer = connection.getresponse()
        return answer.status, answer.read(MOST_BYTES)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unavailable(f"nothing answers at {url}: {reason}") from error
    finally:
        connection.close()


def _reasons(status: int, body: bytes) -> list[str]:
    """Return why the service is not ready; the answer of something else is told as it is."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        reasons = cast("dict[str, object]", document).get("reasons")
        if isinstance(reasons, list) and reasons:
            return [str(reason) for reason in cast("list[object]", reasons)]
    return [f"the answer has status {status}"]
