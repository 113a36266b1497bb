"""What was typed into the request form: read into a request, or into faults by field.

Only the fields named here are looked at; the priority follows from two questions, never from a
field of that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tickets.addresses import canonical_mail_address
from tickets.attachments import accept
from tickets.errors import Refused
from tickets.pages.forms import FieldFault
from tickets.pages.uploads import SentForm
from tickets.policy import ClientProfile
from tickets.requests import SentRequest
from tickets.rules.attachment import CheckedFile
from tickets.rules.plain_text import one_line, several_lines
from tickets.rules.request import ABOUT
from tickets.rules.ticket import Category, Priority
from tickets.texts import MAX_TEXT

FIELDS = ("offline", "wait", "category", "site", "title", "text", "name", "email")
"""Fields that come back filled."""

TRAP = "subject_line"
"""A field that people do not see; who fills it in is a program."""

NO_SITE = "-"
"""The site's value for another one, or for who is not sure."""

MOST_TITLE = 120
MOST_NAME = 100
MOST_ADDRESS = 254

PRIORITIES = {
    Priority.CRITICAL: "The site is offline or unusable",
    Priority.NORMAL: "Please look at it soon",
    Priority.LOW: "It can wait",
}
"""The priorities as clients chose them."""


@dataclass(frozen=True, slots=True)
class Read:
    """A form that was read: the request, or None and what is wrong with it in the page's order."""

    request: SentRequest | None
    faults: Sequence[FieldFault]


def read_request(client: str, profile: ClientProfile, form: SentForm) -> Read:
    """Return the request in a form for ``client``, or its faults."""
    fields, faults = form.fields, list[FieldFault]()
    priority = _priority(fields, faults)
    category = _category(fields, priority, faults)
    site = fields.get("site", "")
    if site not in {"", NO_SITE, *(one.slug for one in profile.sites)}:
        faults.append(FieldFault("site", "Choose one of the websites, or the last answer"))
    title = one_line(fields.get("title", ""))
    _check(faults, "title", title, "a few words on what it is about", most=MOST_TITLE)
    text = several_lines(fields.get("text", "")).strip()
    _check(faults, "text", text, "what happens, or what you need", most=MAX_TEXT)
    files = _files(form, faults)
    name = one_line(fields.get("name", ""))
    _check(faults, "name", name, "your name", most=MOST_NAME)
    address = _address(fields.get("email", ""), faults)
    if faults or priority is None or category is None:
        return Read(None, faults)
    request = SentRequest(
        client=client,
        priority=priority,
        category=category,
        site=site if site not in {"", NO_SITE} else None,
        title=title,
        text=text,
        name=name,
        address=address,
        files=files,
    )
    return Read(request, ())


def chosen_priority(fields: Mapping[str, str]) -> Priority | None:
    """Return the priority that the two questions make; None while an answer is missing."""
    if fields.get("offline") == "yes":
        return Priority.CRITICAL
    if fields.get("offline") != "no":
        return None
    return {"no": Priority.NORMAL, "yes": Priority.LOW}.get(fields.get("wait", ""))


def _priority(fields: Mapping[str, str], faults: list[FieldFault]) -> Priority | None:
    priority = chosen_priority(fields)
    if priority is None and fields.get("offline") == "no":
        faults.append(FieldFault("wait", "Say whether it can wait"))
    elif priority is None:
        faults.append(FieldFault("offline", "Say whether the website is offline or unusable"))
    return priority


def _category(
    fields: Mapping[str, str], priority: Priority | None, faults: list[FieldFault]
) -> Category | None:
    chosen = fields.get("category", "")
    if chosen in {category.value for category in ABOUT}:
        return Category(chosen)
    if priority is Priority.CRITICAL:
        return Category.BUG_FIX  # who stands before a dead website is not asked what kind it is of
    faults.append(FieldFault("category", "Choose what it is about"))
    return None


def _check(faults: list[FieldFault], field: str, text: str, what: str, *, most: int) -> None:
    if not text:
        faults.append(FieldFault(field, f"Write {what}"))
    elif len(text) > most:
        sentence = f"Write {what} in at most {most:,} characters; there are {len(text):,}"
        faults.append(FieldFault(field, sentence))


def _files(form: SentForm, faults: list[FieldFault]) -> tuple[CheckedFile, ...]:
    sentence = form.fault
    if not sentence:
        try:
            return accept(form.files)
        except Refused as refusal:
            sentence = str(refusal)
    faults.append(FieldFault("files", f"{sentence[:1].upper()}{sentence[1:]}"))
    return ()


def _address(typed: str, faults: list[FieldFault]) -> str:
    text = typed.strip()
    if len(text) <= MOST_ADDRESS:
        try:
            return canonical_mail_address(text)
        except ValueError:
            pass
    example = "Write one e-mail address in plain letters, such as name@example.com"
    faults.append(FieldFault("email", example if text else "Write your e-mail address"))
    return ""
