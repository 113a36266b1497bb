"""The copy of the configuration that was loaded last: private, and gone at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.kept_configuration import KeptConfiguration


def test_the_copy_is_private_changes_only_when_told_and_goes_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "fettle.yml"
    file.write_text("first")
    file.chmod(0o644)
    with KeptConfiguration(file) as kept:
        copy = kept.path
        assert copy.name == file.name
        assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        file.write_text("half edi")
        assert copy.read_text() == "first"
        kept.keep()
        assert copy.read_text() == "half edi"
        file.unlink()
        kept.keep()
        assert copy.read_text() == "half edi"
    assert not copy.parent.exists()


def test_where_no_copy_can_be_made_the_file_itself_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fettle.yml"
    file.write_text("first")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no such folder"))
    with KeptConfiguration(file) as kept:
        assert kept.path == file
        kept.keep()
    assert file.read_text() == "first"
