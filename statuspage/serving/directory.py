"""Which pages there are, by host: what publisher and server agree on.

PUBLIC_ROOT/pages.json        the pages, their hosts and their gates; readable by its owner alone
PUBLIC_ROOT/pages/SLUG/...    one page: see `manifest`
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from statuspage.serving.gate import Gate
from statuspage.serving.manifest import Unreadable

_FILE = "pages.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEntry:
    """A page, the hosts under which it is asked for, and what stands before it, if anything.

    The ``id`` tells it from another page that had the same short name.
    """

    id: str
    slug: str
    hosts: tuple[str, ...]
    gate: Gate | None = None


def folder_of(root: Path, slug: str) -> Path:
    """Return the folder of a page."""
    return root / "pages" / slug


def folders(root: Path) -> list[Path]:
    """Return the folders of all pages that are there, by name."""
    return sorted(folder for folder in (root / "pages").glob("*") if folder.is_dir())


def is_there(root: Path) -> bool:
    """Whether the server has been told of any page."""
    return (root / _FILE).exists()


def mark(root: Path) -> tuple[int, int]:
    """Return what changes whenever the directory is written.

    :raises OSError: if there is none
    """
    found = (root / _FILE).stat()
    return found.st_mtime_ns, found.st_ino


def read(root: Path) -> list[PageEntry]:
    """Return the pages, the first one first: it also answers for hosts that are no page's.

    :raises Unreadable: if the directory is missing or is not what was written
    """
    try:
        found = json.loads((root / _FILE).read_bytes())
        return [
            PageEntry(
                id=str(entry["id"]),
                slug=str(entry["slug"]),
                hosts=tuple(entry["hosts"]),
                gate=_gate(entry["gate"]) if entry["gate"] else None,
            )
            for entry in found
        ]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise Unreadable(f"{_FILE} cannot be read: {fault}") from fault


def write(root: Path, pages: list[PageEntry]) -> None:
    """Write the directory in one step."""
    root.mkdir(parents=True, exist_ok=True)
    ahead = root / f".{_FILE}.{secrets.token_hex(4)}"
    text = json.dumps([asdict(page) for page in pages])
    # It holds the keys of private pages.
    with os.fdopen(os.open(ahead, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        # A torn file would leave a server that starts after a power loss without any page.
        file.flush()
        os.fsync(file.fileno())
    ahead.replace(root / _FILE)


def _gate(entry: dict[str, object]) -> Gate:
    return Gate(**entry | {"networks": tuple(entry["networks"])})  # type: ignore[arg-type]
