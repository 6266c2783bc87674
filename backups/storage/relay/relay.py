"""The relay as a whole: what stands behind it, what stands before it, and its keys."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from backups.errors import EngineFailed
from backups.storage.items import MIB, PART_BYTES, FetchItem, Manner
from backups.storage.relay.archive import Archive, HashesOf
from backups.storage.relay.cache import Cache
from backups.storage.relay.catalogue import Catalogue
from backups.storage.relay.certificate import Certificate, write_secret
from backups.storage.relay.count import Count
from backups.storage.relay.handler import Serving
from backups.storage.relay.server import HOST, RelayServer
from backups.storage.relay.shelf import LEAST_LIMIT, Shelf
from backups.storage.s3 import Credentials, ObjectRef
from backups.storage.sources import Sources

DEFAULT_LIMIT = 20 * 1024 * MIB
_BLOCK = 512


class LimitTooSmall(EngineFailed):
    """The relay may use less disk than it needs to have anything under way."""

    code = "relay-limit-too-small"
    advice = f"Give the relay at least {LEAST_LIMIT // MIB} MiB of disk."


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStatus:
    """What the relay has done so far. ``waiting`` counts readers that wait for the storage."""

    requests: int
    served_bytes: int
    held_bytes: int
    waiting: int
    last_key: str
    counters: Mapping[str, int] = field(default_factory=dict)


class Relay:
    """A read-only S3 endpoint on loopback, for as long as it is open (``with``).

    ``folder`` holds its cache and its keys, and belongs to one relay at a time; a relay that is
    opened there again knows the same keys and uses what was fetched. What was recorded of an
    object is compared as it arrives: what ``hashes_of`` names (hashes of its blocks, or nothing),
    else what the manifest of its backup says, which is found by the object's own key. The answer
    with an object's last byte that neither speaks of ends well only if all of it is as its ETag
    says, or nothing can tell; the log says so by name.
    """

    def __init__(
        self,
        sources: Sources,
        folder: Path,
        *,
        port: int = 0,
        limit_bytes: int = DEFAULT_LIMIT,
        tls: bool = False,
        manner: Manner | None = None,
        hashes_of: HashesOf | None = None,
    ) -> None:
        """Only take note: nothing is opened yet.

        :raises LimitTooSmall: if nothing can be under way with that little disk
        """
        if limit_bytes < LEAST_LIMIT:
            raise LimitTooSmall
        self._sources = sources
        self._folder = folder
        self._port = port
        self.limit_bytes = limit_bytes
        self._tls = tls
        self._manner = manner or Manner()
        self._hashes_of = hashes_of
        self._count = Count()

    def __enter__(self) -> Self:
        """Open the folder and the port.

        :raises StageInUse: if another relay has the folder
        :raises OSError: if the port is taken
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self.credentials = _keys_in(self._folder / "keys.json")
        certificate = Certificate.in_folder(self._folder, at=_now()) if self._tls else None
        self.ca_file = certificate.ca_file if certificate else None
        self.fetcher = Cache(self._sources, self._folder / "cache", manner=self._manner)
        self.fetcher.__enter__()
        try:
            self._shelf = Shelf(self.fetcher, limit_bytes=self.limit_bytes)
            self._shelf.fit(self.fetcher.room())
            self._find_what_is_there()
            self._catalogue = Catalogue(self._sources, outage_seconds=self._manner.outage_seconds)
            self._archive = Archive(
                self._catalogue,
                self.fetcher,
                self._shelf,
                outage_seconds=self._manner.outage_seconds,
                hashes_of=self._hashes_of,
            )
            serving = Serving(
                archive=self._archive,
                bucket=self.bucket,
                region=self.region,
                credentials=self.credentials,
                count=self._count,
                now=_now,
            )
            tls = certificate.context() if certificate else None
            self._server = RelayServer(serving, port=self._port, tls=tls)
        except BaseException:
            self.fetcher.__exit__(None, None, None)
            raise
        self._server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        # Nobody reads on, so that the connections' threads come to their end; then the rest.
        self._archive.close()
        self._server.stop()
        self._catalogue.close()
        self._server.join()
        self.fetcher.__exit__(*exc)

    @property
    def bucket(self) -> str:
        """Return the name of the only bucket, which is that of the first source."""
        return self._sources.place.bucket

    @property
    def region(self) -> str:
        return self._sources.place.region

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def endpoint(self) -> str:
        # A certificate for an address is not taken by every client; one for a name is.
        return f"https://localhost:{self.port}" if self._tls else f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the variables by which AWS's tools, barman and pgBackRest find the relay."""
        found = {
            "AWS_ACCESS_KEY_ID": self.credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "S3_ENDPOINT_URL": self.endpoint,
        }
        if self.ca_file:
            found |= {
                "AWS_CA_BUNDLE": str(self.ca_file),
                "PGBACKREST_REPO1_S3_ENDPOINT": "localhost",
                "PGBACKREST_REPO1_STORAGE_PORT": str(self.port),
                "PGBACKREST_REPO1_STORAGE_CA_FILE": str(self.ca_file),
                "PGBACKREST_REPO1_S3_URI_STYLE": "path",
                "PGBACKREST_REPO1_S3_KEY": self.credentials.access_key,
                "PGBACKREST_REPO1_S3_KEY_SECRET": self.credentials.secret_key,
            }
        return found

    def status(self) -> RelayStatus:
        requests, served_bytes, last_key = self._count.now()
        return RelayStatus(
            requests=requests,
            served_bytes=served_bytes,
            held_bytes=self._shelf.held_bytes,
            waiting=self._archive.waiting,
            last_key=last_key,
            counters=self.fetcher.counters(),
        )

    def require_room(self) -> None:
        """Make sure that objects can be given out: for listings alone the disk does not matter.

        :raises LimitTooSmall: if the disk has less room than the least limit
        """
        room = self.fetcher.room()
        if room < LEAST_LIMIT:
            raise LimitTooSmall(
                advice=f"The relay needs {LEAST_LIMIT // MIB} MiB of disk, and its folder's disk "
                f"has room for {room // MIB} MiB. Make room, or name another folder."
            )

    def _find_what_is_there(self) -> None:
        """Count what an earlier run left, the longest untouched first."""
        found = []
        for name in self.fetcher.known():
            item = FetchItem(ref=ObjectRef(key="", size=0, etag=""), to=name)
            path = self.fetcher.path_of(item)
            if path.exists():
                state = path.stat()
                ref = ObjectRef(key="", size=state.st_size, etag="")
                parts = -(-state.st_blocks * _BLOCK // PART_BYTES)
                found.append((state.st_mtime, name, ref, parts))
        for _moment, name, ref, parts in sorted(found, key=lambda each: each[:2]):
            self._shelf.found(FetchItem(ref=ref, to=name), range(parts))


def _keys_in(path: Path) -> Credentials:
    """Return the folder's own keys; make them if there are none, or the file holds no keys."""
    try:
        known = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        known = None
    match known:
        case {"access_key": str(access_key), "secret_key": str(secret_key)} if (
            access_key and secret_key
        ):
            return Credentials(access_key=access_key, secret_key=secret_key)
    made = {
        "access_key": f"RELAY{secrets.token_hex(8).upper()}",
        "secret_key": secrets.token_urlsafe(30),
    }
    write_secret(path, json.dumps(made).encode())
    return Credentials(**made)


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
