"""Words that must, or must not, occur in a page, whatever it is written in."""

from __future__ import annotations

from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from tests import loopback
from tests.loopback import Script, answer
from tests.probing import (
    UP,
    Told,
    cases,
    down,
    observe_script,
)

MISSING = down(Cause.KEYWORD_MISSING, Phase.TRANSFER, "lacks the words")
PRESENT = down(Cause.KEYWORD_PRESENT, Phase.TRANSFER, "")


def typed(body: bytes, kind: str) -> Script:
    return answer(body, headers={"Content-Type": kind})


KEYWORDS: dict[str, tuple[Script, dict[str, str], Told]] = {
    "UTF-8": (answer("<p>Grüße</p>".encode()), {"keyword": "Grüße"}, UP),
    "Latin-1": (
        typed("<p>Grüße</p>".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        {"keyword": "Grüße"},
        UP,
    ),
    "named in the page": (
        typed('<meta charset="windows-1251"><p>Привет</p>'.encode("cp1251"), "text/html"),
        {"keyword": "Привет"},
        UP,
    ),
    "UTF-16 that begins with its mark": (
        answer("Ω in two bytes each".encode("utf-16")),
        {"keyword": "Ω in"},
        UP,
    ),
    "UTF-16 named in the header": (
        typed("Ω in two bytes".encode("utf-16-le"), "text/html; charset=utf-16le"),
        {"keyword": "Ω in"},
        UP,
    ),
    "a charset that is not the page's": (
        typed("<p>Grüße</p>".encode(), "text/html; charset=us-ascii"),
        {"keyword": "Gr"},
        UP,
    ),
    "a charset that does not exist": (
        typed("<p>Grüße</p>".encode(), "text/html; charset=klingon-8"),
        {"keyword": "Grüße"},
        UP,
    ),
    "a codec of Python that is no charset": (
        typed(b"all is well", "text/html; charset=zlib_codec"),
        {"keyword": "is well"},
        UP,
    ),
    "binary": (
        typed(bytes(range(256)) * 20 + b"needle" + bytes(100), "application/octet-stream"),
        {"keyword": "needle"},
        UP,
    ),
    "NUL between": (answer(b"all\0is\0well"), {"keyword": "is well"}, MISSING),
    "within gzip": (loopback.encoded(b"all is well"), {"keyword": "is well"}, UP),
    "in capitals": (answer(b"all is well"), {"keyword": "is Well"}, MISSING),
    "an empty page": (answer(b""), {"keyword": "well"}, MISSING),
    "at the end of one long line": (
        answer(b"a" * 900_000 + b"needle"),
        {"keyword": "needle"},
        UP,
    ),
    "beyond the limit": (answer(b"a" * 1_100_000 + b"needle"), {"keyword": "needle"}, MISSING),
    "not wanted, and there": (answer(b"fatal error"), {"keyword_absent": "error"}, PRESENT),
    "not wanted, and not there": (answer(b"all is well"), {"keyword_absent": "error"}, UP),
    "a coding that we do not know": (
        loopback.encoded(b"", "br", data=b"xyz"),
        {"keyword": "x"},
        down(Cause.DECODE_ERROR, Phase.TRANSFER, "br"),
    ),
    "a bad status comes first": (
        answer(b"oops", status="500 Oops"),
        {"keyword": "well"},
        down(Cause.HTTP_STATUS, Phase.PROCESSING, "answered 500"),
    ),
}


@cases(KEYWORDS, "script changes told")
async def test_keywords(
    prober: Prober, script: Script, changes: dict[str, str], told: Told
) -> None:
    told.check(await observe_script(prober, script, **changes))


async def test_a_missing_keyword_is_named(prober: Prober) -> None:
    seen = await observe_script(prober, answer(b"x" * 3000), keyword="cart", body_limit=1500)
    assert seen.message == "the first 1,500 bytes of the page lacks the words “cart”"
