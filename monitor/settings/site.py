"""Settings of one site: what a client's list of sites may say about each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
)

from monitor.keywords import keyword_fault
from monitor.settings.maintenance import MaintenanceWindows
from tickets.addresses import shown, url_host
from tickets.quantities import duration_text
from tickets.settings.types import (
    WHOLE,
    Duration,
    Line,
    Section,
    Slug,
    WebUrl,
    between,
    from_text,
)

MAX_KEYWORD = 1000
MAX_HEADERS = 50
MAX_HEADER_VALUE = 8000
MAX_FILE_NAME = 1000

_STATUS = re.compile(r"([1-9][0-9]{2})(?:\s*-\s*([1-9][0-9]{2}))?", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_OUR_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"}
)
_PLAIN_HEADERS = frozenset(
    {"accept", "accept-language", "cache-control", "pragma", "referer", "user-agent"}
)


def _whole_seconds(interval: timedelta) -> timedelta:
    if interval.microseconds:
        raise ValueError(f"{duration_text(interval)} is not a whole number of seconds")
    return interval


ProbeInterval = Annotated[Duration, between("1s", "1d"), AfterValidator(_whole_seconds)]
ProbeTimeout = Annotated[Duration, between("100ms", "5m")]
SlowAfter = Annotated[Duration, between("1ms", "5m")]

StatusRange = tuple[int, int]
"""HTTP statuses from one to another, both included."""


def parse_status_range(text: str) -> StatusRange:
    """Return the statuses that ``200`` or ``301-302`` mean; raises ``ValueError``."""
    match = _STATUS.fullmatch(text[:20])
    if match is None:
        raise ValueError(f"{shown(text)} is not a status; write 200, or 301-302 for a range")
    low, high = int(match[1]), int(match[2] or match[1])
    if high < low:
        raise ValueError(f"{text} is the wrong way round; write {high}-{low}")
    return low, high


def status_range_text(statuses: StatusRange) -> str:
    """Return a range of statuses as ``parse_status_range`` reads it."""
    low, high = statuses
    return str(low) if low == high else f"{low}-{high}"


def is_secret_header(name: str) -> bool:
    """Tell whether a header's value may be a credential: every header not known to be harmless."""
    return name.lower() not in _PLAIN_HEADERS


def _read_status(value: object) -> object:
    """Let text and plain numbers through as ranges; what is a range already is checked as well."""
    if isinstance(value, (str, int)):
        return parse_status_range(str(value))
    if isinstance(value, tuple):
        return parse_status_range("-".join(map(str, cast("tuple[object, ...]", value))))
    return value


def _some(statuses: tuple[StatusRange, ...]) -> tuple[StatusRange, ...]:
    if not statuses:
        raise ValueError("must list at least one status")
    return statuses


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{shown(name)} is not a valid header name")
    if name.lower() in _OUR_HEADERS:
        raise ValueError(f"{name} is set by the prober itself and cannot be changed")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) > MAX_HEADER_VALUE or not text.isascii() or not text.isprintable():
        raise ValueError(
            f"must be at most {MAX_HEADER_VALUE} printable ASCII characters on one line"
        )
    return value


def _no_twins(headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"lists {len(headers)} headers; at most {MAX_HEADERS} are allowed")
    names = [name.lower() for name in headers]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f"sets {', '.join(twins)} twice; the case of a header's name is no matter")
    return headers


def _keyword(text: str) -> str:
    if not text.strip() or len(text) > MAX_KEYWORD:
        raise ValueError(f"must be 1 to {MAX_KEYWORD} characters of text")
    fault = keyword_fault(text)
    if fault is not None:
        raise ValueError(fault)
    return text


def _file_name(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > MAX_FILE_NAME:
        raise ValueError(f"must name a file, in 1 to {MAX_FILE_NAME} printable characters")
    return text


def _credential(text: str) -> str:
    if not text or ":" in text or not text.isprintable():
        raise ValueError("must not be empty nor contain a colon or a control character")
    return text


def _password(password: SecretStr) -> SecretStr:
    if not password.get_secret_value().isprintable():
        raise ValueError("must not contain control characters")
    return password


Keyword = Annotated[str, AfterValidator(_keyword)]
FileName = Annotated[str, AfterValidator(_file_name)]
Method = Annotated[Literal["GET", "HEAD"], from_text(str.upper)]
StatusRangeSetting = Annotated[
    StatusRange,
    BeforeValidator(_read_status),
    PlainSerializer(status_range_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "examples": [200, "301-302"]}),
]


class BasicAuthSettings(Section):
    """Credentials for HTTP basic authentication; sent to the site's own host only."""

    username: Annotated[str, AfterValidator(_credential)] = Field(description="User name.")
    password: Annotated[SecretStr, AfterValidator(_password)] = Field(
        description="Password. Keep it out of the file: set "
        "FETTLE_CLIENTS__CLIENT__SITES__SITE__BASIC_AUTH__PASSWORD_FILE, with the slugs of client "
        "and site in capitals, hyphens as underscores."
    )


class ClientCertificateSettings(Section):
    """A certificate by which we show the site who we are; sent to the site's own origin only."""

    certificate_file: FileName = Field(
        description="PEM file of our certificate and those between it and its authority. A name "
        "without a leading / counts from the folder in which Fettle is started."
    )
    key_file: FileName = Field(
        description="PEM file of the certificate's private key; may be the same file."
    )
    key_password: Annotated[SecretStr, AfterValidator(_password)] | None = Field(
        default=None,
        description="Password of the key, if it has one. Keep it out of the file: set "
        "FETTLE_CLIENTS__CLIENT__SITES__SITE__CLIENT_CERTIFICATE__KEY_PASSWORD_FILE.",
    )


class SiteSettings(Section):
    """One client URL that is watched."""

    slug: Slug = Field(
        description="The site's identity; unique over all clients. History stays with it when name "
        "or URL change."
    )
    url: WebUrl = Field(description="What is probed: an http or https URL.")
    name: Line = Field(
        default_factory=lambda data: url_host(data["url"]),
        description="The site's name, as mails say it. Default: the host of its URL.",
    )
    interval: ProbeInterval | None = Field(
        default=None, description="As probing.interval. Default: that."
    )
    timeout: ProbeTimeout | None = Field(
        default=None, description="As probing.timeout. Default: that."
    )
    slow_after: SlowAfter | None = Field(
        default=None, description="As probing.slow_after. Default: that."
    )
    expect_status: Annotated[tuple[StatusRangeSetting, ...], AfterValidator(_some)] = Field(
        default=((200, 299),),
        description="HTTP statuses that are good, after redirects, such as [200, 301-302].",
    )
    keyword: Keyword | None = Field(
        default=None,
        description="Text that must occur in the page; without it the site is down. What begins "
        'with re2: is a pattern of RE2, such as "re2:(?i)[0-9]+ rooms? free".',
    )
    keyword_absent: Keyword | None = Field(
        default=None,
        description="Text or pattern that must not occur in the page; with it the site is down.",
    )
    method: Method = Field(default="GET", description="GET or HEAD.")
    headers: Annotated[
        Mapping[
            Annotated[str, AfterValidator(_header_name)],
            Annotated[SecretStr, AfterValidator(_header_value)],
        ],
        AfterValidator(_no_twins),
    ] = Field(default={}, description="More request headers. Their values count as secret.")
    basic_auth: BasicAuthSettings | None = Field(
        default=None, description="Credentials, if the site asks for them."
    )
    ca_file: FileName | None = Field(
        default=None,
        description="PEM file of the authorities that may vouch for the site, in place of the "
        "public ones, also after a redirect. A name without a leading / counts from the folder in "
        "which Fettle is started.",
    )
    client_certificate: ClientCertificateSettings | None = Field(
        default=None, description="Our own certificate, if the site asks for one."
    )
    ip_family: Annotated[Literal[4, 6], WHOLE] | None = Field(
        default=None,
        description="4 or 6 to use only addresses of that family. Default: whichever works.",
    )
    resolve: Literal["one", "all"] = Field(
        default="one",
        description="all: probe every address of the site's host, at most 16; the worst one "
        "counts. one: the first that accepts a connection, as browsers do.",
    )
    maintenance: MaintenanceWindows = Field(
        default=(),
        description="Announced maintenance: probes go on, but no incident opens within a window.",
    )
