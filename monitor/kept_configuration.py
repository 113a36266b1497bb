"""A private copy of the configuration file that was loaded last, for roles that are started again.

Should a role die while somebody has the file half edited, the next one must come up all the same,
with what the others run on.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import structlog

log = structlog.get_logger()


class KeptConfiguration:
    """The copy of ``file``, as long as the context lasts; only this user can read it.

    ``path`` is the file itself where no copy can be made.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder: TemporaryDirectory[str] | None = None
        self.path = file

    def __enter__(self) -> Self:
        try:
            self._folder = TemporaryDirectory(prefix="fettle-", ignore_cleanup_errors=True)
        except OSError as error:
            log.warning("kept_configuration.no_place", reason=error.strerror)
        else:
            self.path = Path(self._folder.name) / self._file.name
            self.keep()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def keep(self) -> None:
        """Keep the file as it is now, which was just loaded without a fault."""
        if self._folder is None:
            return
        new = self.path.with_name(f"{self._file.name}.new")
        try:
            content = self._file.read_bytes()
            new.touch(mode=0o600)
            new.write_bytes(content)
            new.replace(self.path)
        except OSError as error:
            log.warning("kept_configuration.not_kept", reason=error.strerror)
            if not self.path.exists():
                self.path = self._file
