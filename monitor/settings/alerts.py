"""Settings of the sources that alerts come from: Alertmanager and Grafana."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, model_validator

from tickets.addresses import canonical_url, shown
from tickets.settings.types import Flag, Line, Section, Slug

LEAST_SECRET, MOST_SECRET = 16, 500
"""Length of a token or key, in characters: what can be guessed protects nothing."""

_VISIBLE = re.compile(r"[\x21-\x7e]+", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)


class AlertSourceKind(StrEnum):
    """Which program sends the alerts."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"


def _secret(given: SecretStr) -> SecretStr:
    text = given.get_secret_value()
    if not _VISIBLE.fullmatch(text):
        raise ValueError("must be one word of visible ASCII characters, without blanks")
    if not LEAST_SECRET <= len(text) <= MOST_SECRET:
        raise ValueError(
            f"has {len(text)} characters; allowed are {LEAST_SECRET} to {MOST_SECRET}, such as "
            "what `openssl rand -hex 32` prints"
        )
    return given


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} is not the name of an HTTP header")
    return text.lower()


def _reading_root(text: str) -> str:
    url = canonical_url(text)
    if "?" in url or "#" in url:
        raise ValueError("must not contain a query: write the address of Alertmanager's own page")
    if re.search(r"/api/v[0-9]+(/|$)", url):
        raise ValueError(
            "ends in a path of the API, which is added by itself; write the address of "
            "Alertmanager's own page, such as http://127.0.0.1:9093/"
        )
    return url.rstrip("/")


Secret = Annotated[SecretStr, AfterValidator(_secret)]


class AlertSourceSettings(Section):
    """One sender of alerts, with an address and a token of its own."""

    name: Slug = Field(
        description="The source's name: alerts are posted to /api/v1/alerts/NAME. It stands in "
        "metrics and in the history of tickets."
    )
    kind: AlertSourceKind = Field(description="Which program sends: alertmanager or grafana.")
    token: Secret | None = Field(
        default=None,
        description="What the sender shows in its Authorization header: as a bearer token, as the "
        "password of basic authentication, or after a scheme of its own. Keep it out of the file: "
        "set FETTLE_ALERTS__SOURCES__0__TOKEN_FILE, and so on. Required, unless a source of kind "
        "grafana has hmac_secret.",
    )
    hmac_secret: Secret | None = Field(
        default=None,
        description="The secret with which Grafana signs each body; set it in "
        "FETTLE_ALERTS__SOURCES__0__HMAC_SECRET_FILE. Of kind grafana only; beside token, both "
        "are asked for.",
    )
    hmac_timestamp_header: Annotated[str, AfterValidator(_header_name)] | None = Field(
        default=None,
        description="The header in which Grafana sends the time that it signs with the body, if "
        "one is set there. A signature older than five minutes is then refused.",
    )
    reconcile_url: (
        Annotated[
            str,
            AfterValidator(_reading_root),
            WithJsonSchema({"type": "string", "format": "uri"}),
        ]
        | None
    ) = Field(
        default=None,
        description="Address of Alertmanager's own page, such as http://127.0.0.1:9093/. Its list "
        "of alerts is read at start and every two minutes, for it never sends what ended while "
        "Fettle was away. Of kind alertmanager only.",
    )
    receiver: Line | None = Field(
        default=None,
        description="The receiver in Alertmanager's configuration that posts here: of the list, "
        "only alerts that are routed to it count. Default: the receivers that have posted so far; "
        "before the first, every alert counts.",
    )
    default_client: Slug | None = Field(
        default=None,
        description="Slug of the client to whom alerts belong that name none. Default: they are "
        "internal, and no client hears of them.",
    )
    tell_client: Flag = Field(
        default=False,
        description="Whether the client to whom an alert belongs is told of it and sees its "
        "ticket. By default alerts tell staff alone.",
    )

    @model_validator(mode="after")
    def _has_a_lock(self) -> AlertSourceSettings:
        is_grafana = self.kind is AlertSourceKind.GRAFANA
        if self.token is None and not (is_grafana and self.hmac_secret is not None):
            raise ValueError(
                "has no token, so anybody could open tickets; set its token by environment, such as"
                " FETTLE_ALERTS__SOURCES__0__TOKEN_FILE"
            )
        if self.hmac_secret is not None and not is_grafana:
            raise ValueError("has a hmac_secret, but Alertmanager signs nothing; use token")
        if self.hmac_timestamp_header is not None and self.hmac_secret is None:
            raise ValueError("has a hmac_timestamp_header, which is of no use without hmac_secret")
        if self.reconcile_url is not None and is_grafana:
            raise ValueError("has a reconcile_url, which is for sources of kind alertmanager only")
        return self


class AlertSettings(Section):
    """Alerts of other programs that become tickets."""

    sources: tuple[AlertSourceSettings, ...] = Field(
        default=(), description="Who may send alerts; by default nobody."
    )
