"""Filling a data directory that holds our mark already, by tools that insist on an empty one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INSIDE = ".highwater-unpack"


def tablespaces_beside(directory: Path) -> Path:
    """Return where tablespaces go: never to where they were, which may be in use."""
    return directory.with_name(directory.name + ".tablespaces")


@contextmanager
def empty_inside(directory: Path) -> Iterator[Path]:
    """Give an empty folder inside; what lies in it at a good end becomes the directory's content.

    Moved within one disk, which takes moments. After a bad end the directory is a half, to be
    wiped before the next attempt.
    """
    inside = directory / _INSIDE
    inside.mkdir(mode=0o700)
    yield inside
    for entry in list(inside.iterdir()):
        entry.rename(directory / entry.name)
    inside.rmdir()
