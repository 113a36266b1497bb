"""An agency's own letters: what they may do, and what becomes of those that do not work."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tickets.letters import Letter, Letters
from tickets.letters.preview import TemplateFault, find_broken, find_faults
from tickets.letters.samples import SAMPLE_FACTS
from tickets.letters.sandbox import OWN_BYTES
from tickets.rules.notice import Audience, Notice

FACTS = SAMPLE_FACTS[Notice.DOWN]
BODY = "{% extends layout %}{% block what %}Oh dear: {{ about }}.{% endblock %}"


def own(folder: Path, **files: str) -> Path:
    """Write templates into ``folder``; ``down__body`` is ``down/body.txt``."""
    for name, text in files.items():
        file = folder / f"{name.replace('__', '/')}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def write(folder: Path | None, notice: Notice = Notice.DOWN) -> Letter:
    return Letters(folder).write(notice, Audience.CLIENT, SAMPLE_FACTS[notice])


def test_own_templates_stand_before_ours_one_by_one(tmp_path: Path) -> None:
    folder = own(tmp_path, down__subject="{{ reference }} is ours", answer="call us")
    letter = write(folder)
    assert letter.subject == "T-1042 is ours"
    assert letter.text == write(None).text
    assert "To answer Sam Okafor, call us." in write(folder, Notice.REPLY).text
    assert find_faults(folder) == []


def test_an_own_sentence_is_set_in_our_layout_and_escaped_in_html(tmp_path: Path) -> None:
    letters = Letters(own(tmp_path, down__body=BODY))
    facts = {**FACTS, "site_name": "<b>{{ 7*7 }}</b>"}
    letter = letters.write(Notice.DOWN, Audience.CLIENT, facts)
    assert "Oh dear: <b>{{ 7*7 }}</b>." in letter.text
    assert "Oh dear: &lt;b&gt;{{ 7*7 }}&lt;/b&gt;" in str(letter.html)


BROKEN = {
    "no end": ("Hello\n{% if reference %}", 2, "Unexpected end of template"),
    "no such fact": ("Hello\n\n{{ refrence }}", 3, "'refrence' is undefined"),
    "no such filter": ("{{ reference | shout }}", 1, "No filter named 'shout'"),
    "nothing": ("  \n", None, "it says nothing"),
    "our insides": ("{{ ''.__class__.__mro__ }}", 1, "is unsafe"),
    "an object's insides": ("{{ since.__init__.__globals__ }}", 1, "is unsafe"),
    "padding": ("{{ '{:>1000000000}'.format(reference) }}", 1, "is unsafe"),
    "another padding": ("{{ reference.zfill(1000000000) }}", 1, "is unsafe"),
    "repetition": ("{{ 'x' * 1000000000 }}", 1, "for small numbers only"),
    "power": ("{{ 9 ** 9 ** 9 }}", 1, "for small numbers only"),
    "itself": ("{% include 'down/subject.txt' %}", 1, "or itself"),
    "itself twice": ("{% include 'down/subject.txt' %}" * 2, 1, "or itself"),
    "loops": ("{% for a in title %}" * 3 + "x" + "{% endfor %}" * 3, 1, "loops may nest 2 deep"),
    "a long text": ("{% for a in title %}{% for b in title %}" + "x" * 2000 + "{% endfor %}" * 2,
                    None, "makes more than 200,000 characters"),
    "an unescaped word": ("ours\n{{ title | safe }}", 2, "safe is for text that stands"),
    "no escaping": ("{% autoescape false %}{{ title }}{% endautoescape %}", 1, "autoescape stays"),
    "a large file": ("x" * (OWN_BYTES + 1), 1, "is larger than 64,000 bytes"),
    "a file elsewhere": ("{% include '../../etc/passwd' %}", 1, "../../etc/passwd"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_fault_is_told_with_file_and_line_and_costs_no_letter(tmp_path: Path, kind: str) -> None:
    text, line, message = BROKEN[kind]
    folder = own(tmp_path, down__subject=text)
    faults = find_faults(folder)
    assert faults[0].file == str(folder / "down" / "subject.txt")
    assert faults[0].line == line
    assert message in faults[0].message
    if kind == "nothing":
        return
    letters = Letters(folder)
    with capture_logs() as logged:
        letter = letters.write(Notice.DOWN, Audience.CLIENT, FACTS)
    assert letter == write(None)
    assert letters.overrides_failed == 1
    [line_] = [one for one in logged if one["event"] == "letters.override_failed"]
    assert line_["line"] == line


def test_a_fault_in_a_body_names_the_line_of_the_body(tmp_path: Path) -> None:
    body = BODY.replace("{{ about }}", "\n\n{{ about.nothing }}")
    [fault, *_] = find_faults(own(tmp_path, down__body=body))
    assert (Path(fault.file).name, fault.line) == ("body.txt", 3)


def test_a_page_that_would_load_something_is_a_fault(tmp_path: Path) -> None:
    pixel = BODY.replace("Oh dear", "{{ '<IMG src=https://x.test/p.png>' | safe }}")
    [fault] = find_faults(own(tmp_path, down__body=pixel))
    assert Path(fault.file).name == "body.txt"
    assert fault.message == "a mail loads and runs nothing, and this has <IMG"


def test_a_file_that_is_no_template_is_named_with_its_neighbour(tmp_path: Path) -> None:
    folder = own(tmp_path, down__bodi="x")
    (folder / ".hidden").write_text("x")
    assert find_faults(folder) == [
        TemplateFault(
            file=str(folder / "down" / "bodi.txt"),
            line=None,
            message="is the name of no template; did you mean down/body.txt?",
        )
    ]


def test_a_file_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "layout.html").write_bytes(b"\xff\xfe\x00")
    [fault] = find_faults(tmp_path)
    assert fault.file.endswith("layout.html")
    assert write(tmp_path) == write(None)


def test_a_mended_template_counts_without_a_restart(tmp_path: Path) -> None:
    letters = Letters(own(tmp_path, down__subject="{{ oops }}"))
    letters.write(Notice.DOWN, Audience.CLIENT, FACTS)
    own(tmp_path, down__subject="{{ reference }} is mended now")
    letter = letters.write(Notice.DOWN, Audience.CLIENT, FACTS)
    assert letter.subject == "T-1042 is mended now"


def test_a_folder_that_went_away_costs_no_letter(tmp_path: Path) -> None:
    assert write(tmp_path / "nowhere") == write(None)


def test_every_built_in_letter_works() -> None:
    assert find_broken(Letters()) == []


@pytest.mark.parametrize("notice", Notice)
def test_the_documentation_names_every_letter(notice: Notice) -> None:
    page = (Path(__file__).parents[2] / "docs" / "mails.md").read_text("utf-8")
    assert f"`{notice}`" in page
