"""What must hold of an outbox whatever happens to it, told from its rows and its mail server's.

Everything is counted anew and plainly, by no query of ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default

from sqlmodel import Session, col, select

from tests.clocks import FakeClock
from tests.outbox import rows
from tests.senders import Sender, Senders
from tickets.claims import Claimed
from tickets.mail import Mail
from tickets.outbox import SECRET_FACTS
from tickets.outbox_tables import UndeliverableRow
from tickets.policy import Policy
from tickets.queries.figures import TicketFigures, count_figures
from tickets.queries.mail_faults import count_held
from tickets.rules.message import Channel, HoldReason, MessageState
from tickets.rules.notice import AUTOMATIC_NOTICES, Audience, Notice
from tickets.rules.pace import Pace
from tickets.rules.ticket import Priority, Source, reference
from tickets.store import Store
from tickets.tables import MessageRow, TicketRow

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
WAITING = frozenset({MessageState.PENDING, MessageState.SENDING})
FINAL = frozenset({MessageState.SENT, MessageState.DEAD, MessageState.CANCELLED})


class Laws:
    """Knows what was written and done, and looks whether the rest follows from it."""

    senders: Senders

    def __init__(self, store: Store, clock: FakeClock, pace: Pace) -> None:
        self._store, self._clock, self._pace = store, clock, pace
        self.known: dict[int, MessageRow] = {}
        self.unsubscribe_tokens: dict[str, str] = {}
        self.last_run: dict[str, str] = {}
        self._texts: dict[int, str] = {}
        self._cancelled: set[int] = set()
        self._requeued: set[int] = set()
        self._unwanted: set[int] = set()
        self._mail_of: dict[int, str] = {}
        self._is_merging_throughout = True
        self._window = pace.merge_within

    # What was done

    def note_deed(self, message_id: int, *, is_cancel: bool) -> None:
        """Remember what staff did to a message."""
        (self._cancelled if is_cancel else self._requeued).add(message_id)
        if is_cancel:
            self._unwanted |= {message_id, *self._carried_by(message_id)}

    def note_unwanted(self, which: Callable[[MessageRow], bool]) -> None:
        """Remember that no attempt may begin any more for what is not delivered of ``which``."""
        gone = {one.id or 0 for one in rows(self._store) if which(one)}
        self._unwanted |= gone
        self._cancelled |= gone

    def note_window(self, window: timedelta) -> None:
        """Remember that another merge window is in use."""
        self._is_merging_throughout = self._is_merging_throughout and bool(window)

    def expect_first_words(self) -> None:
        """The first word about a ticket waits for nothing."""
        for row in rows(self._store):
            if row.id not in self.known and row.priority is Priority.CRITICAL:
                assert row.not_before == row.written_at
                assert row.held_for is None

    # The store after each step

    def look(self) -> None:
        """Compare the rows with those of before, and with what is said of them."""
        now = self._clock.now()
        rows_now, figures, held = self._store.read(
            lambda tx: (_all(tx), count_figures(tx, now=now), count_held(tx, now))
        )
        found = {row.id or 0: row for row in rows_now}
        assert self.known.keys() <= found.keys(), "a message is gone"
        for number, row in found.items():
            self._look_at(row, self.known.get(number), found)
        self._look_at_numbers(rows_now, figures, held)
        self.known = found
        self._requeued.clear()

    def _look_at(
        self, row: MessageRow, before: MessageRow | None, found: dict[int, MessageRow]
    ) -> None:
        number = row.id or 0
        if before is None:
            self._learn(row)
        elif before.state is not row.state:
            self._look_at_change(number, before.state, row.state, row.carrier_id)
        if before is not None and before.told_at is not None and number not in self._requeued:
            assert row.told_at == before.told_at, "told twice that it is dead"
        if row.state is MessageState.SENDING:
            assert row.lease_until is not None
            assert row.claimed_by is not None
        if row.state in {MessageState.SENT, MessageState.CANCELLED}:
            assert not SECRET_FACTS & row.facts.keys()
        if row.carrier_id is not None:
            carrier = found[row.carrier_id]
            assert carrier.carrier_id is None
            is_on_its_way = carrier.state is MessageState.SENDING
            assert row.state is (MessageState.PENDING if is_on_its_way else carrier.state)
            assert row.held_for is carrier.held_for or is_on_its_way

    def _learn(self, row: MessageRow) -> None:
        assert row.state is MessageState.PENDING
        number = row.id or 0
        text = row.facts.get("text")
        if isinstance(text, str) and text.startswith("Word number"):
            self._texts[number] = text
        link = row.facts.get("unsubscribe_url")
        if link is not None:
            self.unsubscribe_tokens[str(link).rpartition("/")[2]] = row.address.lower()

    def _look_at_change(
        self, number: int, before: MessageState, after: MessageState, carrier: int | None
    ) -> None:
        group = {number, carrier}
        assert before is not MessageState.SENT
        if before is MessageState.CANCELLED:
            assert after is MessageState.SENT  # it was with the server when it was cancelled
        if before is MessageState.DEAD:
            assert after is not MessageState.PENDING or group & self._requeued
        if after is MessageState.CANCELLED:
            assert group & self._cancelled
        if after is MessageState.SENT:
            mail = self._mail_of[number]
            assert any(one.header_id == mail for one in self.senders.mailbox), "sent, but no mail"

    def _look_at_numbers(
        self,
        found: Sequence[MessageRow],
        figures: TicketFigures,
        counted: Mapping[HoldReason, int],
    ) -> None:
        now = self._clock.now()
        states = Counter(
            "dead" if row.state is MessageState.DEAD else "retrying" if row.attempts else "pending"
            for row in found
            if row.state in WAITING or row.state is MessageState.DEAD
        )
        assert +Counter(figures.messages) == states, (figures.messages, states)
        held = Counter(
            row.held_for
            for row in found
            if row.state is MessageState.PENDING and row.held_for and row.not_before > now
        )
        assert counted == held, (counted, held)
        waiting = [
            row.written_at
            for row in found
            if row.state in WAITING and not (row.held_for and row.not_before > now)
        ]
        assert figures.oldest_pending == min(waiting, default=None)

    # What a sender takes and sends

    def look_at_claim(self, sender: Sender, claimed: Sequence[Claimed]) -> None:
        """It took no two about one ticket to one address; what it left is no more urgent.

        And what it left would have found no room.
        """
        now = self._clock.now()
        found, marks = self._store.read(
            lambda tx: (_all(tx), {*tx.exec(select(UndeliverableRow.address)).all()})
        )
        on_their_way = [
            (row.ticket_id, row.channel, row.address.lower())
            for row in found
            if row.ticket_id and _is_on_its_way(row, now)
        ]
        assert len(on_their_way) == len({*on_their_way}), "two mails at once about one ticket"
        left = [
            row
            for row in found
            if row.address.lower() not in marks and self._may_leave(row, found, now)
        ]
        recent = [
            row
            for row in found
            if row.carrier_id is None
            and row.channel is Channel.MAIL
            and (_is_on_its_way(row, now) or _is_within(row.sent_at, MINUTE, now))
        ]
        is_full = len(claimed) >= sender.channel.asked or len(recent) >= self._pace.per_minute
        assert is_full or not left, f"it took {claimed} and could have taken {left} at {now}"
        taken = [one.message.rank for one in claimed]
        assert max(taken, default=0) <= min((row.rank for row in left), default=9)

    def _may_leave(self, row: MessageRow, found: Sequence[MessageRow], now: datetime) -> bool:
        if row.channel is not Channel.MAIL or row.carrier_id is not None:
            return False
        is_free = row.state is MessageState.PENDING and row.not_before <= now
        if not is_free:
            return False
        for other in found:
            if (
                other.id != row.id
                and row.ticket_id is not None
                and other.ticket_id == row.ticket_id
                and other.channel is row.channel
                and other.address.lower() == row.address.lower()
                and (_is_on_its_way(other, now) or _is_within(other.sent_at, MINUTE, now))
            ):
                return False
        if row.notice not in AUTOMATIC_NOTICES or row.requeued_at is not None:
            return True
        used = [
            other
            for other in found
            if other.carrier_id is None
            and other.notice in AUTOMATIC_NOTICES
            and other.channel is Channel.MAIL
            and other.address.lower() == row.address.lower()
            and (_is_on_its_way(other, now) or _is_within(other.sent_at, DAY, now))
        ]
        return len(used) < self._pace.per_day(row.audience)

    def look_at_mail(self, mail: Mail) -> None:
        """It holds each of its events once, whole, and none of another; and it is wanted."""
        found = {row.id or 0: row for row in rows(self._store)}
        [own] = [number for number, row in found.items() if row.header_id == mail.header_id]
        inside = {own, *(n for n, row in found.items() if row.carrier_id == own)}
        assert not inside & self._unwanted, "an attempt to send what nobody wants any more"
        for number in inside:
            assert self._mail_of.setdefault(number, mail.header_id) == mail.header_id
            assert found[number].address.lower() == mail.recipient.lower()
        text = _text(mail)
        for words in self._texts.values():
            is_inside = any(self._texts.get(one) == words for one in inside)
            assert text.count(words) == is_inside, f"{words!r} in a mail that holds {inside}"
        first_words = sum(found[number].notice is Notice.DOWN for number in inside)
        if found[own].audience is Audience.STAFF:
            assert text.count("refused the connection") == first_words

    # The end

    def next_due(self) -> datetime | None:
        """Return when the next mail is due; None when nothing waits."""
        return min(
            (
                row.not_before
                for row in rows(self._store)
                if row.state in WAITING and row.channel is Channel.MAIL and row.carrier_id is None
            ),
            default=None,
        )

    def look_at_the_end(self, policy: Policy) -> None:
        """Everything has come to its end, and the server has what it should."""
        found = rows(self._store)
        mails = [row for row in found if row.channel is Channel.MAIL]
        assert {row.state for row in mails} <= FINAL
        copies: dict[str, list[bytes]] = defaultdict(list)
        for mail in self.senders.mailbox:
            copies[mail.header_id].append(mail.content)
        for header_id, contents in copies.items():
            assert len(set(contents)) == 1, "copies differ"
            assert len(contents) <= 1 + self.senders.may_repeat[header_id], "sent twice"
        self._look_at_pace(mails)
        self._look_at_digests(found, policy)
        dead = [row for row in mails if row.state is MessageState.DEAD]
        told = [row for row in found if row.notice is Notice.MAIL_FAULT]
        assert all(row.told_at for row in dead if row.notice is not Notice.MAIL_FAULT)
        for row in dead:
            if row.notice is not Notice.MAIL_FAULT:
                assert any(
                    one.channel is Channel.PUSH
                    and one.written_at <= (row.told_at or one.written_at)
                    for one in told
                )
        assert len({(row.key, row.address) for row in told}) == len(told)

    def _look_at_pace(self, mails: Sequence[MessageRow]) -> None:
        sent = sorted(
            (row for row in mails if row.sent_at and row.carrier_id is None),
            key=lambda row: row.sent_at or row.written_at,
        )
        # What a sender had that was not heard of in time counts in no limit.
        spare = self.senders.lapses
        times: dict[str, list[datetime]] = defaultdict(list)
        for row in sent:
            times[""].append(row.sent_at or row.written_at)
            if row.notice in AUTOMATIC_NOTICES and row.requeued_at is None:
                times[row.address.lower()].append(row.sent_at or row.written_at)
        for row in sent:
            most = self._pace.per_day(row.audience) + spare
            _at_most(times[row.address.lower()], most, DAY)
        _at_most(times[""], self._pace.per_minute + spare, MINUTE)
        if self._is_merging_throughout and not spare:
            by_ticket: dict[tuple[int, str], list[datetime]] = defaultdict(list)
            for row in sent:
                if row.ticket_id is not None:
                    key = (row.ticket_id, row.address.lower())
                    by_ticket[key].append(row.sent_at or row.written_at)
            for instants in by_ticket.values():
                _at_most(instants, 1, self._window)

    def _look_at_digests(self, found: Sequence[MessageRow], policy: Policy) -> None:
        lines = Counter(
            line["reference"]
            for row in found
            if row.notice is Notice.DIGEST
            for line in row.facts["lines"]
        )
        assert set(lines.values()) <= {1}, "a ticket stands in two digests"
        query = select(TicketRow).where(col(TicketRow.source) == Source.PORTAL)
        asked = self._store.read(lambda tx: tx.exec(query).all())
        waiting = {reference(one.id or 0) for one in asked if one.priority is not Priority.CRITICAL}
        assert set(lines) <= waiting

    def _carried_by(self, message_id: int) -> set[int]:
        return {row.id or 0 for row in rows(self._store) if row.carrier_id == message_id}


def _all(tx: Session) -> Sequence[MessageRow]:
    return tx.exec(select(MessageRow).order_by(col(MessageRow.id))).all()


def _is_on_its_way(row: MessageRow, now: datetime) -> bool:
    is_leased = row.lease_until is not None and row.lease_until > now
    return row.state is MessageState.SENDING and is_leased


def _is_within(at: datetime | None, window: timedelta, now: datetime) -> bool:
    return at is not None and now - window < at <= now


def _at_most(instants: Sequence[datetime], most: int, window: timedelta) -> None:
    for first, last in zip(instants, instants[most:], strict=False):
        assert last - first >= window, f"more than {most} within {window}"


def _text(mail: Mail) -> str:
    parsed = message_from_bytes(mail.content, policy=default)
    part = parsed.get_body(("plain",))
    assert part is not None
    return str(part.get_content())
