"""What programs ask for, as models: they check what comes in, and the OpenAPI is made from them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tickets.rules.ticket import Category, Outcome, Priority, Status
from tickets.texts import MAX_TEXT, MAX_TITLE
from tickets.time_spent import MOST_MINUTES

_CONTROLS = r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F"

Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_TEXT,
        # Something to read in it, and no control characters but tabs and line ends. The group is
        # for programs: some write max_length into bare quantifiers, which takes seconds to compile.
        pattern=rf"^([^{_CONTROLS}]*[^\x00-\x20\x7F][^{_CONTROLS}]*)$",
    ),
]

Line = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_TITLE,
        pattern=r"^[^\x00-\x1F\x7F]*[^\x00-\x20\x7F][^\x00-\x1F\x7F]*$",
    ),
]

Address = Annotated[str, Field(pattern="^[!-~]{1,254}$", examples=["sam@agency.example"])]

Reference = Annotated[str, Field(pattern="^(T-)?[0-9]{1,9}$", examples=["T-1042"])]

PeopleCategory = Literal[
    Category.BUG_FIX, Category.CONTENT_CHANGE, Category.ADVICE, Category.CMS_UPDATE
]

Slug = Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]

Cursor = Annotated[
    str,
    Field(
        pattern="^[0-9]{1,9}$",
        description="Where the page begins: `next_cursor` of the page before.",
    ),
]

Limit = Annotated[int, Field(ge=1, le=200, description="Most rows of the page.")]


class Order(BaseModel):
    """What every body derives from: JSON's own types, and no field that is not listed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Asker(Order):
    """Who at the client asks, and where answers go."""

    name: Line | None = Field(default=None, description="The address, if there is none.")
    address: Address


class Open(Order):
    """Open a ticket for what somebody asks; the requester gets a receipt, duty is told."""

    client: Slug = Field(description="The client's slug in the configuration.")
    site: Slug | None = Field(default=None, description="The site's slug, if it is about one.")
    priority: Priority
    category: PeopleCategory
    title: Line
    text: Text
    requester: Asker | None = None


class Change(Order):
    """What every action on a ticket that exists must say."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)] = Field(
        description="The ticket's version as you read it; if it has changed since, you get a 409."
    )

    @property
    def other(self) -> str | None:
        """The reference of the other ticket that it changes, if there is one."""
        return None


class Acknowledge(Change):
    """Take the ticket; keeps a critical promise and tells the client."""


class Reply(Change):
    """Send a word to the client."""

    text: Text = Field(description="In words for the client.")
    next_steps: Text | None = Field(
        default=None,
        description="What comes next, or `not yet known`; the reply that answers the promise of a "
        "normal or low ticket needs it.",
    )
    estimate: Line | None = Field(
        default=None, description="When it will be done, or `not yet known`; needed as above."
    )


class Note(Change):
    """Add a note that only staff see."""

    text: Text


class Resolve(Change):
    """Say that the cause is dealt with; the client is told."""

    cause: Text = Field(description="What it was, in words for the client.")
    done: Text = Field(description="What was done, in words for the client.")
    outcome: Outcome = Field(
        default=Outcome.FIXED, description="How the ticket will close; a duplicate is merged."
    )


class Close(Change):
    """Close the ticket for good; nobody is told."""

    outcome: Outcome | None = Field(
        default=None, description="The resolution's if left out; needed if it is not resolved."
    )
    reason: Text | None = Field(
        default=None, description="Why; needed if the ticket is not resolved."
    )


class Reopen(Change):
    """Take up a resolved ticket again, with a new promise."""

    reason: Text = Field(description="Why, in words for the client.")


class SetPriority(Change):
    """Change the priority; the deadline may come nearer, never later."""

    priority: Priority
    reason: Text = Field(description="Why, in words for the client.")


class SetCategory(Change):
    """Say what a request is about; nobody is told."""

    category: PeopleCategory


class Assign(Change):
    """Give the ticket to one of the staff, who is told; no acknowledgement."""

    assignee: Address | None = Field(
        description="Mail address of the staff member; null takes it from all."
    )


class Wait(Change):
    """Ask the client and wait until a date; the promise must be met before."""

    question: Text = Field(description="In words for the client.")
    resume_on: date = Field(
        description="When work resumes: a support day, at most 10 of them ahead."
    )


class Resume(Change):
    """Go on with the work on a waiting ticket."""

    text: Text | None = Field(default=None, description="Why, for staff.")


class Merge(Change):
    """Close the ticket as a duplicate of another, which keeps the earlier deadline."""

    into: Reference = Field(description="The ticket that stays.")
    reason: Text | None = None

    @property
    def other(self) -> str:
        """The reference of the ticket that stays."""
        return self.into


class Link(Change):
    """Say that two tickets belong together; nobody is told."""

    to: Reference = Field(description="The other ticket.")

    @property
    def other(self) -> str:
        """The reference of the other ticket."""
        return self.to


class LogTime(Change):
    """Log work on a ticket, against the client's monthly allowance."""

    minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES)]
    worked_on: date = Field(description="A date in the agency's zone, today or before.")
    text: Annotated[Text, Field(max_length=10 * MAX_TITLE)] = Field(description="What was done.")


class Question(BaseModel):
    """What every address's parameters derive from."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TicketsQuestion(Question):
    """Which tickets to list; what is left out does not narrow the list."""

    status: tuple[Status, ...] = Field(
        default=(), description="Any of these; repeat the parameter for several."
    )
    client: Slug | None = Field(default=None, description="The client's slug.")
    site: Slug | None = Field(default=None, description="The site's slug.")
    priority: Priority | None = None
    assignee: Annotated[str, Field(pattern="^[!-~]{1,254}$")] | None = Field(
        default=None, description="Mail address of the staff member who has it."
    )
    cursor: Cursor | None = None
    limit: Limit = 50


class EntriesQuestion(Question):
    """Which part of a ticket's history to list."""

    cursor: Cursor | None = None
    limit: Limit = 50


class NoQuestion(Question):
    """An address without parameters."""
