"""Every letter as it would go out, by the clock: to look at, and to prove that each one works."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tickets.letters import MARKS, Letter, LetterFailed, Letters
from tickets.letters.samples import SAMPLE_FACTS
from tickets.letters.sandbox import TemplateFailed, Templates, template_names
from tickets.letters.words import INSTANTS, words_of
from tickets.rules.notice import Audience, Notice, audiences_of
from tickets.settings.types import did_you_mean


class Scene(StrEnum):
    """When a letter is written: support is open, closed for the night, or closed for days."""

    IN_HOURS = "in_hours"
    OUT_OF_HOURS = "out_of_hours"
    CLOSURE = "closure"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clock:
    """An instant, and by when a critical and a normal ticket of that instant are answered."""

    at: str
    respond_by: str
    normal_by: str
    resumes_at: str | None = None
    closed_for: str | None = None


_CLOCKS = MappingProxyType(
    {
        Scene.IN_HOURS: _Clock(
            at="2026-03-09T09:04:41+00:00",
            respond_by="2026-03-09T10:04:41+00:00",
            normal_by="2026-03-11T09:04:41+00:00",
        ),
        Scene.OUT_OF_HOURS: _Clock(
            at="2026-03-06T21:47:30+00:00",
            respond_by="2026-03-09T10:00:00+00:00",
            normal_by="2026-03-10T17:00:00+00:00",
            resumes_at="2026-03-09T09:00:00+00:00",
        ),
        Scene.CLOSURE: _Clock(
            at="2026-12-28T11:20:05+00:00",
            respond_by="2027-01-04T10:00:00+00:00",
            normal_by="2027-01-05T17:00:00+00:00",
            resumes_at="2027-01-04T09:00:00+00:00",
            closed_for="Christmas closure",
        ),
    }
)
_LEFT_OUT = dict.fromkeys(
    (
        "ticket_url",
        "status_url",
        "support_url",
        "agency_url",
        "brand_colour",
        "site_name",
        "site_url",
        "reopen_until",
        "support_hours",
        "category",
        "closure",
        "closed_for",
    )
)
_LOADS = re.compile(
    r"<(?:img|script|link|iframe|object|embed|video|audio|form|svg)\b|url\(|@import|\ssrc=",
    re.IGNORECASE,
)
_AHEAD = ("respond_by", "next_word_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLetter:
    """One letter as it would go out in one scene; ``facts`` are those it was written from."""

    notice: Notice
    audience: Audience
    scene: Scene
    letter: Letter
    facts: Mapping[str, object]

    @property
    def written_at(self) -> datetime:
        """When the letter would have been written; aware."""
        return datetime.fromisoformat(str(self.facts["at"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFault:
    """What is wrong with a template of an agency's own, and where; a line counts from 1."""

    file: str
    line: int | None
    message: str


def preview_letters(
    letters: Letters,
    *,
    notice: Notice | None = None,
    own: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[SampleLetter]:
    """Yield every letter that anybody gets, or those of one notice, with ``own`` over the samples.

    Out of hours and in a closure only where the words differ. Raises ``LetterFailed`` at the first
    letter that cannot be written.
    """
    for told in Notice if notice is None else (notice,):
        for audience in audiences_of(told):
            for scene in Scene:
                facts = _facts_in(scene, {**SAMPLE_FACTS[told], **own})
                letter = letters.write(told, audience, facts)
                if scene is not Scene.IN_HOURS:
                    as_if_open = facts | {"is_support_open": True}
                    if letters.write(told, audience, as_if_open).text == letter.text:
                        continue
                yield SampleLetter(
                    notice=told, audience=audience, scene=scene, letter=letter, facts=facts
                )


def find_faults(folder: Path) -> list[TemplateFault]:
    """Return what is wrong with the templates in ``folder``: every letter is written with them.

    Each is written with all facts and with those that may be missing left out.
    """
    templates = Templates(folder)
    names = [file.relative_to(folder).as_posix() for file in _files(folder)]
    found = list(_file_faults(templates, folder, names))
    if found:
        return found
    faults: dict[TemplateFault, None] = {}
    for notice, audience, facts in _cases(_concerned(names)):
        words = words_of(notice, audience, facts) | {"mark": MARKS[notice]}
        try:
            subject, text, page = templates.render(notice, words)
        except TemplateFailed as error:
            file, line, message = error.file or str(folder), error.line, str(error)
            faults[TemplateFault(file=file, line=line, message=message)] = None
            continue
        said = {f"{notice}/subject.txt": subject, f"{notice}/body.txt": text}
        told = {name: "it says nothing" for name, made in said.items() if not made.strip()}
        loads = _LOADS.search(page)
        if loads is not None:
            parts = ("layout.html", f"{notice}/body.txt", *names)
            name = next(part for part in parts if part in names)
            told[name] = f"a mail loads and runs nothing, and this has {loads[0].strip()}"
        for name, message in told.items():
            faults[TemplateFault(file=str(folder / name), line=None, message=message)] = None
    return list(faults)


def _file_faults(
    templates: Templates, folder: Path, names: Sequence[str]
) -> Iterator[TemplateFault]:
    """Yield the files that are no templates, by their name or by what they hold."""
    for name in names:
        line: int | None = None
        try:
            if name in template_names():
                templates.compile(name)
                continue
            message = f"is the name of no template{did_you_mean(name, template_names())}"
        except TemplateFailed as error:
            message, line = str(error), error.line
        yield TemplateFault(file=str(folder / name), line=line, message=message)


def find_broken(letters: Letters) -> list[str]:
    """Return a sentence for each notice whose letter cannot be written; for the start."""
    broken: list[str] = []
    for notice in SAMPLE_FACTS:
        try:
            list(preview_letters(letters, notice=notice))
        except LetterFailed as error:
            broken.append(str(error))
    return broken


def _concerned(names: Sequence[str]) -> Iterable[Notice]:
    """Return the notices in whose letters templates of these names have a part."""
    if any("/" not in name for name in names):  # all letters share those
        return Notice
    own = {name.partition("/")[0] for name in names}
    if Notice.DOWN in own:  # what is slow is told as what is down
        own.add(Notice.SLOW)
    return [notice for notice in Notice if notice in own]


def _cases(
    notices: Iterable[Notice],
) -> Iterator[tuple[Notice, Audience, Mapping[str, object]]]:
    for notice in notices:
        for audience in Audience:
            for scene in Scene:
                facts = _facts_in(scene, SAMPLE_FACTS[notice])
                yield notice, audience, facts
                yield notice, audience, facts | _LEFT_OUT


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below ``folder`` that are not hidden, in order."""
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if file.is_file() and not any(part.startswith(".") for part in parts):
            yield file


def _facts_in(scene: Scene, facts: Mapping[str, object]) -> dict[str, Any]:
    """Return ``facts`` moved to the scene's instant, with support as it stands there."""
    clock = _CLOCKS[scene]
    moved: dict[str, Any] = dict(facts)
    is_open = facts.get("is_support_open", True)
    if scene is Scene.IN_HOURS and is_open:
        return moved
    then = datetime.fromisoformat(str(facts["at"]))
    ahead = datetime.fromisoformat(clock.at) - then
    for name in INSTANTS & facts.keys():
        moved[name] = _moved(facts[name], ahead)
    for name in _AHEAD:
        due = facts.get(name)
        if due is not None and datetime.fromisoformat(str(due)) > then:
            is_critical = facts["priority"] == "critical"
            moved[name] = clock.respond_by if is_critical else clock.normal_by
    if "old_respond_by" in facts:  # it was normal before
        moved["old_respond_by"] = clock.normal_by
    return moved | {
        "is_support_open": clock.resumes_at is None,
        "resumes_at": clock.resumes_at,
        "closed_for": clock.closed_for,
        "closure": None,
    }


def _moved(instant: object, ahead: timedelta) -> str | None:
    if instant is None:
        return None
    return (datetime.fromisoformat(str(instant)) + ahead).isoformat()
