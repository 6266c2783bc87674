"""Reading a staged file that is still on its way."""

import io
from pathlib import Path
from typing import Protocol


class Arrival(Protocol):
    """What brings files while they are read, from their beginning to their end."""

    def come(self, path: Path, start: int, stop: int) -> None:
        """Return when these bytes of the file are there.

        :raises EngineFailed: if they will not come
        """
        ...

    def used(self, path: Path, stop: int) -> None:
        """Take note that nothing before this byte is read again."""
        ...


class Arriving(io.RawIOBase):
    """A file of which every byte is waited for before it is read."""

    def __init__(self, path: Path, arrival: Arrival) -> None:
        self._path = path
        self._arrival = arrival
        self._file = path.open("rb", buffering=0)
        self._size = path.stat().st_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: "memoryview | bytearray", /) -> int | None:  # type: ignore[override]
        start = self._file.tell()
        self.come(start, start + len(buffer))
        return self._file.readinto(buffer)

    def come(self, start: int, stop: int) -> None:
        """Wait for a stretch that is going to be read past this object, by the kernel."""
        self._arrival.come(self._path, start, min(stop, self._size))

    def used(self, stop: int) -> None:
        self._arrival.used(self._path, stop)

    def close(self) -> None:
        self._file.close()
        super().close()


class Staged:
    """The arrival of files that are all there."""

    def come(self, path: Path, start: int, stop: int) -> None:
        """Return at once."""

    def used(self, path: Path, stop: int) -> None:
        """Leave it where it is."""


STAGED = Staged()
