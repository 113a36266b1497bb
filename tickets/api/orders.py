"""What programs ask for, as models: they check what comes in, and the OpenAPI is made from them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tickets.actions import MAX_TEXT
from tickets.rules.ticket import Outcome, Priority, Status

_CONTROLS = r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F"

Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_TEXT,
        # Something to read in it, and no control characters but tabs and line ends.
        pattern=rf"^[^{_CONTROLS}]*[^\x00-\x20\x7F][^{_CONTROLS}]*$",
    ),
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


class Change(Order):
    """What every action on a ticket that exists must say."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)] = Field(
        description="The ticket's version as you read it; if it has changed since, you get a 409."
    )


class Acknowledge(Change):
    """Take the ticket; keeps a critical promise and tells the client."""


class Reply(Change):
    """Send a word to the client."""

    text: Text = Field(description="In words for the client.")


class Note(Change):
    """Add a note that only staff see."""

    text: Text


class Resolve(Change):
    """Say that the cause is dealt with; the client is told."""

    cause: Text = Field(description="What it was, in words for the client.")
    done: Text = Field(description="What was done, in words for the client.")


class Close(Change):
    """Close the ticket for good; nobody is told."""

    outcome: Outcome
    reason: Text | None = Field(
        default=None, description="Why; needed if the ticket is not resolved."
    )


class Reopen(Change):
    """Take up a resolved ticket again, with a new promise."""

    reason: Text = Field(description="Why, in words for the client.")


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
