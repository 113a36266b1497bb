"""Which files may come with a ticket, and under which name they are kept."""

from __future__ import annotations

import io
import zipfile

import pytest

from tickets.attachments import accept
from tickets.errors import Refused
from tickets.pages.downloads import disposition
from tickets.rules.attachment import (
    LARGEST_FILE,
    LARGEST_SET,
    LONGEST_NAME,
    MOST_FILES,
    SentFile,
    clean_name,
)

PNG = b"\x89PNG\r\n\x1a\n-"
PDF = b"%PDF-1.7\n"


def a_zip(*names: str, stored: dict[str, bytes] | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in (stored or {}).items():
            archive.writestr(name, content, zipfile.ZIP_STORED)
        for name in names:
            archive.writestr(name, b"<x/>", zipfile.ZIP_DEFLATED)
    return file.getvalue()


DOCX = a_zip("[Content_Types].xml", "word/document.xml")
ODT = a_zip("content.xml", stored={"mimetype": b"application/vnd.oasis.opendocument.text"})


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("shot.png", PNG, "image/png"),
        ("SHOT.PNG", PNG, "image/png"),
        ("really a png.jpg", PNG, "image/png"),
        ("photo.jpeg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("moving.gif", b"GIF89a", "image/gif"),
        ("new.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        ("phone.heic", b"\x00\x00\x00\x18ftypheic", "image/heic"),
        ("offer.pdf", PDF, "application/pdf"),
        ("notes.txt", "Grüße\n".encode(), "text/plain"),
        ("old.txt", "Grüße".encode("latin-1"), "text/plain"),
        ("from excel.csv", "a;b".encode("utf-16"), "text/csv"),
        ("html as text.txt", b"<script>alert(1)</script>", "text/plain"),
        (
            "letter.docx",
            DOCX,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ("letter.odt", ODT, "application/vnd.oasis.opendocument.text"),
    ],
)
def test_the_content_decides_what_a_file_is(name: str, content: bytes, media_type: str) -> None:
    [kept] = accept([SentFile(name, content)])
    assert kept.media_type == media_type


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"),
        ("page.html", b"<!doctype html>"),
        ("page.htm", PNG),
        ("run.exe", b"MZ"),
        ("run.pdf.exe", PDF),
        ("script.js", b"alert(1)"),
        ("archive.zip", a_zip("a")),
        ("nothing", PNG),
        (".png", PNG),
        ("a.png\x00.html", PNG),
        ("a.png\u202egpj.html", PNG),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("page.pdf", b"<html>%PDF-1.7"),
        ("page.jpg", PDF),
        ("binary.txt", b"\x00\x01"),
        ("broken.csv", b"\xff\xfe\x00\xd8"),
        ("macros.docx", a_zip("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")),
        ("sheet.docx", a_zip("[Content_Types].xml", "xl/workbook.xml")),
        ("plain zip.docx", a_zip("a")),
    ],
)
def test_case_5_what_could_run_is_refused_and_what_is_allowed_is_named(
    name: str, content: bytes
) -> None:
    with pytest.raises(Refused, match="allowed are pictures"):
        accept([SentFile(name, content)])


def test_case_5_a_polyglot_is_kept_as_what_it_begins_as_and_nothing_is_unpacked() -> None:
    bomb = a_zip("[Content_Types].xml", "word/document.xml") + b"\x00" * 1000
    [pdf, document] = accept(
        [SentFile("both.pdf", b"%PDF-1.7\n/*<script>*/alert(1)"), SentFile("bomb.docx", bomb)]
    )
    assert pdf.media_type == "application/pdf"
    assert document.content == bomb


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([SentFile("a.png", PNG)] * (MOST_FILES + 1), "there are 6 files; send at most 5 files"),
        ([SentFile("a.png", PNG + bytes(LARGEST_FILE))], "‘a.png’ is too large; send at most"),
        ([SentFile("a.png", PNG + bytes(LARGEST_SET // 2 - 99))] * 3, "too large together"),
        ([SentFile("a.png", b"")], "‘a.png’ is empty; choose it again"),
    ],
)
def test_case_5_too_many_and_too_large_say_how_much_is_allowed(
    files: list[SentFile], says: str
) -> None:
    with pytest.raises(Refused, match=says):
        accept(files)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("..\\..\\windows\\win.txt", "win.txt"),
        ("C:\\fakepath\\shot.png", "shot.png"),
        ("a\x00b\x07.png", "a_b_.png"),
        ("a\r\nSet-Cookie: x.png", "a Set-Cookie_ x.png"),
        ("cod\u202egnp.exe.png", "codgnp.exe.png"),
        ("z\u200be\ufeffro.png", "zero.png"),
        ("\ud800.png", "_.png"),
        ('a"b<c>.png', "a_b_c_.png"),
        ("Übersicht – März.pdf", "Übersicht – März.pdf"),
        (" . ", "file"),
        ("", "file"),
        ("..", "file"),
    ],
)
def test_case_5_a_name_is_cleaned_before_anybody_sees_it(name: str, kept: str) -> None:
    assert clean_name(name) == kept


def test_case_5_a_long_name_keeps_its_end() -> None:
    kept = clean_name("x" * 300 + ".png")
    assert len(kept) == LONGEST_NAME
    assert kept.endswith("x.png")


@pytest.mark.parametrize("name", ["März ☃.pdf", "a%22;b.png", "plain.txt", "\U0001f600.gif"])
def test_the_name_of_a_download_is_one_header_in_ascii(name: str) -> None:
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.startswith('attachment; filename="')
    assert header.count('"') == 2
