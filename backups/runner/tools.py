"""From rows to the tools that they describe."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings

from backups.engines import registry
from backups.engines.base import Engine, Opening, Source
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.errors import CredentialsMissing
from backups.models import Database, RecoveryTarget, StorageLocation
from backups.runner.credentials import keys_of, naming_refusals, password
from backups.runner.patience import told_after_seconds
from backups.storage import fetch
from backups.storage.relay import Relay
from backups.storage.s3 import Bucket, Credentials, ObjectRef, Place

# The settings that say where engines find their programs.
PROGRAMS = ("BARMAN_BIN_DIR", "PG_DUMP_BIN_DIR", "PGBACKREST_PROGRAM", "PGBACKREST_CONFIG")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A database's place in the storage, and the backup tool that knows it.

    ``sources`` are all places to ask for what is damaged in this one; None if there is no other.
    """

    bucket: Bucket
    engine: Engine
    secrets: tuple[str, ...]
    sources: fetch.Sources | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply(Archive):
    """An archive to restore from: every place that holds it, and a relay that asks them as one.

    The bucket and the engine stand behind the relay, so that a tool that would break on one broken
    connection reads through it as well. What is fetched by ourselves comes from the ``sources``.
    ``hashes`` are to be filled with what the backup's manifest recorded, by key.
    """

    sources: fetch.Sources
    relay: Relay
    hashes: dict[str, Sequence[str]]


@contextmanager
def opened_supply(
    database: Database, folder: Path, *, first: StorageLocation | None = None
) -> Iterator[Supply]:
    """Open all places of a database's archive for one restore, ``first`` before the others.

    The relay keeps what it needs in ``folder``.

    :raises CredentialsMissing: if none of the places has its credentials where it says
    :raises StageInUse: if another worker has the folder
    """
    places = [database.storage, *database.copies.order_by("name")]
    places.sort(key=lambda place: first is not None and place.pk != first.pk)
    secrets = _known_secrets(places)
    sources = _sources(places)
    hashes: dict[str, Sequence[str]] = {}

    def hashes_of(ref: ObjectRef) -> Sequence[str]:
        return hashes.get(ref.key, ())

    manner = fetch.Manner(
        outage_seconds=settings.STORAGE_OUTAGE_SECONDS,
        waiting_after_seconds=told_after_seconds(),
    )

    def refusing() -> list[StorageLocation]:
        refused = [
            place
            for place, channel in zip(places, sources.channels, strict=True)
            if channel.refusal is not None
        ]
        return refused or places

    with (
        naming_refusals(refusing),
        closing(sources),
        Relay(sources, folder, manner=manner, hashes_of=hashes_of) as relay,
        closing(_bucket_behind(relay, sources.place)) as bucket,
    ):
        yield Supply(
            bucket=bucket,
            engine=_engine(database, bucket),
            secrets=(*secrets, relay.credentials.access_key, relay.credentials.secret_key),
            sources=sources,
            relay=relay,
            hashes=hashes,
        )


@contextmanager
def opened_archive(
    database: Database,
    *,
    location: StorageLocation | None = None,
    silence_seconds: float | None = None,
    beside: Sequence[StorageLocation] = (),
) -> Iterator[Archive]:
    """Open a database's archive, or a copy of it; its connections are closed at the end.

    The places ``beside`` it are asked for log files that are damaged in it.

    :raises CredentialsMissing: if the credentials are not where the location says
    """
    location = location or database.storage
    silence_seconds = silence_seconds or settings.STORAGE_SILENCE_SECONDS
    credentials, here = keys_of(location), location
    with (
        naming_refusals(lambda: [here]),
        closing(bucket_of(location, credentials, silence_seconds=silence_seconds)) as bucket,
        closing(_sources([location, *beside], silence_seconds=silence_seconds)) as sources,
    ):
        yield Archive(
            bucket=bucket,
            engine=_engine(database, bucket),
            secrets=_secrets_in(credentials),
            sources=sources if beside else None,
        )


@contextmanager
def opened_sources(database: Database, *, first: StorageLocation) -> Iterator[fetch.Sources]:
    """Open all places of a database's archive to fetch from, ``first`` before the others."""
    places = [database.storage, *database.copies.order_by("name")]
    places.sort(key=lambda place: place.pk != first.pk)
    with closing(_sources(places)) as sources:
        yield sources


def _sources(
    places: Sequence[StorageLocation], *, silence_seconds: float | None = None
) -> fetch.Sources:
    return fetch.Sources(
        [
            fetch.Source(
                name=place.name,
                place=place_of(place),
                credentials=partial(keys_of, place),
            )
            for place in places
        ],
        silence_seconds=silence_seconds or settings.STORAGE_SILENCE_SECONDS,
    )


def source_of(database: Database) -> Source:
    """Return the running cluster, with the password to enter it.

    :raises CredentialsMissing: if the password is not where the row says
    """
    return Source(
        host=database.host,
        port=database.port,
        user=database.superuser,
        password=password(database.password_reference),
    )


def postgres_at(target: RecoveryTarget) -> Postgres:
    return Postgres(
        bin_dir=Path(target.bin_dir) if target.bin_dir else bundled_bin_dir(),
        data_dir=Path(target.data_dir),
        port=target.port,
    )


def bucket_of(
    location: StorageLocation, credentials: Credentials, *, silence_seconds: float
) -> Bucket:
    """Return the bucket that a row describes; whoever asks for it closes it."""
    return Bucket(place_of(location), credentials, silence_seconds=silence_seconds)


def place_of(location: StorageLocation) -> Place:
    return Place(
        bucket=location.bucket,
        prefix=location.prefix,
        endpoint=location.endpoint,
        region=location.region,
        path_style=location.uses_path_style,
    )


def _bucket_behind(relay: Relay, first: Place) -> Bucket:
    place = Place(
        bucket=relay.bucket, prefix=first.prefix, endpoint=relay.endpoint, region=relay.region
    )
    return Bucket(place, relay.credentials)


def _engine(database: Database, bucket: Bucket) -> Engine:
    return registry.opened(
        database.engine,
        Opening(
            bucket=bucket,
            server=database.archive_name,
            programs={name: str(getattr(settings, name)) for name in PROGRAMS},
            scratch=Path(settings.VAR_DIR) / "engines",
        ),
    )


def _secrets_in(credentials: Credentials) -> tuple[str, ...]:
    return (credentials.access_key, credentials.secret_key, credentials.session_token)


def _known_secrets(places: Sequence[StorageLocation]) -> tuple[str, ...]:
    """Return the secrets of the places that have theirs.

    :raises CredentialsMissing: if none has
    """
    found: tuple[str, ...] = ()
    missing: CredentialsMissing | None = None
    for place in places:
        try:
            found += _secrets_in(keys_of(place))
        except CredentialsMissing as fault:
            missing = fault
    if missing is not None and not found:
        raise missing
    return found
