"""``fettle statement``: the page, the PDF, the document, and who is sent it."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from monitor.rules.month import parse_month
from monitor.rules.verdict import Verdict
from monitor.statement.page import render_page
from monitor.statement.pdf import print_pdf
from monitor.statement.reading import read_statement
from tests.builders import a_policy, a_site
from tests.clocks import FakeClock
from tests.commands import Fettle, write_config
from tests.desk import Page
from tests.portal import branded
from tests.sites import settle, watch
from tests.statements import seed
from tests.tickets import opened
from tickets.policy import Branding
from tickets.store import Store

FIRST = datetime(2026, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOSTILE = (
    '<script>alert(1)</script><img src="http://evil.test/x"> " onload=" {{ 7*7 }} \x1b[2J\u202e'
)
CONFIG = """\
agency:
  name: Bright Agency
  url: https://agency.test/
  mail_from: support@agency.test
staff_channels:
  duty: ["mailto://duty@agency.test"]
clients:
  - slug: harbour
    name: Harbour Inns
    allowance: {hours_per_month: 5}
    contacts:
      - {name: Anna Wright, email: anna@harbour.test, statement: true}
      - {name: Ben Moss, email: ben@harbour.test}
    sites:
      - {slug: booking, name: Booking site, url: "https://booking.harbour.test/"}
"""

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def fettle(
    store: Store,
    store_url: str,
    tmp_path: Path,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Fettle:
    """``fettle`` on a store that has seen ten hours of February, one of them down."""
    call = Fettle(write_config(tmp_path, CONFIG), clock, capsys, monkeypatch)
    call.environ["FETTLE_STORE__URL"] = store_url
    site = a_site(interval=300)
    watch(store, [site], at=FIRST)
    seed(
        store,
        site,
        FIRST,
        FIRST + 10 * HOUR,
        lambda at: Verdict.DOWN if FIRST + HOUR < at <= FIRST + 2 * HOUR else Verdict.UP,
    )
    settle(store, site, Verdict.DOWN, since=FIRST + HOUR)
    settle(store, site, Verdict.UP, since=FIRST + 2 * HOUR)
    return call


def test_it_prints_the_page_of_the_month_before(fettle: Fettle) -> None:
    ended = fettle("statement", "--client", "harbour")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("<!doctype html>")
    page = Page(httpx.Response(200, text=ended.out))
    assert "February 2026" in page.text
    assert "90.00 %" in page.text
    assert "0 min of 5 h" in page.text or "0 s of 5 h" in page.text


def test_its_document_has_every_figure_unrounded(fettle: Fettle) -> None:
    ended = fettle("statement", "--client", "harbour", "--month", "2026-02", "--json")
    document = json.loads(ended.out)
    (site,) = document["sites"]
    assert (site["share"], site["up_seconds"], site["down_seconds"]) == (0.9, 9 * 3600, 3600)
    assert site["unwatched_seconds"] == (28 * 24 - 10) * 3600
    assert len(site["days"]) == 28
    (incident,) = document["incidents"]
    assert (incident["seconds"], incident["ticket"]) == (3600, "T-1001")
    assert incident["started_at"] == "2026-02-01T01:00:00+00:00"
    (ticket,) = document["tickets"]
    assert (ticket["promise"], ticket["answered_at"]) == ("broken", None)
    assert document["allowance"] == {"spent_seconds": 0, "per_month_seconds": 5 * 3600}


def test_it_writes_html_into_a_file_again_and_again(fettle: Fettle, tmp_path: Path) -> None:
    out = tmp_path / "february.html"
    for _ in range(2):
        ended = fettle("statement", "--client", "harbour", "--out", str(out))
        assert (ended.code, ended.out) == (0, "")
        assert "February 2026" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--month", "2026-02"], "--client is needed"),
        (["--client", "harbor"], "no client 'harbor' in the configuration; did you mean"),
        (["--client", "harbour", "--month", "2026-2"], "a month is written YYYY-MM"),
        (["--client", "harbour", "--month", "2026-13"], "a month is written YYYY-MM"),
        (["--client", "harbour", "--out", "february.doc"], "must end in .html or .pdf"),
        (["--client", "harbour", "--out", "nowhere/at/all.html"], "cannot be written"),
    ],
)
def test_what_it_cannot_do_is_wrong_usage(fettle: Fettle, words: list[str], said: str) -> None:
    ended = fettle("statement", *words)
    assert ended.code == 2
    assert said in ended.err


def test_a_month_to_come_is_refused(fettle: Fettle) -> None:
    ended = fettle("statement", "--client", "harbour", "--month", "2026-04")
    assert ended.code == 1
    assert "2026-04 is still to come" in ended.err


def test_it_lists_who_gets_statements(fettle: Fettle) -> None:
    ended = fettle("statement", "--recipients")
    assert ended.out.split() == [
        *("harbour", "Anna", "Wright", "anna@harbour.test"),
        *("gets", "statements", "none", "sent", "yet"),
    ]
    ended = fettle("statement", "--recipients", "--json")
    assert json.loads(ended.out) == [
        {
            "client": "harbour",
            "name": "Anna Wright",
            "address": "anna@harbour.test",
            "unsubscribed_at": None,
            "last_month": None,
        }
    ]


def a_hostile_page(store: Store) -> str:
    """Return the page of a client all of whose names are markup, as nobody could configure it."""
    policy = branded(a_policy(), Branding(name=HOSTILE, colour=f"red;{HOSTILE}"))
    policy = replace(policy, agency_name=HOSTILE)
    site = a_site(name=HOSTILE, url=f"https://harbour.test/{HOSTILE}", interval=300)
    watch(store, [site], at=FIRST)
    seed(store, site, FIRST, FIRST + HOUR)
    settle(store, site, Verdict.SLOW, since=FIRST + HOUR, policy=policy)
    opened(store, policy, at=FIRST + HOUR, title=HOSTILE)
    at = FIRST + 40 * 24 * HOUR
    month = parse_month("2026-02")
    stated = store.read(lambda tx: read_statement(tx, policy, "harbour", month, at=at))
    return render_page(stated, policy)


def test_nothing_hostile_becomes_markup_and_the_page_asks_nobody_for_anything(
    store: Store,
) -> None:
    text = a_hostile_page(store)
    page = Page(httpx.Response(200, text=text))
    assert not {name for name, _ in page.elements} & {"script", "img", "link", "iframe", "a"}
    asking = {"src", "href", "action", "data", "srcset", "onload", "style", "xlink:href"}
    assert [names for _, names in page.elements if asking & names.keys()] == []
    assert all(
        url.startswith("data:font/woff2;base64,") for url in re.findall(r'url\("(.*?)"', text)
    )
    assert "--accent: #3b2db0;" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7*7 }}" in text
    assert not set("\x1b\u202e") & set(text)


@pytest.fixture
def needs_weasyprint() -> None:
    """Skips where WeasyPrint or Pango is missing; with CI=true their absence is a failure."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError) as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no PDF without WeasyPrint and Pango: {error}")


@pytest.mark.usefixtures("needs_weasyprint")
def test_it_writes_a_pdf(fettle: Fettle, tmp_path: Path) -> None:
    out = tmp_path / "february.pdf"
    ended = fettle("statement", "--client", "harbour", "--out", str(out))
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    content = out.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert "HankenGrotesk" in inflated(content).replace("-", "")  # the font came with the page


def inflated(content: bytes) -> str:
    """Return what the streams of a PDF hold, as far as it is text."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL)
    return b"".join(map(zlib.decompress, streams)).decode("latin-1")


@pytest.mark.usefixtures("needs_weasyprint")
def test_a_pdf_fetches_nothing_whatever_its_page_names(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("body::after { content: 'the secret' }", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        page = (
            f"<link rel=stylesheet href='{url}/a.css'>"
            f"<link rel=stylesheet href='{secret.as_uri()}'>"
            f"<style>@import '{url}/b.css'; body {{ background: url({url}/c.png) }}</style>"
            f"<img src='{url}/d.png'><object data='{url}/e.svg'></object><p>Only this</p>"
        )
        assert print_pdf(page).startswith(b"%PDF-")
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_pdf_without_weasyprint_says_what_to_install(
    fettle: Fettle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    out = tmp_path / "february.pdf"
    ended = fettle("statement", "--client", "harbour", "--out", str(out))
    assert ended.code == 2
    assert "pip install fettle[pdf]" in ended.err
    assert not out.exists()


def test_a_pdf_without_pango_says_what_is_missing(
    fettle: Fettle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "without" / "weasyprint"
    package.mkdir(parents=True)
    fault = "raise OSError(\"cannot load library 'libpango-1.0-0': no such file\\nand more\")\n"
    (package / "__init__.py").write_text(fault, encoding="utf-8")
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(package.parent)
    ended = fettle("statement", "--client", "harbour", "--out", str(tmp_path / "february.pdf"))
    assert ended.code == 2
    assert "cannot load library 'libpango-1.0-0'" in ended.err
    assert "libpangoft2-1.0-0" in ended.err
    assert "and more" not in ended.err
