"""Registering what is protected, and where it can come back."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import models, transaction

from backups import runner
from backups.models import (
    Database,
    EngineName,
    RecoveryTarget,
    StorageLocation,
    Tenant,
    TenantRestore,
)
from backups.models.jobs import OVER
from incidents.errors import Refused
from incidents.models import Tenant as Known
from incidents.operations import tenants as record

Row = TypeVar("Row", bound=models.Model)


class NotRegistrable(Refused):
    code = "registration-refused"
    message = "This cannot be registered as it is."


class TenantComesBack(Refused):
    code = "tenant-comes-back"
    message = "A restore is to bring this tenant back. Wait until it is over, or cancel it."


def register_database(
    *,
    name: str,
    host: str,
    port: int,
    storage_id: int,
    archive_name: str,
    password_reference: str,
    superuser: str = "postgres",
    engine: str = EngineName.BARMAN_CLOUD,
    tenants: Iterable[tuple[str, str]] = (),
    public_name: str = "",
    copy_ids: Iterable[int] = (),
    at: datetime,
) -> Database:
    """Register a cluster, its name in a storage location's archive, and its tenants (name, code).

    ``copy_ids`` are other locations that hold the same objects under the same name.

    With a ``public_name`` customers can read how fresh its backups are.

    :raises NotRegistrable: if it cannot be registered like this, saying why
    """
    with transaction.atomic():
        database = registered(
            Database(
                name=name,
                engine=engine,
                host=host,
                port=port,
                superuser=superuser,
                storage_id=storage_id,
                archive_name=archive_name,
                password_reference=password_reference,
                public_name=public_name,
                registered_at=at,
            )
        )
        set_copies(database_id=database.pk, copy_ids=copy_ids)
        register_tenants(database_id=database.pk, tenants=tenants, at=at)
        runner.tell_proof(database, at=at)
    return database


def set_copies(*, database_id: int, copy_ids: Iterable[int]) -> Database:
    """Say which other locations hold a database's objects: they help when its own one does not.

    :raises NotRegistrable: if its own location is among them
    """
    with transaction.atomic():
        database = Database.objects.select_for_update().get(pk=database_id)
        wanted = set(copy_ids)
        if database.storage_id in wanted:
            raise NotRegistrable(
                "The database's own storage location is no copy of itself. Name another one."
            )
        database.copies.set(wanted)
    return database


def set_proof_terms(
    *,
    database_id: int,
    public_name: str,
    backup_stale_after: timedelta | None,
    proof_stale_after: timedelta | None,
    at: datetime,
) -> Database:
    """Say what customers read of a database's backups, and from which age on it is too old.

    Without a name they read nothing of them; without an age, the usual one holds.

    :raises NotRegistrable: if it cannot be so, saying why
    """
    with transaction.atomic():
        database = Database.objects.select_for_update().get(pk=database_id)
        database.public_name = public_name
        database.backup_stale_after = backup_stale_after
        database.proof_stale_after = proof_stale_after
        registered(database)
        runner.tell_proof(database, at=at)
    return database


def register_tenant(
    *, database_id: int, name: str, public_code: str, priority: int = 100, at: datetime
) -> Tenant:
    """Register a customer's database inside a cluster. The customer sees the public code.

    It also gets a private code, under which it finds its own state on the status page.

    :raises NotRegistrable: if it cannot be registered like this, saying why
    """
    with transaction.atomic():
        tenant = _new_tenant(database_id, name, public_code, priority=priority, at=at)
        _introduce([tenant], at=at)
    return tenant


def register_tenants(
    *, database_id: int, tenants: Iterable[tuple[str, str]], at: datetime
) -> list[Tenant]:
    """Register several, each by its name and its public code: all of them, or none.

    :raises NotRegistrable: if one cannot be registered like this, saying why
    """
    with transaction.atomic():
        found = [_new_tenant(database_id, name, code, at=at) for name, code in tenants]
        _introduce(found, at=at)
    return found


def register_recovery_target(
    *,
    name: str,
    port: int,
    data_dir: str,
    work_dir: str,
    bin_dir: str = "",
    queue: str = "restores",
    host: str = "127.0.0.1",
    at: datetime,
) -> RecoveryTarget:
    """Register a place to restore to, on the machine of the worker that consumes the queue.

    ``host`` is where applications find a cluster that was restored there.

    :raises NotRegistrable: if it cannot be registered like this, saying why
    """
    return registered(
        RecoveryTarget(
            name=name,
            port=port,
            data_dir=data_dir,
            work_dir=work_dir,
            bin_dir=bin_dir,
            queue=queue,
            host=host,
            registered_at=at,
        )
    )


def give_codes(*, database_id: int, at: datetime) -> list[tuple[Tenant, Known]]:
    """Return the tenants of a database by name, each with the code under which it finds itself.

    Those that have none yet get theirs.
    """
    tenants = list(Tenant.objects.filter(database_id=database_id).order_by("name"))
    return list(zip(tenants, _introduce(tenants, at=at), strict=True))


def renew_code(*, tenant_id: int, at: datetime) -> Known:
    """Give a tenant a new code; its old link is dead from now on."""
    tenant = Tenant.objects.get(pk=tenant_id)
    with transaction.atomic():
        (known,) = _introduce([tenant], at=at)
        return record.renew_lookup_code(tenant_id=known.pk, at=at)


def unregister_tenant(*, tenant_id: int) -> None:
    """Forget a customer's database: no restore looks at it any more, and its page is gone.

    The database and its backups stay as they are, and so does what restores counted in it. Its
    turns in restores that are over are forgotten with it.

    :raises TenantComesBack: if a restore that is not over is to bring it back on its own
    """
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
        turns = TenantRestore.objects.filter(tenant=tenant)
        under_way = turns.exclude(job__state__in=OVER).values_list("job_id", flat=True).first()
        if under_way is not None:
            raise TenantComesBack(
                f"Restore {under_way} is to bring this tenant back. Wait until it is over, or "
                "cancel it; then remove the tenant."
            )
        turns.delete()
        record.remove_tenant(key=tenant.key)
        tenant.delete()


def _new_tenant(
    database_id: int, name: str, public_code: str, *, priority: int = 100, at: datetime
) -> Tenant:
    return registered(
        Tenant(
            database_id=database_id,
            name=name,
            public_code=public_code,
            priority=priority,
            registered_at=at,
        )
    )


def _introduce(tenants: Sequence[Tenant], *, at: datetime) -> list[Known]:
    """Make tenants known to the record of incidents, by the name that they see themselves."""
    names = {tenant.key: tenant.public_code for tenant in tenants}
    return record.register_tenants(names=names, at=at)


def _who_has_it(row: Row) -> list[str]:
    """Say which name is taken, and what to do about it, as far as one is."""
    match row:
        case Tenant():
            return [
                f"Taken: the public code {tenant.public_code!r}, by {tenant.name} of the database "
                f"{tenant.database}. Give each tenant a code of its own."
                for tenant in Tenant.objects.filter(public_code=row.public_code)
                .exclude(pk=row.pk)
                .select_related("database")
            ]
        case StorageLocation():
            taken = StorageLocation.objects.filter(name=row.name).exclude(pk=row.pk).exists()
            return [f"To change {row.name!r}, use change_storage_location."] if taken else []
    return []


def registered(row: Row) -> Row:
    """Keep a row that holds to the rules of its table.

    :raises NotRegistrable: if it does not, saying why
    """
    try:
        # The constraints of the tables are the rules; their sentences say what is wrong.
        row.full_clean()
    except ValidationError as error:
        raise NotRegistrable(" ".join([*error.messages, *_who_has_it(row)])) from error
    row.save()
    return row
