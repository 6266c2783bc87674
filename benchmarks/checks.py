"""Every check of five hundred databases with a hundred thousand backups in the catalogue.

    python -m benchmarks.checks [databases]

A database of its own, filled the same each time: nightly backups, a full one a week, a policy with
objectives, a month of probes, readings, drills and forecasts. Told are the CPU seconds of the one
worker that looks, and by the clock with PostgreSQL's share in it; how much its memory grows from
the first round to the last; and what the dashboard costs then. The first round works out what each
policy comes to at its worst, which holds for an hour; the second is like the other twenty-nine of
that hour. Targets: at most 60 s of the worker for a round, and at most 16 MiB more memory.
"""

import logging
import os
import resource
import sys
import time
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta

from config.embedded.testing import start_for_tests

start_for_tests()
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from backups import queries, runner  # noqa: E402
from backups.models import (  # noqa: E402
    Backup,
    BackupCheck,
    BackupKind,
    BackupPolicy,
    Database,
    Drill,
    DrillState,
    LossForecast,
    ObjectReading,
    ProbeKind,
    ReadingState,
    RecoveryTarget,
    StorageLocation,
    StorageProbe,
)

DATABASES, NIGHTS = 500, 200
LOCATIONS, TARGETS = 10, 5
ROUNDS = 2
LIMIT_SECONDS, LIMIT_BYTES = 60.0, 16 * 1024 * 1024
BATCH = 2000
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def main(arguments: list[str]) -> int:
    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    at = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    _fill(int(arguments[0]) if arguments else DATABASES, at)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    print(f"{Database.objects.count()} databases, {Backup.objects.count()} backups", flush=True)
    worst, grown = _look(at)
    _show(at)
    return 0 if worst <= LIMIT_SECONDS and grown <= LIMIT_BYTES else 1


def _look(at: datetime) -> tuple[float, int]:
    """Look at all of them some times; return the worst CPU seconds, and the bytes that it grew."""
    worst, held = 0.0, []
    # What is read once in a process is not growth.
    runner.check_database(database_id=Database.objects.order_by("pk")[0].pk, at=at - HOUR)
    for number in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        runner.check_databases(at=at + number * timedelta(minutes=2))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        worst = max(worst, cpu)
        held.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        print(f"round {number + 1}: {cpu:.1f} s of CPU (limit {LIMIT_SECONDS:.0f}), {wall:.1f} s")
    print(f"{BackupCheck.objects.count()} findings; at most {held[-1] / 2**20:.0f} MiB in all")
    tracemalloc.start()
    half = list(Database.objects.order_by("pk").values_list("pk", flat=True))
    for pk in half[: len(half) // 10]:
        runner.check_database(database_id=pk, at=at + HOUR)
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(
        f"of {len(half) // 10} databases: {peak / 2**20:.1f} MiB at most, {grown / 2**20:.1f} MiB "
        f"kept; from round to round {(held[-1] - held[0]) / 2**20:.1f} MiB more"
    )
    return worst, held[-1] - held[0]


def _show(at: datetime) -> None:
    queries.readiness(at=at)
    cpu = time.process_time()
    queries.readiness(at=at)
    print(f"readiness(): {(time.process_time() - cpu) * 1000:.0f} ms of CPU")
    client = Client()
    client.force_login(User.objects.create_superuser("measured@example.org", "secret-enough"))
    pk = Database.objects.order_by("pk")[0].pk
    for path in ("/desk/backups/", f"/desk/databases/{pk}/readiness/"):
        client.get(path)
        wall, cpu = time.perf_counter(), time.process_time()
        answer = client.get(path)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(
            f"{path.replace(str(pk), 'N')}: {cpu * 1000:.0f} ms of CPU, {wall * 1000:.0f} ms, "
            f"{len(answer.content) // 1000} kB, {answer.status_code}",
            flush=True,
        )


def _fill(count: int, at: datetime) -> None:
    places = StorageLocation.objects.bulk_create(
        StorageLocation(
            name=f"place {number}", bucket="backups", prefix=f"p{number}", registered_at=at,
            credentials_reference="settings:NONE",
        )
        for number in range(LOCATIONS)
    )  # fmt: skip
    targets = RecoveryTarget.objects.bulk_create(
        RecoveryTarget(
            name=f"target {number}", port=6000 + number, data_dir=f"/none/data-{number}",
            work_dir=f"/none/work-{number}", registered_at=at, probed_at=at, free_bytes=10**12,
            server_version=170010, write_bytes_per_second=1e8,
        )
        for number in range(TARGETS)
    )  # fmt: skip
    databases = Database.objects.bulk_create(
        Database(
            name=f"database {number:04}", host="none", password_reference="settings:NONE",  # noqa: S106 - a name
            storage=places[number % LOCATIONS], archive_name=f"db{number}",
            recovery_point_objective=HOUR, recovery_time_objective=4 * HOUR,
            registered_at=at - 300 * DAY, synced_at=at, latest_restorable_at=at,
            earliest_restorable_at=at - NIGHTS * DAY,
        )
        for number in range(count)
    )  # fmt: skip
    BackupPolicy.objects.bulk_create(
        BackupPolicy(
            database=each, tz="Europe/Berlin", full_schedule="0 2 * * 0",
            incremental_schedule="0 2 * * 1-6", keep_for=30 * DAY, keep_fulls=4,
            wants_encryption=True, drill_schedule="0 10 1 * *", drill_target=targets[0],
            created_at=at - 250 * DAY,
        )
        for each in databases
    )  # fmt: skip
    Backup.objects.bulk_create(_backups(databases, at), batch_size=BATCH)
    StorageProbe.objects.bulk_create(_probes(places, at), batch_size=BATCH)
    for each in databases:
        _fill_rest(each, targets[0], at)


def _backups(databases: list[Database], at: datetime) -> Iterator[Backup]:
    for database in databases:
        for night in range(NIGHTS):
            began = at - night * DAY - 11 * HOUR
            is_full = began.weekday() == 6
            yield Backup(
                database=database, engine_id=f"{began:%Y%m%dT%H%M%S}", label=f"{began:%Y-%m-%d}",
                kind=BackupKind.FULL if is_full else BackupKind.INCREMENTAL,
                parent_engine_id="" if is_full else f"{began - DAY:%Y%m%dT%H%M%S}",
                is_finished=True, began_at=began, ended_at=began + timedelta(minutes=20),
                timeline=1, server_version=170010, cluster_bytes=50 * 10**9,
                stored_bytes=(20 if is_full else 1) * 10**9, has_manifest=True,
                log_segments=100 * (night + 1), log_bytes=10**9 * (night + 1), reaches_until_at=at,
            )  # fmt: skip


def _probes(places: list[StorageLocation], at: datetime) -> Iterator[StorageProbe]:
    for place in places:
        for quarter in range(30 * 96):
            for kind in ProbeKind:
                yield StorageProbe(
                    location=place, at=at - quarter * timedelta(minutes=15), kind=kind,
                    seconds=0.05, first_byte_seconds=0.04, bytes=100, clock_ahead_seconds=0.1,
                    encryption="AES256" if kind == ProbeKind.RANGE else "",
                )  # fmt: skip


def _fill_rest(database: Database, target: RecoveryTarget, at: datetime) -> None:
    ObjectReading.objects.bulk_create(
        ObjectReading(
            database=database, location_id=database.storage_id, key=f"main/{number}.tar", size=10,
            state=ReadingState.SOUND, read_at=at - number * HOUR,
        )
        for number in range(100)
    )  # fmt: skip
    LossForecast.objects.bulk_create(
        LossForecast(
            database=database, at=at - number * HOUR, loss_seconds=60, low_seconds=600,
            middle_seconds=1200, high_seconds=2400, plan_words="To the latest.",
        )
        for number in range(48)
    )  # fmt: skip
    Drill.objects.create(
        database=database, target=target, state=DrillState.PASSED, requested_at=at - 10 * DAY,
        ended_at=at - 10 * DAY + HOUR, measured_seconds=1800, words="Restored and verified.",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
