"""The directory that a restore fills: ours to wipe while we fill it, and nobody's else ever."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from backups.engines.filling import tablespaces_beside
from backups.errors import DirectoryForeign

MARK = ".highwater-restore"
DRAFT = MARK + ".part"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDirectory:
    """A data directory to be, and the token of the restore that may fill it."""

    path: Path
    token: str

    def is_filled(self, *, backup_id: str) -> bool:
        """Say whether this very restore has filled it to the end, from this backup."""
        return self._mark() == {"token": self.token, "filled": backup_id}

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

    def is_foreign(self) -> bool:
        """Say whether it holds anything that this restore did not put there."""
        try:
            self.require_ours_or_empty()
        except DirectoryForeign:
            return True
        return False

    def require_movable(self) -> None:
        """Look whether what others put there can be moved aside; nothing is changed.

        :raises DirectoryForeign: if it is no directory of its own, is another restore's, or what
        was moved aside before is in the way
        """
        if not self.path.is_dir():
            raise DirectoryForeign(f"{self.path} is not a directory")
        if self.path.is_mount():
            raise DirectoryForeign(
                f"{self.path} is a mount point",
                advice=f"{self.path} is a mount point and cannot be moved aside. Move what is in "
                "it away yourself, then resume.",
            )
        if self._mark():
            raise DirectoryForeign(
                f"{self.path} is another restore's",
                advice="Another restore that has stopped left its work in this directory. "
                "Resume or cancel that one first.",
            )
        if self.aside.exists():
            raise DirectoryForeign(
                f"{self.aside} exists",
                advice=f"There is a {self.aside} from before. Move it away, then resume.",
            )

    @property
    def aside(self) -> Path:
        """Where what others put there goes."""
        return self.path.with_name(f"{self.path.name}.before-{self.token}")

    def move_aside(self) -> Path:
        """Move what others put there aside, with its tablespaces beside it, and say where it lies.

        Nothing of it is deleted, and it can be started there. Whatever runs in it has to be stopped
        before. A death in between is made good by doing it again.

        :raises DirectoryForeign: if it cannot be moved, or a server still runs in it
        """
        self.require_movable()
        if (pid := _server_in(self.path)) is not None:
            raise DirectoryForeign(
                f"process {pid} serves {self.path}",
                advice=f"The PostgreSQL server in {self.path} (process {pid}) is not this "
                "account's to stop. Stop it yourself, then resume.",
            )
        try:
            # Its tablespaces first: what they are found by lies in the directory.
            _move_tablespaces(self.path, self.aside)
            self.path.rename(self.aside)
        except OSError as error:
            raise DirectoryForeign(
                f"{self.path}: {error}",
                advice=f"{self.path} cannot be moved aside (the log has the reason). "
                "Move it away yourself, then resume.",
            ) from error
        return self.aside

    def prepare(self) -> None:
        """Make the directory empty but for our mark, wiping what an earlier attempt left half done.

        :raises DirectoryForeign: if it holds anything that this restore did not put there
        """
        self.require_ours_or_empty()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        self._set_mark(filled="")
        self._empty()

    def set_filled(self, *, backup_id: str) -> None:
        self._set_mark(filled=backup_id)

    def give_to(self, token: str) -> None:
        """Let another restore have it as it is. Given already, nothing happens."""
        mark = self._mark()
        if mark.get("token") == self.token:
            self._write_mark(token=token, filled=str(mark.get("filled", "")))

    def hand_over(self) -> None:
        """Give up the right to wipe it: from here on it is a cluster like any other."""
        (self.path / MARK).unlink(missing_ok=True)

    def is_ours(self) -> bool:
        """Say whether this restore may wipe it: it has our mark, or there is nothing to wipe."""
        return self._mark().get("token") == self.token or not self.path.exists()

    def remove(self) -> None:
        """Take back what this restore put there, and nothing else."""
        if self._mark().get("token") == self.token:
            self._empty()
            shutil.rmtree(self.path)
            shutil.rmtree(tablespaces_beside(self.path), ignore_errors=True)

    def _empty(self) -> None:
        # The mark goes last if ever, so that death in between leaves the directory recognisable.
        for entry in self.path.iterdir():
            if entry.name == MARK:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _mark(self) -> dict[str, object]:
        try:
            mark = json.loads((self.path / MARK).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return mark if isinstance(mark, dict) else {}

    def _set_mark(self, *, filled: str) -> None:
        self._write_mark(token=self.token, filled=filled)

    def _write_mark(self, *, token: str, filled: str) -> None:
        part = self.path / DRAFT
        with part.open("w", encoding="utf-8") as file:
            json.dump({"token": token, "filled": filled}, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self.path / MARK)


def _server_in(data_dir: Path) -> int | None:
    """Return the process of a PostgreSQL server that has this directory, if one is alive."""
    try:
        pid = int((data_dir / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        is_one = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "postgres"
    except (OSError, ValueError):
        return None
    return pid if is_one else None


def _move_tablespaces(data_dir: Path, aside: Path) -> None:
    """Move the tablespaces that lie beside a data directory, and let it find them there."""
    beside, there = tablespaces_beside(data_dir), tablespaces_beside(aside)
    if beside.exists() and not there.exists():
        beside.rename(there)
    links = data_dir / "pg_tblspc"
    for link in list(links.iterdir()) if links.is_dir() else []:
        if link.is_symlink() and (place := link.readlink()).is_relative_to(beside):
            link.unlink()
            link.symlink_to(there / place.relative_to(beside))
