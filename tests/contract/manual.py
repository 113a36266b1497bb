"""What the manual names: links, commands, settings, metrics, files; and what of it is not there.

A fault is one line for a person: where, and what does not exist. ``test_manual`` runs the rules
over the pages, and over examples that each of them must find.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from monitor.settings import Settings
from monitor.settings.shape import Shape

FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
FOLDERS = ("config/", "dashboards/", "docs/", "monitor/", "tests/", "tickets/")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fenced blocks of a page: what each is said to be written in, and its lines."""
    for block in FENCED.finditer(text):
        yield block[2], re.sub(f"^{block[1]}", "", block[3], flags=re.MULTILINE)


def spans(text: str) -> Iterator[str]:
    """Yield what stands in code within sentences, each on one line."""
    for span in SPAN.finditer(FENCED.sub("", text)):
        yield " ".join(span[1].split())


def link_faults(file: Path, text: str) -> Iterator[str]:
    """Find links and pictures that lead to no file, or to no heading of it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (file.parent / path) if path else file
        if not there.exists():
            yield f"{file.name}: {target} leads to no file"
        elif anchor and anchor not in anchors(there.read_text(encoding="utf-8")):
            yield f"{file.name}: {target} leads to no heading"


def anchors(text: str) -> set[str]:
    """Return the names that the headings of a page have in links."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def command_faults(file: str, text: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """Find commands and flags that there are not, and examples that cannot be called."""
    for span in spans(text):
        if span.startswith("fettle ") and (fault := _fault_of_words(span, parser)):
            yield f"{file}: {fault}"
    for _, block in blocks(text):
        for call in _calls(block):
            if fault := _fault_of_call(call, parser):
                yield f"{file}: {fault}"


def _fault_of_words(span: str, parser: argparse.ArgumentParser) -> str:
    """Tell what a command with words like FILE in it, or only a part of one, has wrong."""
    leaf = parser
    words = span.split()[1:]
    while words and (choices := _choices(leaf)):
        if words[0] not in choices:
            return "" if words[0].startswith("-") else f"{span!r}: there is no {words[0]!r}"
        leaf = choices[words.pop(0)]
    flags = set(re.findall(r"(?<![\w-])--[a-z-]+", " ".join(words)))
    if missing := sorted(flags - set(leaf._option_string_actions)):  # noqa: SLF001
        return f"{span!r}: there is no {', '.join(missing)}"
    return ""


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    return {}


def _calls(block: str) -> Iterator[str]:
    """Yield what a reader types behind ``fettle``, up to what is done with its answer."""
    for line in re.sub(r"\\\n *", " ", block).splitlines():
        if not re.match(r"\$ ", line):
            continue
        for part in re.split(r"\||&&", re.split(r" {2,}#", line)[0]):
            # The last one of these is the command: a user, a folder or a container may be named so.
            _, is_called, words = f" {part[2:]}".rpartition("fettle ")
            if is_called:
                yield re.split(r" [<>] ?", words)[0]


def _fault_of_call(call: str, parser: argparse.ArgumentParser) -> str:
    try:
        parser.parse_args(shlex.split(call))
    except SystemExit:
        return f"'fettle {call}' cannot be called"
    return ""


def setting_faults(file: str, text: str) -> Iterator[str]:
    """Find settings that there are not, named in sentences, in YAML or as a variable."""
    root = Shape(section=Settings)
    for span in spans(text):
        if re.fullmatch(r"[a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)+", span):
            keys = span.replace("[]", ".[]").split(".")
            is_file = keys[-1] in {"json", "md", "py", "yml"}
            if keys[0] in root.names() and not is_file and not _reaches(root, keys):
                yield f"{file}: {span} is no setting"
        for name in re.findall(r"\bFETTLE_[A-Z0-9_]*__[A-Z0-9_]+", span):
            if not _reaches(root, name.removeprefix("FETTLE_").lower().split("__")):
                yield f"{file}: {name} sets nothing"
    for language, block in blocks(text):
        if language == "yaml":
            for document in yaml.safe_load_all(block):
                if isinstance(document, dict) and set(document) & set(root.names()):
                    yield from (
                        f"{file}: {path} is no setting" for path in _strange(root, document)
                    )


def _reaches(shape: Shape, keys: Sequence[str]) -> bool:
    """Tell whether a setting stands where ``keys`` lead; an item of a list has any name."""
    for key in keys:
        found = shape.child(key) or shape.child(key.removesuffix("_file"))
        if found is None:
            return False
        shape = found
    return True


def _strange(shape: Shape, value: object, path: str = "") -> Iterator[str]:
    """Yield the path of each key of ``value`` that the settings do not know."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}".strip(".")
            below = shape.child(str(key))
            if below is None:
                yield here
            else:
                yield from _strange(below, inner, here)
    elif isinstance(value, list) and shape.item is not None:
        for inner in value:
            yield from _strange(shape.item, inner, path)


def name_faults(file: str, text: str, root: Path) -> Iterator[str]:
    """Find files, modules and targets of make that there are not."""
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = [line.removeprefix("$ ") for _, block in blocks(text) for line in block.splitlines()]
    for said in (*spans(text), *commands):
        for target in re.findall(r"^make(?: [A-Z]+=\S+)* ([a-z-]+)", said):
            if target not in targets:
                yield f"{file}: there is no 'make {target}'"
        for module in re.findall(r"python3? -m ((?:monitor|tickets|tests|dashboards)[\w.]*)", said):
            path = root / module.replace(".", "/")
            if not (path.is_dir() or path.with_suffix(".py").is_file()):
                yield f"{file}: there is no module {module}"
    for span in spans(text):
        if span.startswith(FOLDERS) and re.fullmatch(r"[\w./*-]+", span):
            path = span.rstrip("/")
            if not any(root.glob(path)) and not (root / f"{path}.py").is_file():
                yield f"{file}: there is no {span}"


def metric_faults(file: str, text: str, known: set[str]) -> Iterator[str]:
    """Find metrics of ours that the page of metrics does not list."""
    for span in spans(text):
        for name in re.findall(r"\bfettle_[a-z_]+[a-z](?![\w*])", span):
            if name not in known and re.sub("_(bucket|count|sum)$", "", name) not in known:
                yield f"{file}: there is no metric {name}"
