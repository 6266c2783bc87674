"""What the server holds: every document of the revision, ready to be sent, in each encoding."""

import hashlib
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from threading import Lock

import brotli

from statuspage.serving import later, manifest
from statuspage.serving.manifest import EditionFile, Manifest, Unreadable

Headers = list[tuple[str, str]]
_Mark = tuple[int, int]
ENCODINGS = {"identity": "", "gzip": ".gz", "br": ".br"}
# What a visitor may accept: which encoding is then the best that there is.
CHOICES = {
    "": ("identity",),
    "gzip": ("gzip", "identity"),
    "br": ("br", "identity"),
    "br gzip": ("br", "gzip", "identity"),
}
_SUFFIXES = tuple(ENCODINGS.values())
_GZIP = 31

FRESH = "public, max-age=10, s-maxage=10, stale-while-revalidate=20, stale-if-error=86400"
PRIVATE = "private, no-store"
PERSONAL = "private, max-age=10"
FOR_EVER = "public, max-age=31536000, immutable"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
CORS: Headers = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "ETag, X-Highwater-Revision, X-Highwater-Generated"),
]
# Tells the script of a page without a revision that a server of ours picked the edition.
_PICKED: Headers = [("X-Highwater-Edition", "now")]
# How long something new may lie unseen. Looking costs one system call.
LOOK_EVERY_SECONDS = 0.02
# Old incidents are read rarely; beyond this many bytes the longest unread ones are let go.
_ARCHIVE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Variant:
    """A document in one encoding, with the headers of a 200 and of a 304."""

    etag: str
    body: bytes
    headers: Headers
    headers_304: Headers


# By choice.
Variants = Mapping[str, Variant]


@dataclass(frozen=True, slots=True)
class Document:
    """The editions of a document in the order in which they become valid."""

    editions: tuple[tuple[float, Variants], ...]

    def at(self, now: float) -> Variants:
        """Return the latest edition whose moment has come; the first if the clock is behind."""
        found = self.editions[0][1]
        for valid_from, variants in self.editions[1:]:
            if valid_from > now:
                break
            found = variants
        return found


@dataclass(frozen=True, slots=True)
class Held:
    """One revision in memory."""

    name: str
    revision_headers: Headers
    documents: Mapping[str, Document]
    # Bodies by digest, so that the next revision reads only what differs.
    bodies: Mapping[str, tuple[bytes, bytes, bytes]]


def load(revision_dir: Path, *, before: Held | None, is_private: bool) -> Held:
    """Read a revision; what is held already is not read again.

    :raises Unreadable: if anything of it is missing or cut short
    """
    found = manifest.read(revision_dir)
    known = before.bodies if before else {}
    bodies: dict[str, tuple[bytes, bytes, bytes]] = {}
    for edition in _editions(found):
        if edition.digest not in bodies:
            bodies[edition.digest] = known.get(edition.digest) or _bodies(revision_dir, edition)
    headers = [
        ("X-Highwater-Revision", str(found.revision)),
        ("X-Highwater-Generated", formatdate(found.generated_at, usegmt=True)),
    ]
    documents = {
        path: Document(
            tuple(
                (
                    edition.valid_from,
                    variants(
                        edition.file,
                        edition.digest,
                        bodies[edition.digest],
                        modified_at=max(published.modified_at, edition.valid_from),
                        is_private=is_private,
                        also=headers,
                    ),
                )
                for edition in published.editions
            )
        )
        for path, published in found.documents.items()
    }
    return Held(revision_dir.name, headers, documents, bodies)


def _editions(found: Manifest) -> Iterable[EditionFile]:
    return (edition for published in found.documents.values() for edition in published.editions)


def _bodies(revision_dir: Path, edition: EditionFile) -> tuple[bytes, bytes, bytes]:
    try:
        if edition.file.startswith(manifest.LATER):
            gzipped, brotlied = (revision_dir / f"{edition.file}.gz").read_bytes(), b""
            plain = zlib.decompress(gzipped, _GZIP)
        else:
            plain, gzipped, brotlied = (
                (revision_dir / f"{edition.file}{suffix}").read_bytes() for suffix in _SUFFIXES
            )
    except (OSError, zlib.error) as fault:
        raise Unreadable(f"{edition.file}: {fault}") from fault
    if (len(plain), len(gzipped), len(brotlied)) != edition.sizes:
        raise Unreadable(f"{edition.file} has not the size that was published.")
    return plain, gzipped, brotlied


def digest(body: bytes) -> str:
    """Return the name of a body, which its entity tags are made of."""
    return hashlib.blake2b(body, digest_size=10).hexdigest()


def variants(
    file: str,
    name: str,
    bodies: Iterable[bytes],
    *,
    modified_at: float,
    is_private: bool,
    also: Headers,
) -> dict[str, Variant]:
    """Return a document for each of the `CHOICES`. The tag differs in each encoding."""
    kind = manifest.type_of(file)
    cache = caching(file, is_private=is_private)
    is_personal = manifest.is_personal(file)
    found: dict[str, Variant] = {}
    for encoding, body in zip(ENCODINGS, bodies, strict=True):
        if not body and encoding != "identity":
            continue
        etag = f'"{name}"' if encoding == "identity" else f'"{name}-{encoding}"'
        short = [("ETag", etag), ("Cache-Control", cache), ("Vary", "Accept-Encoding")]
        if is_private or is_personal:
            short.append(("X-Robots-Tag", "noindex"))
        if is_personal:
            short.append(("Referrer-Policy", "no-referrer"))
        if not is_private and kind in (manifest.JSON, manifest.ATOM, manifest.CALENDAR):
            short += CORS
        headers = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Last-Modified", formatdate(modified_at, usegmt=True)),
            ("X-Content-Type-Options", "nosniff"),
            *short,
            *also,
        ]
        if encoding != "identity":
            headers.append(("Content-Encoding", encoding))
        if kind == manifest.HTML:
            headers.append(("Content-Security-Policy", POLICY))
        found[encoding] = Variant(etag, body, headers, short)
    return {
        choice: next(found[encoding] for encoding in order if encoding in found)
        for choice, order in CHOICES.items()
    }


def caching(file: str, *, is_private: bool) -> str:
    """Return for how long, and by whom, a document may be kept."""
    if "/assets/" in f"/{file}":
        return FOR_EVER
    if is_private:
        return PRIVATE
    return PERSONAL if manifest.is_personal(file) else FRESH


class Archive:
    """Documents that no longer change, and tenants' own, read when somebody asks for one."""

    def __init__(self, root: Path, *, is_private: bool) -> None:
        self._root = root
        self._is_private = is_private
        self._lock = Lock()
        # path: (when it was looked at, mark of the file, document, bytes); when is a revision,
        # or for a tenant's own a moment
        self._held: OrderedDict[str, tuple[str | int, _Mark, Document, int]] = OrderedDict()
        self._bytes = 0

    def get(self, path: str, held: Held) -> Document | None:
        """Return the archived document of a path, or None.

        A new revision makes it look again; at a tenant's own, which changes between revisions,
        it looks as often as for a new revision.
        """
        file = manifest.archived_file(path)
        if file is None:
            return None
        with self._lock:
            known = self._held.get(path)
            is_personal = manifest.is_personal(file)
            when = int(time.monotonic() / LOOK_EVERY_SECONDS) if is_personal else held.name
            if known and known[0] == when:
                self._held.move_to_end(path)
                return known[2]
            try:
                found = (self._root / file).stat()
            except OSError:
                self._forget(path)
                return None
            mark = (found.st_mtime_ns, found.st_ino)
            if known and known[1] == mark and is_personal:
                self._held[path] = (when, *known[1:])
                self._held.move_to_end(path)
                return known[2]
            return self._read(path, file, mark, held, when=when)

    def _read(
        self, path: str, file: str, mark: _Mark, held: Held, *, when: str | int
    ) -> Document | None:
        try:
            bodies = _archived_bodies(self._root / file)
        except OSError:
            return None
        editions = [(0.0, bodies), *later.read(self._root / file, of=digest(bodies[0]))]
        # Of what is fixed or a tenant's own, no revision tells how old it is.
        is_bound = not (file.startswith("assets/") or manifest.is_personal(file))
        document = Document(
            tuple(
                (
                    valid_from,
                    variants(
                        file,
                        digest(body[0]),
                        body,
                        modified_at=max(mark[0] / 1e9, valid_from),
                        is_private=self._is_private,
                        also=held.revision_headers if is_bound else _PICKED,
                    ),
                )
                for valid_from, body in editions
            )
        )
        self._forget(path)
        size = sum(len(part) for _valid_from, body in editions for part in body)
        self._held[path] = (when, mark, document, size)
        self._bytes += size
        while self._bytes > _ARCHIVE_BYTES and len(self._held) > 1:
            self._forget(next(iter(self._held)))
        return document

    def _forget(self, path: str) -> None:
        if known := self._held.pop(path, None):
            self._bytes -= known[3]


def _archived_bodies(file: Path) -> tuple[bytes, bytes, bytes]:
    """Read a document and its compressed siblings; one that is of another edition is left out."""
    plain = file.read_bytes()
    gzipped = _sibling(file, ".gz")
    brotlied = _sibling(file, ".br")
    try:
        gzipped = gzipped if zlib.decompress(gzipped, _GZIP) == plain else b""
    except zlib.error:
        gzipped = b""
    try:
        brotlied = brotlied if brotli.decompress(brotlied) == plain else b""
    except brotli.error:
        brotlied = b""
    return plain, gzipped, brotlied


def _sibling(file: Path, suffix: str) -> bytes:
    try:
        return file.with_name(file.name + suffix).read_bytes()
    except OSError:
        return b""
