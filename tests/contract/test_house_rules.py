"""The rules of the house, held against the tree and against examples that break them."""

from __future__ import annotations

import ast
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.contract import house_rules as rules

ROOT = Path(__file__).parents[2]
NOT_OURS = {"data", "build", "dist"}
"""Folders beside the project's own in which the service and tools write (see .gitignore)."""
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".txt", ".html", ".css", ".js", ".svg"}
TEXT |= {".sh", ".lock", ".cfg", ".ini", ".mako", ".csv", ""}


def files() -> Iterator[str]:
    for folder, inner, names in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        inner[:] = [name for name in inner if is_ours((here / name).as_posix())]
        yield from ((here / name).as_posix() for name in names)


def is_ours(folder: str) -> bool:
    """Caches and environments begin with a dot; of those only .ci is ours."""
    name = Path(folder).name
    return folder not in NOT_OURS and name != "__pycache__" and (name[0] != "." or folder == ".ci")


def is_binary(file: str) -> bool:
    return b"\0" in (ROOT / file).read_bytes()


SOURCES = sorted(file for file in files() if file.endswith(".py"))
PRODUCT = [file for file in SOURCES if file.startswith(("monitor/", "tickets/"))]
TEXTS = sorted(file for file in files() if Path(file).suffix in TEXT and not is_binary(file))

TreeRule = Callable[[str, ast.Module], Iterator[str]]
TREE_RULES: list[TreeRule] = [
    rules.clock_faults,
    rules.word_faults,
    rules.catch_all_faults,
    rules.purity_faults,
]


def read(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


@cache
def libraries(file: str) -> frozenset[str]:
    """Return what a module imports beyond the standard library; several tests ask."""
    return frozenset(rules.imported_libraries(ast.parse(read(file))))


def tell(faults: list[str]) -> str:
    return "\n".join(["", *faults])


def test_the_tree_was_found() -> None:
    assert {"monitor/rules/verdict.py", "tickets/errors.py"} <= set(PRODUCT)
    assert {"README.md", "Makefile", "requirements.lock", ".ci/run"} <= set(TEXTS)


@pytest.mark.parametrize("rule", TREE_RULES, ids=lambda rule: rule.__name__)
def test_the_product_keeps(rule: TreeRule) -> None:
    faults = [fault for file in PRODUCT for fault in rule(file, ast.parse(read(file)))]
    assert not faults, tell(faults)


def test_every_module_has_a_name_that_says_something() -> None:
    faults = [fault for file in SOURCES for fault in rules.module_name_faults(file)]
    assert not faults, tell(faults)


@pytest.mark.parametrize("rule", [rules.machine_path_faults, rules.space_faults])
def test_every_text_keeps(rule: Callable[[str, str], Iterator[str]]) -> None:
    faults = [fault for file in TEXTS for fault in rule(file, read(file))]
    assert not faults, tell(faults)


def test_every_json_and_yaml_file_can_be_read() -> None:
    for file in TEXTS:
        if file.endswith(".json"):
            json.loads(read(file))
        elif file.endswith((".yml", ".yaml")):
            list(yaml.safe_load_all(read(file)))


def test_no_file_is_large() -> None:
    large = [file for file in files() if (ROOT / file).stat().st_size > 1024 * 1024]
    assert not large, f"over 1 MiB: {large}"


EXAMPLES: list[tuple[TreeRule, str, str, str]] = [
    (
        rules.clock_faults,
        "tickets/sweep.py",
        "from datetime import datetime\ndatetime.now()",
        "now",
    ),
    (
        rules.clock_faults,
        "tickets/sweep.py",
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "now",
    ),
    (rules.clock_faults, "monitor/web.py", "import time\nbegan = time.time()", "time.time"),
    (rules.clock_faults, "monitor/web.py", "from time import time as t\nbegan = t()", "time.time"),
    (rules.clock_faults, "tickets/tables.py", "import uuid\nd = dict(make=uuid.uuid4)", "uuid4"),
    (rules.clock_faults, "tickets/tables.py", "import sqlmodel as s\ns.func.now()", "func.now"),
    (rules.word_faults, "tickets/queries.py", "class CustomerRow: ...", "client"),
    (rules.word_faults, "tickets/queries.py", "def list_tenants(): ...", "client"),
    (rules.word_faults, "monitor/web.py", "async def metrics_endpoint(): ...", "endpoint"),
    (rules.word_faults, "monitor/healthcheck.py", "", "probe"),
    (rules.word_faults, "tickets/sweep.py", "def find_SLA_faults(): ...", "promise"),
    (rules.catch_all_faults, "monitor/web.py", "try: f()\nexcept Exception: pass", "the module"),
    (rules.catch_all_faults, "monitor/web.py", "try: f()\nexcept: pass", "the module"),
    (
        rules.catch_all_faults,
        "monitor/web.py",
        "class A:\n async def b(self):\n  try: f()\n  except (OSError, BaseException): return 1",
        "A.b catches",
    ),
    (rules.purity_faults, "monitor/rules/wheel.py", "import httpx", "httpx"),
    (rules.purity_faults, "monitor/rules/wheel.py", "from time import monotonic", "time"),
    (rules.purity_faults, "tickets/rules/hours.py", "import holidays", "holidays"),
    (
        rules.purity_faults,
        "tickets/rules/hours.py",
        "from tickets.holidays import named",
        "tickets",
    ),
    (rules.purity_faults, "tickets/rules/hours.py", "def f():\n import monitor.rules", "monitor"),
]


@pytest.mark.parametrize(("rule", "file", "source", "says"), EXAMPLES)
def test_a_broken_rule_is_found(rule: TreeRule, file: str, source: str, says: str) -> None:
    (fault,) = rule(file, ast.parse(source))
    assert fault.startswith(f"{file}:")
    assert says in fault


GOOD: list[tuple[TreeRule, str, str]] = [
    (rules.clock_faults, "tickets/clock.py", "from datetime import datetime\ndatetime.now()"),
    (rules.clock_faults, "tickets/sweep.py", "def f(clock): return clock.now()"),
    (rules.clock_faults, "tickets/sweep.py", "from datetime import datetime\ndatetime.min"),
    (rules.word_faults, "monitor/cli.py", "def probe_health(): ..."),
    (rules.word_faults, "monitor/rules/wheel.py", "def translate(): ..."),
    (rules.catch_all_faults, "monitor/web.py", "try: f()\nexcept ValueError: pass"),
    (rules.catch_all_faults, "tickets/store.py", "try: f()\nexcept BaseException:\n g()\n raise"),
    (rules.purity_faults, "monitor/rules/wheel.py", "from monitor.rules.site import Site"),
    (
        rules.purity_faults,
        "monitor/rules/wheel.py",
        "import math\nfrom urllib.parse import urlsplit",
    ),
    (rules.purity_faults, "monitor/egress.py", "import pycurl, time"),
]


@pytest.mark.parametrize(("rule", "file", "source"), GOOD)
def test_a_kept_rule_is_let_through(rule: TreeRule, file: str, source: str) -> None:
    assert not list(rule(file, ast.parse(source)))


@pytest.mark.parametrize("file", ["monitor/utils.py", "tickets/core/hours.py", "tests/helpers.py"])
def test_an_empty_name_is_found(file: str) -> None:
    assert list(rules.module_name_faults(file))


def test_a_machine_path_and_loose_space_are_found() -> None:
    path = "see /" + "home/someone/fettle"
    assert list(rules.machine_path_faults("docs/a.md", f"first\n{path}\n"))
    assert not list(
        rules.machine_path_faults("docs/a.md", "see docs/home/someone and /srv/fettle\n")
    )
    assert len(list(rules.space_faults("docs/a.md", "a \nb\t\r\nc"))) == 3
    assert not list(rules.space_faults("docs/a.md", "a\n\nb\n"))
    assert not list(rules.space_faults("tickets/letters/templates/layout.txt", "-- \n{{ agency }}"))


def test_the_lists_of_exceptions_name_what_exists() -> None:
    edges = {
        (file, function)
        for file in PRODUCT
        for function, _ in rules.handlers(ast.parse(read(file)))
    }
    assert set(rules.MAY_CATCH_ALL) <= edges
    assert all(rules.MAY_CATCH_ALL.values())


def test_the_glossary_has_every_forbidden_word() -> None:
    rows = re.findall(r"^\| \*\*.+?\*\* \|.+?\|(.+?)\|", read("docs/glossary.md"), re.MULTILINE)
    refused = " ".join(rows).lower()
    missing = [word for word in rules.FORBIDDEN_WORDS if not re.search(rf"\b{word}\b", refused)]
    assert not missing, f"not in the glossary's column of words to avoid: {missing}"


def declared(*extras: str) -> list[Requirement]:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    optional = [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in project["dependencies"] + optional]


def locked() -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", read("requirements.lock"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def test_the_lock_is_in_step_with_the_project() -> None:
    pins = locked()
    faults = [
        f"{requirement} is declared; the lock has {pins.get(canonicalize_name(requirement.name))}"
        for requirement in declared("dev")
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert not faults, tell([*faults, "run: make lock"])


@pytest.mark.parametrize(
    ("files", "extras"),
    [(PRODUCT, ["pdf"]), (SOURCES, ["dev", "pictures"])],
    ids=["product", "all"],
)
def test_every_library_imported_is_declared(files: list[str], extras: list[str]) -> None:
    ours = {"monitor", "tickets", "tests", "dashboards"}
    homes = packages_distributions()
    names = {canonicalize_name(requirement.name) for requirement in declared(*extras)}
    faults = [
        f"{file} imports {library}, which pyproject.toml does not declare"
        for file in files
        for library in sorted(libraries(file) - ours)
        if not names & {canonicalize_name(home) for home in homes.get(library, [library])}
    ]
    assert not faults, tell(faults)


NEVER_IMPORTED = {
    "psycopg": "SQLAlchemy loads it by the store's address",
    "python-multipart": "starlette reads forms with it",
    "tzdata": "zoneinfo reads it where the host has no zones",
}


def test_every_library_declared_is_imported() -> None:
    homes = packages_distributions()
    imported = {
        canonicalize_name(home)
        for file in PRODUCT
        for library in libraries(file)
        for home in homes.get(library, [])
    }
    names = {canonicalize_name(requirement.name) for requirement in declared()}
    assert names - imported == set(NEVER_IMPORTED)


def test_every_declared_requirement_has_a_lower_bound() -> None:
    every = declared("dev", "pictures")
    bounds = {">=", "=="}
    loose = [str(one) for one in every if not any(s.operator in bounds for s in one.specifier)]
    assert not loose


def test_the_lock_pins_by_hash_and_names_no_registry() -> None:
    lock = read("requirements.lock")
    assert "://" not in lock
    assert "index-url" not in lock
    assert "find-links" not in lock
    entries = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(entries) == len(locked())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"


def test_decisions_are_numbered_and_short() -> None:
    entries = re.split(r"^## ", read("docs/decisions.md"), flags=re.MULTILINE)[1:]
    assert [int(entry.split(".")[0]) for entry in entries] == list(range(1, len(entries) + 1))
    long = [e.splitlines()[0] for e in entries if len(e.strip().splitlines()) > 13]
    assert not long, f"at most twelve lines under a heading: {long}"
