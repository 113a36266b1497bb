"""What reaches a terminal from hostile text, and how tables and JSON are written."""

from __future__ import annotations

import argparse
import io
import json
import shlex
from collections.abc import Iterator

import pytest

from monitor.cli import find_command
from monitor.commands.arguments import build_parser
from monitor.commands.screen import OutputLost, Screen, Tone, Toned, one_line, width_of


def a_screen(*, has_colour: bool = False, output: io.TextIOBase | None = None) -> Screen:
    return Screen(
        input=io.StringIO(),
        output=output or io.StringIO(),  # pyright: ignore[reportArgumentType] (a text stream)
        errors=io.StringIO(),
        has_colour=has_colour,
    )


def written(screen: Screen) -> str:
    assert isinstance(screen.output, io.StringIO)
    return screen.output.getvalue()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb", "a\\rb"),
        ("a\nb", "a\\nb"),
        ("a\tb", "a\\tb"),
        ("\x7f", "\\x7f"),
        ("\x00", "\\x00"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028line", "line\\u2028line"),
        ("\ud800", "\\ud800"),
        ("\U000e0041tag", "\\U000e0041tag"),
        ("no\xa0break", "no break"),
        ("Zoë · Łódź · 日本 · ■", "Zoë · Łódź · 日本 · ■"),
        ("क्\u200dष", "क्\u200dष"),
    ],
)
def test_what_a_terminal_would_obey_comes_out_escaped(hostile: str, shown: str) -> None:
    assert one_line(hostile) == shown


def test_no_way_of_writing_lets_hostile_text_through() -> None:
    hostile = "x\x1b[2J\x9b\x07\r\u202e"
    for has_colour in (False, True):
        screen = a_screen(has_colour=has_colour)
        screen.line("a", hostile)
        screen.text(f"first\n{hostile}", is_coloured=True)
        screen.text(hostile, indent="  ")
        screen.table([[hostile, Toned(hostile)]])
        screen.document({"text": hostile, hostile: [hostile]})
        screen.complain(hostile)
        screen.hint(hostile)
        assert isinstance(screen.errors, io.StringIO)
        seen = written(screen) + screen.errors.getvalue()
        assert not set(seen) & set("\x1b\x9b\x07\r\u202e")
        assert seen.count("x\\x1b[2J") >= 6


def test_a_line_break_in_a_cell_forges_no_row() -> None:
    screen = a_screen()
    screen.table([["T-1001", "down\nT-1002  up"]])
    assert written(screen).count("\n") == 1


def test_columns_line_up_whatever_the_script() -> None:
    screen = a_screen()
    screen.table([["日本", "one"], ["Zoe\u0308", "two"], ["\x1b", "three"], ["long name", "four"]])
    columns = [
        width_of(line[: line.index(word)])
        for line, word in zip(
            written(screen).splitlines(), ["one", "two", "three", "four"], strict=True
        )
    ]
    assert columns == [11, 11, 11, 11]


def test_lines_end_without_space() -> None:
    screen = a_screen()
    screen.table([["a", ""], ["bcd", "e"]])
    assert written(screen) == "a\nbcd  e\n"


def test_tones_show_only_on_a_terminal_with_colours() -> None:
    pieces = [Toned("Down", Tone.BAD), " for ", Toned("8 min")]
    plain, coloured = a_screen(), a_screen(has_colour=True)
    plain.line(*pieces)
    coloured.line(*pieces)
    assert written(plain) == "Down for 8 min\n"
    assert written(coloured) == "\x1b[31mDown\x1b[0m for 8 min\n"


def test_coloured_text_keeps_colours_and_nothing_else() -> None:
    text = "\x1b[32mUP\x1b[0m \x1b[2J\x1b[31"
    plain, coloured = a_screen(), a_screen(has_colour=True)
    plain.text(text, is_coloured=True)
    coloured.text(text, is_coloured=True)
    assert "\x1b" not in written(plain)
    assert written(coloured) == "\x1b[32mUP\x1b[0m \\x1b[2J\\x1b[31\n"


def test_json_says_exactly_what_it_was_given() -> None:
    document = {"text": "Zoë\n\x1b\x9b\u202e\U000e0041 ■ 日本", "none": None, "list": [1.5, True]}
    screen = a_screen()
    screen.document(document)
    assert json.loads(written(screen)) == document
    assert "Zoë" in written(screen)


def test_json_is_ascii_where_the_output_is_not_unicode() -> None:
    octets = io.BytesIO()
    output = io.TextIOWrapper(octets, encoding="latin-1")
    screen = a_screen(output=output)
    screen.document({"text": "■ Zoë"})
    screen.flush()
    assert json.loads(octets.getvalue().decode("ascii")) == {"text": "■ Zoë"}


class Closed(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class Full(io.StringIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_output_that_is_lost_is_told_apart_from_a_reader_that_has_enough() -> None:
    with pytest.raises(OutputLost) as closed:
        a_screen(output=Closed()).line("text")
    with pytest.raises(OutputLost, match="No space left on device") as full:
        a_screen(output=Full()).flush()
    assert closed.value.is_closed
    assert not full.value.is_closed


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001
    if not groups:
        yield parser
    for group in groups:
        for child in group.choices.values():
            yield from leaves(child)


LEAVES = list(leaves(build_parser()))
COMMANDS = {
    "fettle run", "fettle demo", "fettle check-config", "fettle probe", "fettle deadline",
    "fettle hours elapsed",
    "fettle sites list", "fettle sites import", "fettle sites export",
    "fettle tickets list", "fettle tickets show",
    "fettle tickets acknowledge", "fettle tickets reply", "fettle tickets note",
    "fettle tickets resolve", "fettle tickets close", "fettle tickets reopen",
    "fettle tickets open", "fettle tickets priority", "fettle tickets category",
    "fettle tickets assign", "fettle tickets wait", "fettle tickets resume",
    "fettle tickets merge", "fettle tickets link", "fettle tickets revoke-links",
    "fettle tickets log-time",
    "fettle staff add", "fettle staff list", "fettle staff disable", "fettle staff password",
    "fettle mail preview", "fettle mail test",
    "fettle contacts list", "fettle contacts export", "fettle contacts erase",
    "fettle outbox list", "fettle outbox cancel", "fettle outbox requeue",
    "fettle db upgrade", "fettle db check", "fettle healthcheck",
    "fettle version", "fettle sites show", "fettle statement",
    "fettle token add",
    "fettle token list",
    "fettle token revoke",
}  # fmt: skip


def test_every_command_of_the_contract_is_there() -> None:
    assert {leaf.prog for leaf in LEAVES} == COMMANDS


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.prog)
def test_every_command_calls_something_and_says_how_it_is_called(
    leaf: argparse.ArgumentParser,
) -> None:
    assert callable(find_command(leaf.get_default("command")))
    assert f"example:\n  {leaf.prog}" in leaf.format_help()
    assert "--config FILE" in leaf.format_help()


def test_every_example_in_the_help_can_be_parsed() -> None:
    parser = build_parser()
    for leaf in LEAVES:
        example, _, _ = (leaf.epilog or "").removeprefix("example:\n").partition(" > ")
        words = shlex.split(example)
        assert parser.parse_args(words[1:]).command == leaf.get_default("command")
