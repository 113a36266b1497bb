"""Which revision is told: the image's, else the one that was installed, else none."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from monitor.source_revision import source_revision

FROM_GIT = '{"url": "https://git.test/fettle", "vcs_info": {"vcs": "git", "commit_id": "4f2a"}}'
FROM_A_FOLDER = '{"url": "file:///srv/fettle", "dir_info": {"editable": true}}'


@pytest.mark.parametrize(
    ("written", "installed", "expected"),
    [
        (None, None, ""),
        (None, FROM_A_FOLDER, ""),
        (None, "[]", ""),
        (None, "no JSON", ""),
        (None, FROM_GIT, "4f2a"),
        ("", FROM_GIT, "4f2a"),
        ("9bd1\n", FROM_GIT, "9bd1"),
        ("x" * 99, None, "x" * 64),
    ],
)
def test_the_revision_is_told_where_it_is_certain(
    tmp_path: Path, written: str | None, installed: str | None, expected: str
) -> None:
    metadata = tmp_path / "fettle-1.dist-info"
    metadata.mkdir()
    if written is not None:
        (tmp_path / "revision.txt").write_text(written)
    if installed is not None:
        (metadata / "direct_url.json").write_text(installed)
    assert source_revision(tmp_path, Distribution.at(metadata)) == expected
