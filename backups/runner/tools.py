"""From rows to the tools that they describe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from backups.engines.barman_cloud import BarmanCloud
from backups.engines.base import Source
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import Database, RecoveryTarget
from backups.runner.credentials import password, storage_credentials
from backups.storage.s3 import Bucket, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A database's place in the storage, and the backup tool that knows it."""

    bucket: Bucket
    engine: BarmanCloud
    secrets: tuple[str, ...]


@contextmanager
def opened_archive(database: Database) -> Iterator[Archive]:
    """Open a database's archive; its connections are closed at the end.

    :raises CredentialsMissing: if the credentials are not where the location says
    """
    location = database.storage
    credentials = storage_credentials(location.credentials_reference)
    place = Place(
        bucket=location.bucket,
        prefix=location.prefix,
        endpoint=location.endpoint,
        region=location.region,
        path_style=location.uses_path_style,
    )
    bucket = Bucket(
        place, credentials, connections=20, silence_seconds=settings.STORAGE_SILENCE_SECONDS
    )
    try:
        yield Archive(
            bucket=bucket,
            engine=BarmanCloud(
                bin_dir=Path(settings.BARMAN_BIN_DIR),
                bucket=bucket,
                credentials=credentials,
                server=database.archive_name,
            ),
            secrets=(
                credentials.access_key,
                credentials.secret_key,
                credentials.session_token,
            ),
        )
    finally:
        bucket.close()


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
