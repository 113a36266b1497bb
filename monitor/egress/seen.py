"""What one exchange asks, and what it has shown so far."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to ask; ``host`` is ASCII without brackets, ``headers`` are lines without line ends."""

    scheme: str
    host: str
    port: int
    target: str
    method: str
    headers: list[bytes]
    speaks_http2: bool = False
    wants_tls_facts: bool = False

    @property
    def netloc(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(slots=True)
class Seen:
    """What one exchange has shown so far."""

    attempted: list[str] = field(default_factory=list[str])
    attempted_at: list[float] = field(default_factory=list[float])
    """Seconds since the exchange began, one for each address attempted."""
    blocked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    socket_errno: int = 0
    status: int | None = None
    lines: list[bytes] = field(default_factory=list[bytes])
    header_bytes: int = 0
    interim_answers: int = 0
    answer_seconds: float | None = None
    chunks: list[bytes] = field(default_factory=list[bytes])
    body_bytes: int = 0
    is_answered: bool = False
    is_header_flood: bool = False
    is_truncated: bool = False
    is_redirect: bool = False
    tls_words: str = ""

    @property
    def has_framing(self) -> bool:
        """Whether the answer says by itself where its body ends."""
        return any(self.header(name) for name in (b"content-length", b"transfer-encoding"))

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header by its lower-case name, None if the answer lacks it."""
        for line in self.lines[1:]:
            found, _, value = line.partition(b":")
            if found.strip().lower() == name:
                return value.strip()
        return None
