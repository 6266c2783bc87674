"""The directory that a restore fills: ours to wipe while we fill it, and nobody's else ever."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from backups.errors import DirectoryForeign

MARK = ".highwater-restore"
DRAFT = MARK + ".part"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDirectory:
    """A data directory to be, and the token of the restore that may fill it."""

    path: Path
    token: str

    def is_filled(self) -> bool:
        """Say whether this very restore has filled it to the end."""
        return self._mark() == {"token": self.token, "filled": True}

    def require_ours_or_empty(self) -> None:
        """Look whether the restore may use the directory; nothing is changed.

        :raises DirectoryForeign: if it holds anything that this restore did not put there
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise DirectoryForeign(f"{self.path} is not a directory")
        # A mark that death kept from being set leaves nothing but its draft.
        anything = any(entry.name != DRAFT for entry in self.path.iterdir())
        if anything and self._mark().get("token") != self.token:
            raise DirectoryForeign(f"{self.path} is not empty, and not this restore's")

    def prepare(self) -> None:
        """Make the directory empty but for our mark, wiping what an earlier attempt left half done.

        :raises DirectoryForeign: if it holds anything that this restore did not put there
        """
        self.require_ours_or_empty()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        self._set_mark(filled=False)
        # The mark goes last if ever, so that death in between leaves the directory recognisable.
        for entry in self.path.iterdir():
            if entry.name == MARK:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def set_filled(self) -> None:
        self._set_mark(filled=True)

    def hand_over(self) -> None:
        """Give up the right to wipe it: from here on it is a cluster like any other."""
        (self.path / MARK).unlink(missing_ok=True)

    def is_ours(self) -> bool:
        """Say whether this restore may wipe it: it has our mark, or there is nothing to wipe."""
        return self._mark().get("token") == self.token or not self.path.exists()

    def remove(self) -> None:
        """Take back what this restore put there, and nothing else."""
        if self._mark().get("token") == self.token:
            shutil.rmtree(self.path)
            shutil.rmtree(self.path.with_name(self.path.name + ".tablespaces"), ignore_errors=True)

    def _mark(self) -> dict[str, object]:
        try:
            mark = json.loads((self.path / MARK).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return mark if isinstance(mark, dict) else {}

    def _set_mark(self, *, filled: bool) -> None:
        part = self.path / DRAFT
        with part.open("w", encoding="utf-8") as file:
            json.dump({"token": self.token, "filled": filled}, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self.path / MARK)
