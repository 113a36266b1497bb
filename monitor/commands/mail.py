"""``fettle mail``: every letter as files to look at, and one real mail to try the server."""

from __future__ import annotations

import asyncio
import secrets
from argparse import Namespace
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.commands.screen import Screen, Tone, Toned
from monitor.commands.surroundings import Surroundings, WrongUsage
from tickets.addresses import canonical_mail_address
from tickets.errors import Refused
from tickets.letters import Letter, Letters
from tickets.letters.preview import SampleLetter, preview_letters
from tickets.mail import Mail, MailIdentity, SendFailed, compose
from tickets.rules.message import FailureReason
from tickets.rules.notice import AUTOMATIC_NOTICES, Audience, Notice
from tickets.rules.words import format_instant

if TYPE_CHECKING:
    from monitor.settings import MonitoredClient, Settings

TEST_DEADLINE = timedelta(seconds=30)
"""How long the mail server may take for the test mail."""

_UNKNOWN = frozenset({FailureReason.CONNECT, FailureReason.TIMEOUT, FailureReason.TEMPORARY})
_HINTS = {
    FailureReason.CONNECT: "Look at mail.host and mail.port, and at the network between.",
    FailureReason.TIMEOUT: "Look at mail.host and mail.port; a firewall may swallow what we send.",
    FailureReason.TLS: "Look at mail.security and mail.port, and at the server's certificate.",
    FailureReason.AUTH: "Look at mail.username and mail.password.",
    FailureReason.TEMPORARY: "The server may take it later; try again in a few minutes.",
    FailureReason.PERMANENT: "Look at the address, at agency.mail_from, at what the server says.",
}
_SAMPLE = MailIdentity(
    name="Quayside Studio", address="support@quayside.example", reply_to="support@quayside.example"
)


def preview(surroundings: Surroundings, arguments: Namespace) -> int:
    """Write every letter as text, page and mail into a folder."""
    has_config = surroundings.is_named or surroundings.config.exists()
    settings = surroundings.load_settings() if has_config else None
    client = _client(settings, arguments.client)
    identity, letters = _SAMPLE, Letters()
    own: dict[str, object] = {}
    if settings is not None:
        from monitor.roles.delivery import mail_identity
        from monitor.roles.letters import letters_folder

        identity, letters = mail_identity(settings), Letters(letters_folder(settings))
        own = _own_facts(settings, client)
    notice = None if arguments.notice is None else Notice(arguments.notice)
    samples = list(preview_letters(letters, notice=notice, own=own))
    folder = Path(arguments.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [_write(sample, folder, identity=identity) for sample in samples]
        (folder / "index.html").write_text(_index(samples, written), encoding="utf-8")
    except OSError as error:
        raise Refused(f"{folder} cannot be written: {(error.strerror or '').lower()}") from error
    screen = surroundings.screen
    if arguments.json:
        screen.document([_document(*pair) for pair in zip(samples, written, strict=True)])
    else:
        screen.line(f"{len(samples)} letters are in {folder}; begin with {folder / 'index.html'}.")
    if letters.overrides_failed:
        screen.hint(
            f"{letters.overrides_failed} times a letter of your own did not work and ours stands "
            "in its place; `fettle check-config` tells where."
        )
    return 1 if letters.overrides_failed else 0


def test(surroundings: Surroundings, arguments: Namespace) -> int:
    """Send one test mail: 0 the server took it, 1 it refused, 3 it cannot be reached."""
    from monitor.roles.delivery import mail_identity, mail_server
    from tickets.smtp import SmtpSender

    settings = surroundings.load_settings()
    try:
        address = canonical_mail_address(arguments.address.strip())
    except ValueError as error:
        raise WrongUsage(f"ADDRESS: {error}") from error
    server = mail_server(settings)
    where = f"{server.host}:{server.port} ({server.security})"
    mail = _test_mail(surroundings, mail_identity(settings), settings, address)

    async def send() -> str:
        sender = SmtpSender(server, deadline=TEST_DEADLINE)
        try:
            return await sender.send(mail)
        finally:
            await sender.rest()

    screen = surroundings.screen
    try:
        answer = asyncio.run(send())
    except SendFailed as failure:
        return _tell_failure(screen, failure, where=where, as_json=arguments.json)
    if arguments.json:
        screen.document({"server": where, "sent": True, "reason": None, "answer": answer})
    else:
        screen.line(Toned("Sent. ", Tone.GOOD), f"{where} took the mail for {mail.recipient}.")
        screen.line(f"It said: {answer}")
        screen.line("If it does not arrive, look into the spam folder and the server's log.")
    return 0


def _tell_failure(screen: Screen, failure: SendFailed, *, where: str, as_json: bool) -> int:
    if as_json:
        screen.document(
            {"server": where, "sent": False, "reason": failure.reason, "answer": str(failure)}
        )
    else:
        screen.line(Toned("Not sent. ", Tone.BAD), f"{where}: {failure}")
        screen.line(_HINTS[failure.reason])
    return 3 if failure.reason in _UNKNOWN else 1


def _test_mail(
    surroundings: Surroundings, identity: MailIdentity, settings: Settings, address: str
) -> Mail:
    now = surroundings.clock.now()
    at = format_instant(now, settings.agency.zone)
    text = (
        f"This is a test mail from Fettle at {settings.agency.name}, sent on {at}.\n\n"
        "It arrived, so mails to clients and staff can leave. You do not need to do anything.\n"
    )
    domain = identity.address.rpartition("@")[2]
    header_id = f"<test.{secrets.token_hex(12)}@{domain}>"
    return compose(
        Letter(f"Test mail from {settings.agency.name}, {at}", text, None),
        identity=identity,
        recipient=address,
        header_id=header_id,
        thread_id=header_id,
        written_at=now,
        is_automatic=True,
    )


def _client(settings: Settings | None, slug: str | None) -> MonitoredClient | None:
    if slug is None:
        return None
    clients = {} if settings is None else {client.slug: client for client in settings.clients}
    if slug not in clients:
        allowed = ", ".join(sorted(clients)) or "none, as no client is configured"
        raise WrongUsage(f"--client: there is no client {slug!r}; allowed are {allowed}")
    return clients[slug]


def _own_facts(settings: Settings, client: MonitoredClient | None) -> dict[str, object]:
    """Return the facts of the samples that the configuration knows better."""
    agency, base = settings.agency, settings.web.base_url
    own: dict[str, object] = {
        "agency_name": agency.name,
        "agency_url": agency.url,
        "zone": agency.timezone,
    }
    if client is not None:
        own |= {
            "client_name": client.name,
            "brand_name": client.branding.name,
            "brand_colour": client.branding.colour,
            "status_url": f"{base}/status/{client.slug}",
            "support_url": f"{base}/support/{client.slug}",
        }
    return own


def _write(sample: SampleLetter, folder: Path, *, identity: MailIdentity) -> str:
    """Write the three files of one letter; return the name that they share."""
    name = f"{sample.notice}-{sample.audience}-{sample.scene}".replace("_", "-")
    letter = sample.letter
    (folder / f"{name}.txt").write_text(letter.text, encoding="utf-8")
    if letter.html is not None:
        (folder / f"{name}.html").write_text(letter.html, encoding="utf-8")
    (folder / f"{name}.eml").write_bytes(_mail(sample, name, identity=identity).content)
    return name


def _mail(sample: SampleLetter, name: str, *, identity: MailIdentity) -> Mail:
    domain = identity.address.rpartition("@")[2]
    is_client = sample.audience is Audience.CLIENT
    brand, unsubscribe = (sample.facts.get(key) for key in ("brand_name", "unsubscribe_url"))
    return compose(
        sample.letter,
        identity=identity.for_client(str(brand or "")) if is_client else identity,
        recipient="anna@client.example" if is_client else identity.address,
        header_id=f"<sample.{name}@{domain}>",
        thread_id=f"<sample@{domain}>",
        written_at=sample.written_at,
        is_automatic=sample.notice in AUTOMATIC_NOTICES,
        unsubscribe_url=str(unsubscribe) if unsubscribe else None,
    )


def _document(sample: SampleLetter, name: str) -> dict[str, object]:
    return {
        "notice": sample.notice,
        "audience": sample.audience,
        "scene": sample.scene,
        "subject": sample.letter.subject,
        "name": name,
    }


_PAGE = """\
<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Letters</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ text-align: left; padding: .4rem 1rem .4rem 0; border-bottom: 1px solid #8886; }}
</style>
</head>
<body>
<h1>Letters</h1>
<p>{count} letters with sample data. Out of hours and in a closure only where the words differ.</p>
<table>
<thead><tr><th>Letter</th><th>To</th><th>When</th><th>Subject</th><th>Files</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _index(samples: list[SampleLetter], names: list[str]) -> str:
    rows: list[str] = []
    for sample, name in zip(samples, names, strict=True):
        kinds = ["txt", "eml"] if sample.letter.html is None else ["html", "txt", "eml"]
        files = " ".join(f'<a href="{name}.{kind}">{kind}</a>' for kind in kinds)
        said = (sample.notice, sample.audience, sample.scene)
        cells = [each.replace("_", " ") for each in said] + [sample.letter.subject]
        rows.append(
            "<tr>"
            + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            + f"<td>{files}</td></tr>"
        )
    return _PAGE.format(count=len(samples), rows="\n".join(rows))
