"""What publisher and server agree on: where a revision lies, and what it consists of.

PUBLIC_ROOT/current -> revisions/42      the one switch; a revision appears as a whole
PUBLIC_ROOT/revisions/42/manifest.json   its documents, each with its editions
PUBLIC_ROOT/revisions/42/site/...        the editions of now: what nginx serves
PUBLIC_ROOT/revisions/42/editions/...    the later ones
PUBLIC_ROOT/archive/...                  what no longer changes: old incidents, months, styles
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HTML = "text/html; charset=utf-8"
JSON = "application/json; charset=utf-8"
ATOM = "application/atom+xml; charset=utf-8"
CSS = "text/css; charset=utf-8"
SCRIPT = "text/javascript; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"

CURRENT = "current"
# The folder of the editions whose moment has not come.
LATER = "later/"
# Served for unknown addresses; no visitor can ask for this path itself.
NOT_FOUND = "404"

_TYPES = {".html": HTML, ".json": JSON, ".atom": ATOM, ".css": CSS, ".js": SCRIPT, ".txt": PLAIN}
_ARCHIVED = re.compile(
    r"/incidents/[0-9a-z]{1,32}"
    r"|/history/[0-9]{4}-[0-9]{2}"
    r"|/api/v2/incidents/[0-9a-z]{1,32}\.json"
    r"|/assets/[a-z]+\.[0-9a-f]{8,64}\.(?:css|js)"
)


class Unreadable(Exception):
    """A published file is missing, cut short or not what the manifest says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionFile:
    """One edition of a document. ``file`` and its siblings .gz and .br lie in the revision.

    Of an edition for later only the .gz is there. ``sizes`` are those of the document, of the
    .gz and of the .br.
    """

    valid_from: float
    file: str
    digest: str
    sizes: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A document of a revision: its editions, the earliest first."""

    modified_at: float
    editions: tuple[EditionFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one revision consists of, by path."""

    revision: int
    generated_at: float
    documents: dict[str, Published]


def file_of(path: str) -> str:
    """Return the file, relative to a site, in which the document of a path lies."""
    if path == "/":
        return "index.html"
    name = path.strip("/")
    return name if name.endswith(tuple(_TYPES)) else f"{name}.html"


def type_of(file: str) -> str:
    return _TYPES[Path(file).suffix]


def archived_file(path: str) -> str | None:
    """Return the file in the archive that may hold this path; None if none ever does."""
    return file_of(path) if _ARCHIVED.fullmatch(path) else None


def read(revision_dir: Path) -> Manifest:
    """Read a revision's manifest.

    :raises Unreadable: if it is missing or is not what was written
    """
    try:
        found: dict[str, Any] = json.loads((revision_dir / "manifest.json").read_bytes())
        return Manifest(
            revision=int(found["revision"]),
            generated_at=float(found["generated_at"]),
            documents={path: _published(entry) for path, entry in found["documents"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Unreadable(f"{revision_dir.name} has no whole manifest: {fault}") from fault


def write(revision_dir: Path, manifest: Manifest) -> None:
    """Write a revision's manifest."""
    text = json.dumps(asdict(manifest), separators=(",", ":"))
    (revision_dir / "manifest.json").write_text(text, encoding="utf-8")


def _published(entry: dict[str, Any]) -> Published:
    return Published(
        modified_at=float(entry["modified_at"]),
        editions=tuple(
            EditionFile(
                valid_from=float(edition["valid_from"]),
                file=str(edition["file"]),
                digest=str(edition["digest"]),
                sizes=tuple(edition["sizes"]),
            )
            for edition in entry["editions"]
        ),
    )
