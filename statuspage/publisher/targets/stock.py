"""What a published page consists of, as somebody who carries it elsewhere needs it."""

import gzip
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from statuspage.serving import later, manifest
from statuspage.serving.manifest import Manifest, Unreadable
from statuspage.serving.memory import ENCODINGS, digest

# How the script of a page finds what the page says later.
EDITIONS = ".editions.json"
# What lies beside a document: other encodings of it, and what it says later.
_BESIDE = (*filter(None, ENCODINGS.values()), later.SUFFIX)
_BESIDE_PAGE = re.compile(r"\.editions\.json|\.later-[0-9]{1,4}\.html")
_LATER = re.compile(rf"{manifest.LATER}[0-9a-f]{{20}}\.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A document: the file it has in a site, and how its bytes are come by.

    ``mark`` changes whenever the bytes may have changed. Archived documents may be withdrawn at
    any time; those of a revision go only with the whole of it.
    """

    file: str
    mark: str
    source: Path | bytes | Callable[[], bytes | None]
    is_archived: bool = False

    def body(self) -> bytes | None:
        """Return the bytes; None if the document has been withdrawn meanwhile.

        :raises Unreadable: if the revision has been overtaken and removed
        """
        if isinstance(self.source, bytes):
            return self.source
        if not isinstance(self.source, Path):
            return self.source()
        try:
            return self.source.read_bytes()
        except FileNotFoundError as fault:
            if self.is_archived:
                return None
            raise Unreadable("The revision has been overtaken.") from fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """The revision that is published now, with the archive beside it.

    ``personal`` are the tenants' own documents, with what their script is to find.
    """

    folder: Path
    archive: Path
    revision: int
    documents: list[Parcel]
    archived: list[Parcel]
    personal: list[Parcel]


def take_stock(page_folder: Path, *, with_personal: bool) -> Stock:
    """Return what is published now.

    :raises Unreadable: if nothing is, or not as a whole
    """
    try:
        folder = page_folder / (page_folder / manifest.CURRENT).readlink()
    except OSError as fault:
        raise Unreadable("Nothing is published yet.") from fault
    found = manifest.read(folder)
    archived, personal = [], []
    for parcel in _archived(page_folder / "archive"):
        if not manifest.is_personal(parcel.file):
            archived.append(parcel)
        elif with_personal:
            personal += [parcel, *_personal_editions(parcel)]
    return Stock(
        folder=folder,
        archive=page_folder / "archive",
        revision=found.revision,
        documents=[*_documents(folder, found), *_later_editions(folder, found)],
        archived=archived,
        personal=personal,
    )


def address_of(file: str) -> str:
    """Return the address of a site's file, without the first slash; empty for the front page.

    The page of unknown addresses keeps its ending: it is no visitor's to ask for.
    """
    if file == "index.html":
        return ""
    return file if file == "404.html" else file.removesuffix(".html")


def has_name_of_ours(file: str) -> bool:
    """Whether we give such a name to what is withdrawn one by one: in an archive, or beside it.

    Others may give it, too: it takes more than a name to delete a file.
    """
    if _LATER.fullmatch(file):
        return True
    for suffix in _BESIDE:
        if file.endswith(suffix):
            file = file.removesuffix(suffix)
            break
    stem, _dot, rest = file.partition(".")
    page = f"{stem}.html" if _BESIDE_PAGE.fullmatch(f".{rest}") else file
    return manifest.archived_file(f"/{address_of(page)}") == page


def _later_editions(folder: Path, found: Manifest) -> Iterator[Parcel]:
    """Return what pages say later, and the lists by which their script finds that.

    Where no server of ours picks the edition whose moment has come, the script does. The front
    page is left out: its script renews it from ``/live``.
    """
    seen: set[str] = set()
    for path, published in found.documents.items():
        page = manifest.file_of(path)
        if path == "/" or not page.endswith(".html") or len(published.editions) == 1:
            continue
        listed = []
        for edition in published.editions[1:]:
            file = f"{manifest.LATER}{edition.digest}.html"
            listed.append((edition.valid_from, file))
            if file not in seen:
                seen.add(file)
                body = _unpacked(folder / f"{edition.file}.gz")
                yield Parcel(file=file, mark=edition.digest, source=body)
        yield _list_of(page, listed)


def _personal_editions(parcel: Parcel) -> Iterator[Parcel]:
    """Return the same of a tenant's own page: under names as unguessable as its own."""
    assert isinstance(parcel.source, Path)
    if not parcel.file.endswith(".html"):
        return
    moments = later.moments(parcel.source)
    name = parcel.file.removesuffix(".html")
    files = [f"{name}.later-{place}.html" for place in range(len(moments))]
    for place, file in enumerate(files):
        yield Parcel(
            file=file,
            mark=f"{parcel.mark}-{moments[place]}",
            source=partial(_personal_edition, parcel.source, place),
        )
    if files:
        yield _list_of(parcel.file, list(zip(moments, files, strict=True)))


def _personal_edition(document: Path, place: int) -> bytes | None:
    """Return a later edition; None if the document has changed meanwhile."""
    try:
        editions = later.read(document, of=digest(document.read_bytes()))
    except FileNotFoundError:
        return None
    return editions[place][1][0] if place < len(editions) else None


def _list_of(page: str, editions: Sequence[tuple[float, str]]) -> Parcel:
    listed = [
        (datetime.fromtimestamp(at, tz=UTC).isoformat(), f"/{address_of(file)}")
        for at, file in editions
    ]
    body = json.dumps(listed).encode()
    return Parcel(file=f"{page.removesuffix('.html')}{EDITIONS}", mark=digest(body), source=body)


def _unpacked(file: Path) -> bytes:
    try:
        return gzip.decompress(file.read_bytes())
    except (OSError, EOFError) as fault:
        raise Unreadable(f"{file.name}: {fault}") from fault


def _documents(folder: Path, found: Manifest) -> Iterator[Parcel]:
    # Those of a gate belong to private pages, which are carried nowhere.
    hidden = {manifest.GATE, manifest.GATE_REFUSED}
    for path, published in found.documents.items():
        if path not in hidden:
            edition = published.editions[0]
            yield Parcel(
                file=manifest.file_of(path), mark=edition.digest, source=folder / edition.file
            )


def _archived(archive: Path) -> Iterator[Parcel]:
    for file in archive_files(archive):
        if not file.name.endswith(_BESIDE):
            found = Path(file.path)
            seen = file.stat()
            yield Parcel(
                file=found.relative_to(archive).as_posix(),
                mark=f"{seen.st_mtime_ns}-{seen.st_size}",
                source=found,
                is_archived=True,
            )


def archive_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Return every file below a folder but those that are still being written."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir():
            yield from archive_files(Path(entry.path))
        elif not entry.name.startswith("."):
            yield entry
