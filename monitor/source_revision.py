"""Which revision of the source is running, where that is known for certain.

An image says so in a file that its build writes beside this module; what pip installed from a
repository says so in its metadata. A checkout says nothing: its files may have been changed.
"""

from __future__ import annotations

import json
from importlib.metadata import Distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import cast

FILE = "revision.txt"
LONGEST = 64


def source_revision(
    folder: Traversable | None = None, distribution: Distribution | None = None
) -> str:
    """Return the revision of the running source; empty where nothing is certain.

    ``folder`` and ``distribution`` are those of Fettle itself.
    """
    written = (folder or files("monitor")) / FILE
    told = written.read_text().strip() if written.is_file() else ""
    return (told or _installed_from(distribution or Distribution.from_name("fettle")))[:LONGEST]


def _installed_from(distribution: Distribution) -> str:
    """Return the commit that pip installed ``distribution`` from (PEP 610); empty for none."""
    try:
        document: object = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return ""
    vcs = (
        cast("dict[str, object]", document).get("vcs_info") if isinstance(document, dict) else None
    )
    commit = cast("dict[str, object]", vcs).get("commit_id") if isinstance(vcs, dict) else ""
    return commit if isinstance(commit, str) else ""
