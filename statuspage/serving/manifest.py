"""What publisher and server agree on: where a revision lies, and what it consists of.

PUBLIC_ROOT/pages/SLUG holds one page:

current -> revisions/42      the one switch; a revision appears as a whole
revisions/42/manifest.json   its documents, each with its editions
revisions/42/site/...        the editions of now: what nginx serves
revisions/42/later/...       the later ones
archive/...                  what no longer changes: old incidents, months, styles;
                             and what is one tenant's own, with the later editions beside it
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
CALENDAR = "text/calendar; charset=utf-8"
PNG = "image/png"

CURRENT = "current"
# The folder of the editions whose moment has not come.
LATER = "later/"
# Documents without an address: no visitor can ask for them, for a path begins with a slash.
NOT_FOUND = "404"
GATE = "gate"
GATE_REFUSED = "gate-refused"

_TYPES = {
    ".html": HTML,
    ".json": JSON,
    ".atom": ATOM,
    ".css": CSS,
    ".js": SCRIPT,
    ".txt": PLAIN,
    ".ics": CALENDAR,
    ".png": PNG,
}
# The code of a tenant: as many as incidents.models.tenants makes, in that alphabet.
_PERSONAL = r"/my/[0-9a-z]{16}|/api/status/v1/my/[0-9a-z]{16}\.json"
_PERSONAL_FILES = ("my/", "api/status/v1/my/")
_ARCHIVED = re.compile(
    rf"{_PERSONAL}"
    r"|/(?:incidents|maintenances)/[0-9a-z]{1,32}"
    r"|/incidents/[0-9a-z]{1,32}/postmortem"
    r"|/history/[0-9]{4}-[0-9]{2}"
    r"|/api/v2/incidents/[0-9a-z]{1,32}\.json"
    r"|/assets/[a-z]+\.[0-9a-f]{8,64}\.(?:css|js|png)"
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


def is_personal(file: str) -> bool:
    """Whether this file of the archive is one tenant's own, under a name that nobody can guess."""
    return file.startswith(_PERSONAL_FILES)


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
