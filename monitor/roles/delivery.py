"""The role that delivers the outbox and sweeps over due rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from monitor.blindness import sweep_silent
from monitor.jobs import Jobs
from monitor.readings.keeping import Retention, keep_readings
from monitor.roles.alerting import alerting_part
from monitor.roles.counting import CountedChannel
from monitor.roles.letters import LetterWatch, letters_folder
from monitor.service import Beat, Part, beat_until, build_policy, give_none, run_together
from monitor.settings import Settings
from monitor.statement.mailing import send_due
from tickets.channels import PushChannel
from tickets.clock import Clock
from tickets.delivery import Delivery
from tickets.forgetting import forget_old
from tickets.letters import Letters
from tickets.mail import MailIdentity
from tickets.mail_channel import MailChannel
from tickets.outbox_sweep import sweep_outbox
from tickets.rules.escalation import StaffChannel
from tickets.rules.message import Channel
from tickets.rules.pace import Pace
from tickets.smtp import MailServer, SmtpSender
from tickets.store import Store
from tickets.sweep import sweep

SWEEP_SECONDS = 15
KEEP_SECONDS = 300
STATE_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRole:
    """Delivers the outbox and sweeps over due rows."""

    settings: Settings
    holder: str
    clock: Clock
    beat: Beat = give_none

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver and sweep until ``stop`` is set; messages in hand are finished first."""
        store = Store(self.settings.store.url)
        try:
            await run_together(
                stop,
                lambda ending: beat_until(ending, self.beat),
                *delivery_parts(
                    store,
                    self.settings,
                    jobs=Jobs(self.clock),
                    holder=self.holder,
                    clock=self.clock,
                ),
            )
        finally:
            store.close()


def delivery_parts(
    store: Store, settings: Settings, *, jobs: Jobs, holder: str, clock: Clock
) -> Sequence[Part]:
    """Return delivery and ``jobs``, with the sweep among them, as parts that run until stopped."""
    policy = build_policy(settings, clock=clock)
    folder = letters_folder(settings)
    letters = Letters(folder)
    watch = LetterWatch(letters, folder=folder, jobs=jobs)
    mail = _mail_channel(settings, letters=letters, clock=clock)
    delivery = Delivery(
        store,
        channel=CountedChannel(mail, partial(jobs.count, "mail")),
        clock=clock,
        pace=mail_pace(settings),
        holder=holder,
    )
    push = _push_channel(settings, letters=letters)
    push_delivery = Delivery(store, channel=push, carries=Channel.PUSH, clock=clock, holder=holder)

    async def push_until(stop: asyncio.Event) -> None:
        try:
            await push_delivery.run(stop)
        finally:
            push.close()

    async def pass_over_deadlines() -> None:
        failed = await sweep(store, policy, now=clock.now())
        if failed:
            jobs.count("deadline", "error", failed)

    async def pass_over() -> None:
        watch.count([mail, push])
        await store.awrite(lambda tx: sweep_silent(tx, policy, now=clock.now()))
        await sweep_outbox(store, policy, now=clock.now())

    async def keep() -> None:
        await keep_readings(
            store, zone=settings.agency.zone, retention=_retention(settings), now=clock.now()
        )
        await forget_old(store, now=clock.now())

    jobs.every(SWEEP_SECONDS, "deadline", pass_over_deadlines)
    jobs.every(SWEEP_SECONDS, "sweep", pass_over)

    async def send_statements() -> None:
        failed = await send_due(store, policy, now=clock.now())
        if failed:
            jobs.count("statements", "error", failed)

    jobs.every(KEEP_SECONDS, "readings", keep)
    jobs.every(STATE_SECONDS, "statements", send_statements)
    alerting = alerting_part(store, settings, policy, jobs=jobs, clock=clock)
    return delivery.run, push_until, watch.run, alerting, jobs.run


def _push_channel(settings: Settings, *, letters: Letters) -> PushChannel:
    channels = settings.staff_channels
    services = [service for each in StaffChannel for _, service in channels.push_services(each)]
    return PushChannel(services, app_name=settings.agency.name, letters=letters)


def _retention(settings: Settings) -> Retention:
    kept = settings.readings
    return Retention(fine=kept.keep_fine, hourly=kept.keep_hourly, daily=kept.keep_daily)


def _mail_channel(settings: Settings, *, letters: Letters, clock: Clock) -> MailChannel:
    return MailChannel(
        SmtpSender(mail_server(settings)),
        identity=mail_identity(settings),
        clock=clock,
        letters=letters,
    )


def mail_pace(settings: Settings) -> Pace:
    """Return how many mails may leave, and when messages share one."""
    limits = settings.mail.limits
    return Pace(
        merge_within=settings.mail.merge_within,
        per_minute=limits.per_minute,
        client_address_per_day=limits.client_address_per_day,
        staff_address_per_day=limits.staff_address_per_day,
    )


def mail_server(settings: Settings) -> MailServer:
    """Return the mail server that the settings name."""
    mail = settings.mail
    return MailServer(
        host=mail.host,
        port=mail.port,
        security=mail.security,
        hello_name=settings.agency.mail_from.rpartition("@")[2],
        username=mail.username,
        password=mail.password.get_secret_value() if mail.password else None,
    )


def mail_identity(settings: Settings) -> MailIdentity:
    """Return from whom mails come."""
    agency = settings.agency
    return MailIdentity(name=agency.name, address=agency.mail_from, reply_to=agency.reply_to)
