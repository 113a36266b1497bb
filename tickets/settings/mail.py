"""Settings of the mail server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from tickets.addresses import canonical_host, is_loopback
from tickets.settings.types import WHOLE, Duration, Line, Section, between


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_MAIL_PORTS = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}


def _usual_security(data: Mapping[str, Any]) -> MailSecurity:
    return MailSecurity.NONE if is_loopback(data["host"]) else MailSecurity.STARTTLS


class MailLimits(Section):
    """How many mails leave at most; what is over a limit waits in the outbox and is not lost."""

    per_minute: Annotated[int, Field(ge=1, le=100_000), WHOLE] = Field(
        default=300,
        description="Mails per minute, of every kind; what is critical leaves first. Set it below "
        "what your mail provider allows.",
    )
    client_address_per_day: Annotated[int, Field(ge=1, le=100_000), WHOLE] = Field(
        default=100,
        description="Mails that no person wrote to one address of a client in 24 hours. Replies "
        "of staff are not counted and always leave.",
    )
    staff_address_per_day: Annotated[int, Field(ge=1, le=100_000), WHOLE] = Field(
        default=1000,
        description="The same for an address of your own people.",
    )


class MailSettings(Section):
    """The mail server that carries all mails; while it is dead, mails wait in the outbox."""

    host: Annotated[str, AfterValidator(canonical_host)] = Field(
        default="localhost", description="Name or address of the mail server."
    )
    security: MailSecurity = Field(
        default_factory=_usual_security,
        description="starttls, tls or none. Default: none for this host, starttls for others.",
    )
    port: Annotated[int, Field(ge=1, le=65535), WHOLE] = Field(
        default_factory=lambda data: _MAIL_PORTS[data["security"]],
        description="Port. Default: 587 for starttls, 465 for tls, 25 for none.",
    )
    username: Line | None = Field(
        default=None, description="User name, if the server asks for one; needs a password."
    )
    password: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Password of username. Keep it out of the file: set FETTLE_MAIL__PASSWORD_FILE "
        "or FETTLE_MAIL__PASSWORD.",
    )

    merge_within: Annotated[Duration, between("0s", "10m")] = Field(
        default=timedelta(seconds=60),
        description="For how long after a mail the next one about the same ticket to the same "
        "address waits; what else happens meanwhile goes in that one mail. 0s: each goes alone.",
    )
    limits: MailLimits = Field(
        default_factory=MailLimits,
        description="How many mails leave at most; what is over a limit waits.",
    )

    letters: Line | None = Field(
        default=None,
        description="Folder of the agency's own letters, which stand before the built-in ones; "
        "docs/mails.md says how. A name without a leading / counts from the folder in which Fettle "
        "is started.",
    )

    @field_validator("password")
    @classmethod
    def _is_whole(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if not {"host", "security", "username"} <= info.data.keys():
            return password
        if password is None and info.data["username"] is not None:
            raise ValueError("is missing: username is set, and one is of no use without the other")
        if password is not None and info.data["username"] is None:
            raise ValueError("is set, but username is not: one is of no use without the other")
        is_open = info.data["security"] is MailSecurity.NONE and not is_loopback(info.data["host"])
        if password is not None and is_open:
            raise ValueError(
                "would cross the network in the clear; set mail.security to starttls or tls"
            )
        return password
