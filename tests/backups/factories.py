"""Rows of backups for tests. Defaults are valid and plain; name what matters to the test."""

from factory import declarations
from factory.django import DjangoModelFactory

from backups.models import Backup, Database, RecoveryTarget, RestoreJob, StorageLocation
from tests.factories import HOUR, NOON


class StorageLocationFactory(DjangoModelFactory[StorageLocation]):
    class Meta:
        model = StorageLocation

    name = declarations.Sequence(lambda n: f"storage {n}")
    bucket = "backups"
    credentials_reference = "env:STORAGE"
    registered_at = NOON


class DatabaseFactory(DjangoModelFactory[Database]):
    class Meta:
        model = Database

    name = declarations.Sequence(lambda n: f"database {n}")
    host = "127.0.0.1"
    storage = declarations.SubFactory(StorageLocationFactory)
    archive_name = "main"
    password_reference = "env:DATABASE_PASSWORD"
    registered_at = NOON


class BackupFactory(DjangoModelFactory[Backup]):
    """A finished one, of an hour before noon."""

    class Meta:
        model = Backup

    database = declarations.SubFactory(DatabaseFactory)
    engine_id = declarations.Sequence(lambda n: f"20261122T{n:06}")
    label = "nightly"
    is_finished = True
    began_at = NOON - HOUR
    ended_at = NOON - HOUR
    timeline = 1
    server_version = 170010
    cluster_bytes = 30_000_000


class RecoveryTargetFactory(DjangoModelFactory[RecoveryTarget]):
    class Meta:
        model = RecoveryTarget

    name = declarations.Sequence(lambda n: f"target {n}")
    port = 5999
    data_dir = declarations.Sequence(lambda n: f"/nowhere/data-{n}")
    work_dir = declarations.Sequence(lambda n: f"/nowhere/work-{n}")
    registered_at = NOON


class RestoreJobFactory(DjangoModelFactory[RestoreJob]):
    """A restore that waits for a worker."""

    class Meta:
        model = RestoreJob

    database = declarations.SubFactory(DatabaseFactory)
    target = declarations.SubFactory(RecoveryTargetFactory)
    requested_at = NOON
    queued_at = NOON
