"""The folder that the WAL guard serves from: filled here, described at the top of ``wal_guard``."""

import os
import shlex
import sys
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path

from backups.engines import private, wal_guard
from backups.engines.base import WalFile
from backups.engines.packings import UNPACKING_ERRORS, unpacked
from backups.engines.wal import SEGMENT_NAME, fault_of_segment


class WalStage:
    """One restore's log files, ready to be served. Safe to fill from several threads."""

    def __init__(self, folder: Path, *, system_id: int) -> None:
        self.folder = folder
        self._system_id = system_id
        self._lock = threading.Lock()
        for name in ("files", "wanted"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "index").touch()

    def set_listing(self, names: Iterable[str], *, budget_seconds: float) -> None:
        """Write down what the archive holds; a file outside of it is the end of the log."""
        _write(self.folder / "listing", "".join(f"{name}\n" for name in sorted(names)))
        _write(self.folder / "budget", str(budget_seconds))

    def take_in(self, file: WalFile, packed: Path) -> str:
        """Unpack, check and offer a fetched file; say what is wrong with it, if anything."""
        try:
            content = unpacked(packed.read_bytes(), file.packing)
        except UNPACKING_ERRORS as error:
            return f"cannot be unpacked: {error}"
        if SEGMENT_NAME.match(file.name):
            fault = fault_of_segment(
                file.name, content[:64], len(content), system_id=self._system_id
            )
            if fault:
                return fault
        target = self.folder / "files" / file.name
        part = target.with_suffix(".part")
        # Not forced to the disk: the guard compares the CRC, and asks again for what got lost.
        # PostgreSQL may be handed this very file, so it is its own.
        part.unlink(missing_ok=True)
        part.write_bytes(content)
        part.chmod(0o600)
        private.give(part)
        with self._lock:
            part.rename(target)
            with (self.folder / "index").open("a", encoding="ascii") as index:
                index.write(f"{file.name} {len(content)} {zlib.crc32(content)}\n")
            (self.folder / "wanted" / file.name).unlink(missing_ok=True)
        # Kept as an empty file: the fetch's journal knows that it was whole.
        os.truncate(packed, 0)
        return ""

    def keep_only(self, names: Iterable[str]) -> None:
        """Give back what all other files take. Whoever asks for one finds it listed or absent."""
        kept = set(names)
        for path in (self.folder / "files").iterdir():
            if path.name not in kept and path.suffix != ".part":
                path.unlink(missing_ok=True)
        with self._lock:
            index = (self.folder / "index").read_text(encoding="ascii").splitlines()
            # The last line of a name counts.
            last = {line.partition(" ")[0]: line for line in index}
            _write(
                self.folder / "index",
                "".join(f"{line}\n" for name, line in last.items() if name in kept),
            )
        (self.folder / "served").unlink(missing_ok=True)

    def listed(self) -> set[str]:
        """Name what was last said to be in the archive."""
        try:
            return set((self.folder / "listing").read_text(encoding="ascii").split())
        except FileNotFoundError:
            return set()

    def discard(self, name: str) -> None:
        """Let go of a file that proved to be not what was staged: it is to be brought again."""
        (self.folder / "files" / name).unlink(missing_ok=True)

    def wanted(self) -> list[str]:
        """Name the files that PostgreSQL waits for."""
        return sorted(path.name for path in (self.folder / "wanted").iterdir())

    def served(self) -> list[str]:
        """Name the files that were handed to PostgreSQL, in order."""
        try:
            return (self.folder / "served").read_text(encoding="ascii").split()
        except FileNotFoundError:
            return []

    def path_of(self, name: str) -> Path:
        return self.folder / "files" / name

    def restore_command(self) -> str:
        """Return the command for PostgreSQL, quoted for the shell that it uses."""
        words = [
            sys.executable,
            "-I",
            "-S",
            str(Path(wal_guard.__file__).resolve()),
            str(self.folder),
        ]
        fixed = " ".join(shlex.quote(word).replace("%", "%%") for word in words)
        return f"{fixed} %f %p"


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="ascii")
    part.rename(path)
