"""The rules of the house that no linter knows, each a function from source to its faults.

A fault is one line for a person: where, what, and what is right instead. ``test_house_rules`` runs
them over the tree, and over examples that each of them must find.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

CLOCKS = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "uuid.uuid1",
    "uuid.uuid4",
    "sqlalchemy.func.now",
    "sqlmodel.func.now",
}
MAY_READ_CLOCKS = {"tickets/clock.py", "monitor/service.py", "monitor/ticker.py"}

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc", "manager"}

FORBIDDEN_WORDS = {
    "customer": "client",
    "tenant": "client",
    "subscriber": "contact",
    "endpoint": "site, or the name of the page",
    "healthcheck": "probe",
    "sla": "promise, response target or response deadline",
    "debounce": "confirmation",
    "downtime": "incident or maintenance window",
    "overdue": "breach",
    "severity": "priority",
    "backoffice": "desk",
}
"""Words whose place another word of the glossary holds, in names of modules, classes, functions."""

MAY_CATCH_ALL = {
    ("monitor/ticker.py", "Ticker._run"): "our fault over one site must not stop the others",
    ("monitor/jobs.py", "Jobs._run_one"): "ends the process with the error, outside the scheduler",
    ("tickets/mail_channel.py", "MailChannel.attempt"): "one message must not stop the others",
    ("tickets/channels.py", "PushChannel.attempt"): "one message must not stop the others",
    ("tickets/sweep.py", "_one"): "one row must not stop the others",
    ("monitor/statement/mailing.py", "_one"): "one client must not cost the others their mail",
}
"""The loop edges: (file, function) to why it must outlive any error."""

IMPURE = {
    "asyncio",
    "concurrent",
    "http",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "smtplib",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "uuid",
}
"""Modules of the standard library that read a clock, chance or the world outside."""


def clock_faults(file: str, tree: ast.Module) -> Iterator[str]:
    """Find clocks and chance read where time should be an argument, called or only handed on."""
    if file in MAY_READ_CLOCKS:
        return
    names = _imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = _full_name(node, names)
            if name in CLOCKS:
                yield f"{file}:{node.lineno}: {name} is read; take an instant or a Clock instead"


def module_name_faults(file: str) -> Iterator[str]:
    """Find modules and packages whose name does not say what they are for."""
    for part in PurePosixPath(file).with_suffix("").parts:
        if part in EMPTY_NAMES:
            yield f"{file}: {part!r} says nothing of the content; use the glossary's noun"


def word_faults(file: str, tree: ast.Module) -> Iterator[str]:
    """Find words outside the glossary in the names of modules, classes and functions."""
    named: list[tuple[int, str]] = [(1, PurePosixPath(file).stem)]
    named += [
        (node.lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for line, name in named:
        for word in _words(name):
            right = FORBIDDEN_WORDS.get(word) or FORBIDDEN_WORDS.get(word.removesuffix("s"))
            if right:
                yield f"{file}:{line}: {name} says {word!r}; the glossary's word is {right}"


def catch_all_faults(file: str, tree: ast.Module) -> Iterator[str]:
    """Find handlers that swallow every error; one that ends in a bare ``raise`` swallows none."""
    for function, handler in handlers(tree):
        if not _catches_all(handler) or _raises_on(handler):
            continue
        if (file, function) not in MAY_CATCH_ALL:
            yield (
                f"{file}:{handler.lineno}: {function} catches every error; name the errors, "
                "or give the loop edge and its reason in MAY_CATCH_ALL"
            )


def purity_faults(file: str, tree: ast.Module) -> Iterator[str]:
    """Find imports in rules beyond the pure part of the standard library and their own rules."""
    package, _, rest = file.partition("/")
    if not rest.startswith("rules/"):
        return
    for line, module in _imports(tree):
        own = module == f"{package}.rules" or module.startswith(f"{package}.rules.")
        top = module.partition(".")[0]
        if not own and (top not in sys.stdlib_module_names or top in IMPURE):
            yield f"{file}:{line}: rules are pure and import no {module}"


def imported_libraries(tree: ast.Module) -> set[str]:
    """Return the top-level names of what a module imports beyond the standard library."""
    tops = {module.partition(".")[0] for _, module in _imports(tree)}
    return tops - sys.stdlib_module_names


MACHINE_PATH = re.compile(r"(?:^|[^a-zA-Z0-9.])/(?:root|work|farm|home/[a-z]+)/")


def machine_path_faults(file: str, text: str) -> Iterator[str]:
    """Find absolute paths of the machine on which a file was written."""
    for number, line in enumerate(text.splitlines(), start=1):
        if MACHINE_PATH.search(line):
            yield f"{file}:{number}: a path of one machine only; write it relative to the project"


def space_faults(file: str, text: str) -> Iterator[str]:
    """Find space at line ends, Windows line ends and a missing or doubled end of file.

    In letters space is content, and data for tests stands as its source has it.
    """
    if file.startswith("tickets/letters/templates/") or re.match(r"tests/.*/data/", file):
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line != line.rstrip():
            yield f"{file}:{number}: space at the end of the line"
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield f"{file}: ends in one line break, not in none and not in several"


def handlers(tree: ast.Module) -> Iterator[tuple[str, ast.ExceptHandler]]:
    """Yield every except clause with the dotted name of the function or class around it."""

    def walk(node: ast.AST, around: str) -> Iterator[tuple[str, ast.ExceptHandler]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ExceptHandler):
                yield around or "the module", child
            inside = around
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                inside = f"{around}.{child.name}" if around else child.name
            yield from walk(child, inside)

    return walk(tree, "")


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Return what each imported name stands for, for example ``dt`` for ``datetime``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    names[alias.asname] = alias.name
                else:
                    top = alias.name.partition(".")[0]
                    names[top] = top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _full_name(node: ast.expr, names: dict[str, str]) -> str:
    """Return the dotted name that ``node`` stands for, empty if it does not begin at an import."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        before = _full_name(node.value, names)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _words(name: str) -> list[str]:
    """Split snake_case and CamelCase into lower-case words."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def _catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        isinstance(error, ast.Name) and error.id in {"Exception", "BaseException"}
        for error in caught
    )


def _raises_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
