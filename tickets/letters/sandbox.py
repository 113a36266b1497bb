"""The templates of letters: ours, and an agency's own in their place, which run in a sandbox.

Each notice has a folder in ``templates/`` with ``subject.txt`` and ``body.txt``. The sentences of a
body are written once: ``layout.txt`` sets them as plain text, ``layout.html`` as HTML. Which of the
two escapes is decided by the environment that a layout is loaded from, never by its file's name.

A template of the agency's own is data, not a program: it sees the words of a letter and nothing of
the service, and what it repeats, calls and prints is bounded, so that a mistake in it costs one
letter. (Whoever may write in its folder may write the configuration too.)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from threading import local
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
    nodes,
)
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tickets.rules.notice import Notice

OWN_CALLS = 2_000
"""Calls that one part of a letter of an agency's own may make."""

OWN_INCLUDES = 100
"""Templates that one part of a letter of an agency's own may be made of."""

OWN_BYTES = 64_000
"""Largest template of an agency's own."""

OWN_TEXT = 200_000
"""Longest text that an agency's own templates may make of one letter, in characters."""

_FAULTS = (
    TemplateError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    OSError,
)
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "e", "escape", "first", "forceescape", "int",
    "join", "last", "length", "list", "lower", "replace", "reverse", "round", "safe", "select",
    "sort", "string", "striptags", "sum", "title", "trim", "truncate", "unique", "upper",
    "urlencode", "wordcount",
)  # fmt: skip
_METHODS = frozenset(
    {
        "capitalize", "casefold", "count", "endswith", "find", "items", "keys", "get", "isdigit",
        "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rpartition", "rsplit",
        "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper", "values",
    }
)  # fmt: skip
_FORMATS = frozenset({"format", "format_map"})
_MOST_LOOPS = 2


class TemplateFailed(Exception):
    """A letter could not be made of its templates.

    ``file`` and ``line`` tell where, with None for what no single line is to blame for.
    """

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.line = line


class Templates:
    """One set of templates: the built-in ones, or with ``folder`` an agency's own before them."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        make = _our_environment if folder is None else partial(_environment, folder)
        self._text = make(is_html=False)
        self._html = make(is_html=True)

    def render(self, notice: Notice, words: Mapping[str, object]) -> tuple[str, str, str]:
        """Return the subject, the text and the page; raises ``TemplateFailed``."""
        words = dict(words)
        try:
            subject = self._make(self._text, f"{notice}/subject.txt", words)
            words["subject"] = " ".join(subject.split())
            body = f"{notice}/body.txt"
            text = self._make(
                self._text, body, words | {"layout": "layout.txt", "passage_layout": "passage.txt"}
            )
            page = self._make(
                self._html,
                body,
                words | {"layout": "layout.html", "passage_layout": "passage.html"},
            )
        except _FAULTS as error:
            raise self._failed(error) from error
        return subject, text, page

    def compile(self, name: str) -> None:
        """Compile the template ``name``, which may be used by no letter; raises the same."""
        environment = self._html if name.endswith(".html") else self._text
        try:
            if isinstance(environment, _Sandbox):
                environment.begin()
            environment.get_template(name)
        except _FAULTS as error:
            raise self._failed(error) from error

    def _make(self, environment: Environment, name: str, words: dict[str, object]) -> str:
        if isinstance(environment, _Sandbox):
            environment.begin()
        made: list[str] = []
        length = 0
        template = environment.get_template(name)
        for piece in template.generate(words):
            made.append(piece)
            length += len(piece)
            if self._folder is not None and length > OWN_TEXT:
                message = f"it makes more than {OWN_TEXT:,} characters"
                raise TemplateFailed(message, file=template.filename)
        return "".join(made)

    def _failed(self, error: BaseException) -> TemplateFailed:
        message = str(error) or type(error).__name__
        if isinstance(error, RecursionError):
            message = "it includes or calls itself without end"
        if isinstance(error, TemplateSyntaxError):
            return TemplateFailed(error.message or message, file=error.filename, line=error.lineno)
        file, line = _place(error)
        return TemplateFailed(message, file=file, line=line)


@cache
def template_names() -> frozenset[str]:
    """Return the name of every template there is: those of a notice lie in its folder."""
    ours = PackageLoader("tickets.letters", "templates").list_templates()
    return frozenset(name for name in ours if name.endswith((".txt", ".html")))


def _place(error: BaseException) -> tuple[str | None, int | None]:
    """Return the template's file and line where ``error`` arose; Jinja puts both in the trace."""
    file, line, step = None, None, error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if name.endswith((".txt", ".html")):
            file, line = name, step.tb_lineno
        step = step.tb_next
    return file, line


@cache
def _our_environment(*, is_html: bool) -> Environment:
    """Return what the built-in templates run in, compiled once in a process."""
    return _environment(None, is_html=is_html)


def _environment(folder: Path | None, *, is_html: bool) -> Environment:
    ours = PackageLoader("tickets.letters", "templates")
    kind = Environment if folder is None else _Sandbox
    environment = kind(
        loader=ours if folder is None else ChoiceLoader([_OwnLoader(str(folder)), ours]),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=folder is not None,
    )
    if folder is not None:
        named: Any = environment  # Jinja gives its filters and globals no types
        named.filters = {name: named.filters[name] for name in _FILTERS}
        named.globals = {}
    return environment


class _OwnLoader(FileSystemLoader):
    """Loads an agency's own templates from its folder, none too large."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Any]:
        source, file, is_current = super().get_source(environment, template)
        if len(source.encode()) > OWN_BYTES:
            message = f"it is larger than {OWN_BYTES:,} bytes"
            raise TemplateSyntaxError(message, 1, name=template, filename=file)
        return source, file, is_current


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with less in it: no repetition, no padding, a budget of calls."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._spent = local()

    def begin(self) -> None:
        """Begin a part of a letter with its whole budget; each thread has its own."""
        self._spent.calls = self._spent.includes = 0

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call ``obj`` within the budget."""
        self._spent.calls += 1
        if self._spent.calls > OWN_CALLS:
            raise SecurityError(f"it makes more than {OWN_CALLS:,} calls")
        return super().call(context, obj, *args, **kwargs)

    def get_template(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        """Return a template within the budget."""
        self._count_include()
        return super().get_template(name, *args, **kwargs)

    def select_template(self, names: Any, *args: Any, **kwargs: Any) -> Any:
        """Return one of several templates within the budget."""
        self._count_include()
        return super().select_template(names, *args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute; text is not formatted, for a format may pad without end."""
        if attribute in _FORMATS:
            return self.unsafe_undefined(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item, with the same exception."""
        if isinstance(argument, str) and argument in _FORMATS:
            return self.unsafe_undefined(obj, argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply and divide small numbers; text is never repeated."""
        numbers = all(isinstance(one, int | float) and abs(one) < 1e6 for one in (left, right))
        if operator == "**" or not numbers:
            raise SecurityError(f"the operator {operator} is for small numbers only")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow what reads; what pads, repeats or formats is not needed in a letter."""
        if callable(value) and isinstance(obj, str | bytes | list | tuple | dict):
            return attr in _METHODS
        return super().is_safe_attribute(obj, attr, value)

    def _count_include(self) -> None:
        self._spent.includes = getattr(self._spent, "includes", 0) + 1
        if self._spent.includes > OWN_INCLUDES:
            raise SecurityError(f"it includes more than {OWN_INCLUDES} templates, or itself")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _check(tree, name=name, file=filename)
        return tree


def _check(node: nodes.Node, *, name: str | None, file: str | None, depth: int = 0) -> None:
    """Raise ``TemplateSyntaxError`` for what could run too long or leave a word unescaped."""
    fault = None
    if isinstance(node, nodes.For):
        depth += 1
        if node.recursive or depth > _MOST_LOOPS:
            fault = f"loops may nest {_MOST_LOOPS} deep and not call themselves"
    elif isinstance(node, nodes.EvalContextModifier | nodes.ScopedEvalContextModifier):
        fault = "autoescape stays as it is: text has none, HTML has it"
    elif isinstance(node, nodes.Filter) and node.name == "safe":
        is_own = isinstance(node.node, nodes.Const)
        fault = None if is_own else "safe is for text that stands in the template, not for words"
    if fault is not None:
        raise TemplateSyntaxError(fault, node.lineno, name=name, filename=file)
    for child in node.iter_child_nodes():
        _check(child, name=name, file=file, depth=depth)
