"""Registering what is protected, where its backups lie, and where it can come back."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import models, transaction

from backups.models import Database, RecoveryTarget, StorageLocation, StorageRole, Tenant
from incidents.errors import Refused

Row = TypeVar("Row", bound=models.Model)


class NotRegistrable(Refused):
    code = "registration-refused"
    message = "This cannot be registered as it is."


def register_storage_location(
    *,
    name: str,
    bucket: str,
    credentials_reference: str,
    endpoint: str = "",
    region: str = "us-east-1",
    prefix: str = "",
    uses_path_style: bool = True,
    role: StorageRole = StorageRole.PRIMARY,
    provider: str = "",
    at: datetime,
) -> StorageLocation:
    """Register a bucket; its credentials are named (``settings:``, ``env:``, ``file:``).

    :raises NotRegistrable: if it cannot be registered like this, saying why
    """
    return _registered(
        StorageLocation(
            name=name,
            bucket=bucket,
            credentials_reference=credentials_reference,
            endpoint=endpoint,
            region=region,
            prefix=prefix.strip("/"),
            uses_path_style=uses_path_style,
            role=role,
            provider=provider,
            registered_at=at,
        )
    )


def move_storage_location(*, location_id: int, endpoint: str) -> StorageLocation:
    """Reach a bucket through another endpoint from now on: a replica, a proxy, a new address.

    Work that is under way goes on through the one it began with.

    :raises NotRegistrable: if it is no address, saying why
    """
    location = StorageLocation.objects.get(pk=location_id)
    location.endpoint = endpoint
    return _registered(location)


def register_database(
    *,
    name: str,
    host: str,
    port: int,
    storage_id: int,
    archive_name: str,
    password_reference: str,
    superuser: str = "postgres",
    tenants: Iterable[tuple[str, str]] = (),
    at: datetime,
) -> Database:
    """Register a cluster, its name in a storage location's archive, and its tenants (name, code).

    :raises NotRegistrable: if it cannot be registered like this, saying why
    """
    with transaction.atomic():
        database = _registered(
            Database(
                name=name,
                host=host,
                port=port,
                superuser=superuser,
                storage_id=storage_id,
                archive_name=archive_name,
                password_reference=password_reference,
                registered_at=at,
            )
        )
        register_tenants(database_id=database.pk, tenants=tenants, at=at)
    return database


def register_tenant(
    *, database_id: int, name: str, public_code: str, priority: int = 100, at: datetime
) -> Tenant:
    """Register a customer's database inside a cluster.

    :raises NotRegistrable: if it cannot be registered like this, saying why
    """
    return _registered(
        Tenant(
            database_id=database_id,
            name=name,
            public_code=public_code,
            priority=priority,
            registered_at=at,
        )
    )


def register_tenants(
    *, database_id: int, tenants: Iterable[tuple[str, str]], at: datetime
) -> list[Tenant]:
    """Register several, each by its name and its public code: all of them, or none.

    :raises NotRegistrable: if one cannot be registered like this, saying why
    """
    with transaction.atomic():
        return [
            register_tenant(database_id=database_id, name=name, public_code=code, at=at)
            for name, code in tenants
        ]


def register_recovery_target(
    *,
    name: str,
    port: int,
    data_dir: str,
    work_dir: str,
    bin_dir: str = "",
    queue: str = "restores",
    at: datetime,
) -> RecoveryTarget:
    """Register a place to restore to, on the machine of the worker that consumes the queue.

    :raises NotRegistrable: if it cannot be registered like this, saying why
    """
    return _registered(
        RecoveryTarget(
            name=name,
            port=port,
            data_dir=data_dir,
            work_dir=work_dir,
            bin_dir=bin_dir,
            queue=queue,
            registered_at=at,
        )
    )


def _registered(row: Row) -> Row:
    try:
        # The constraints of the tables are the rules; their sentences say what is wrong.
        row.full_clean()
    except ValidationError as error:
        raise NotRegistrable(" ".join(error.messages)) from error
    row.save()
    return row
