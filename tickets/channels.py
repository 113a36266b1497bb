"""Channels for staff beside mail: chat, push and SMS services, reached through apprise.

The home of apprise, which is imported only where a channel needs it: it takes half a second and
fifty megabytes. Its URLs hold credentials, so nothing here logs, stores or raises one; a message
names its channel by a key (see ``tickets.settings.channels``).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, cast

import structlog

from tickets.letters import Letter, LetterFailed, Letters, plain_letter
from tickets.mail_channel import Attempt
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.plain_text import one_line
from tickets.settings.channels import PushService
from tickets.settings.types import did_you_mean
from tickets.tables import MessageRow

log = structlog.get_logger()

SECONDS = 20.0
"""How long one attempt may take before it counts as failed."""

WORKERS = 4
"""Attempts at the same time; one that hangs beyond its time keeps its place until it ends."""

MAX_TEXT = 400
"""Longest text, in characters: a gateway to SMS cuts or charges what is longer."""

_LOADING = threading.Lock()

_EXAMPLES = "discord, ntfy, ntfys, pover, signal, slack, tgram, twilio or workflows (Teams)"


class PushChannel:
    """Sends messages through the services of ``staff_channels``; close it when done.

    ``services`` are those that are configured now: a message for another one is refused.
    ``letters_failed`` and ``faults`` count as those of the mail channel do.
    """

    def __init__(
        self,
        services: Iterable[PushService],
        *,
        app_name: str,
        letters: Letters | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self.letters_failed = 0
        self.faults = 0
        self._services = {service.key: service.url for service in services}
        self._app_name = app_name
        self._letters = letters or Letters()
        self._seconds = seconds
        self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="push")
        self._working = 0

    def free_slots(self, *, slots: int, in_hand: int) -> int:
        """Return how many more messages may be tried now."""
        return max(0, min(slots - in_hand, WORKERS - self._working))

    async def attempt(self, message: MessageRow, carried: Sequence[MessageRow] = ()) -> Attempt:
        """Try to send ``message``; whatever happens, return how it ended.

        Nothing is ever ``carried`` here: messages share mails only.
        """
        assert not carried
        url = self._services.get(message.address)
        if url is None:
            answer = f"{message.address} is no longer among staff_channels"
            return Attempt(DeliveryOutcome.REFUSED, answer, FailureReason.PERMANENT)
        letter = await asyncio.to_thread(self._letter, message)
        self._working += 1
        sending = asyncio.get_running_loop().run_in_executor(
            self._executor, _send, url.get_secret_value(), letter, message.facts, self._app_name
        )
        sending.add_done_callback(self._ended)
        try:
            is_taken = await asyncio.wait_for(asyncio.shield(sending), self._seconds)
        except TimeoutError:
            answer = f"{_scheme(message.address)} did not answer within {self._seconds:g} s"
            return Attempt(DeliveryOutcome.DEFERRED, answer, FailureReason.TIMEOUT)
        except Exception as error:
            # A loop edge: a plugin may raise anything, and its words may hold the URL.
            self.faults += 1
            log.error(  # noqa: TRY400  the trace would show the URL
                "delivery.push_failed", message=message.header_id, error=type(error).__name__
            )
            answer = f"{_scheme(message.address)} failed: {type(error).__name__}"
            return Attempt(DeliveryOutcome.DEFERRED, answer, FailureReason.TEMPORARY)
        if not is_taken:
            answer = f"{_scheme(message.address)} did not take the message"
            return Attempt(DeliveryOutcome.DEFERRED, answer, FailureReason.TEMPORARY)
        return Attempt(DeliveryOutcome.SENT, f"{_scheme(message.address)} took it")

    async def rest(self) -> None:
        """Keep nothing open between messages: there is nothing to let go of."""

    def close(self) -> None:
        """Start no further attempt; one that hangs is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _ended(self, sending: asyncio.Future[bool]) -> None:
        self._working -= 1
        if not sending.cancelled():
            sending.exception()  # seen, also when nobody waits for it any more

    def _letter(self, message: MessageRow) -> Letter:
        try:
            return self._letters.write(message.notice, message.audience, message.facts)
        except LetterFailed:
            self.letters_failed += 1
            log.exception("delivery.letter_failed", message=message.header_id)
            return plain_letter(message.notice, message.audience, message.facts)


def short_text(letter: Letter, facts: Mapping[str, Any]) -> str:
    """Return the first lines of a letter on one line each, and the link to the desk."""
    link = str(facts.get("desk_url") or "")
    lines: list[str] = []
    for line in letter.text.partition("At the desk:")[0].partition("\n-- \n")[0].splitlines()[1:]:
        text = one_line(line)
        if text and sum(map(len, lines)) + len(text) <= MAX_TEXT:
            lines.append(text)
    return "\n".join([*lines, *([link] if link else [])])


def find_fault(url: str) -> str | None:
    """Return what is wrong with the URL of a channel, without showing it; None if it is good.

    Loads apprise.
    """
    apprise = _apprise()
    scheme = url.partition(":")[0]
    known = apprise.Apprise().details()["schemas"]
    for service in known:
        if scheme in {*(service["protocols"] or ()), *(service["secure_protocols"] or ())}:
            if _plugin(url, "Fettle") is not None:
                return None
            forms = [form.replace("{schema}", scheme) for form in service["details"]["templates"]]
            return f"is no URL that {service['service_name']} understands; allowed are " + (
                " or ".join(forms[:3])
            )
    names = sorted(
        {
            name
            for service in known
            for name in (*(service["protocols"] or ()), *(service["secure_protocols"] or ()))
        }
    )
    near = did_you_mean(scheme, names)
    return (
        f"{scheme} is no service that apprise knows{near}; allowed are mailto and its "
        f"{len(names)} others, such as {_EXAMPLES}"
    )


def _send(url: str, letter: Letter, facts: Mapping[str, Any], app_name: str) -> bool:
    """Hand one message to its service and tell whether it took it; blocks."""
    plugin = _plugin(url, app_name)
    if plugin is None:
        return False
    return bool(plugin.notify(title=letter.subject, body=short_text(letter, facts)))


def _plugin(url: str, app_name: str) -> Any:
    """Return apprise's object for ``url``, or None where it makes none of it."""
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id=app_name,
        app_desc=app_name,
        app_url="",
        async_mode=False,
        allow_templates=False,
        secure_logging=True,
        storage_mode="memory",
        image_url_mask="",
        image_url_logo="",
    )
    return apprise.Apprise.instantiate(url, asset=asset)


@cache
def _apprise() -> Any:
    """Import apprise with all its plugins.

    Its log and that of its HTTP library are silenced, for both may show a URL, and so is what its
    plugins say of themselves while they load.
    """
    with _LOADING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import apprise
        from apprise.manager_plugins import NotificationManager

        cast("Any", NotificationManager()).load_modules()
    logging.getLogger("apprise").disabled = True
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    return cast("Any", apprise)


def _scheme(key: str) -> str:
    return key.partition(":")[0]
