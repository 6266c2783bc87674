"""What customers read of a database's backups: what is on record, and nothing better."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from backups import operations, runner
from backups.models import Backup, Database, JobState, RestoreJob
from incidents import queries
from incidents.models import BackupProof
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory, RestoreJobFactory
from tests.factories import HOUR, MINUTE, NOON, ResponderFactory

pytestmark = pytest.mark.django_db

COUNTED = {"acme": {"rows": {"public.notes": 3}, "uncounted": []}}


@pytest.fixture
def database() -> Database:
    found: Database = DatabaseFactory.create()
    return found


def backed_up(database: Database, at: datetime, **fields: Any) -> None:
    given: dict[str, Any] = {"is_finished": True, "engine_id": f"b{at:%H%M}"} | fields
    Backup.objects.create(
        database=database, label="daily", began_at=at - MINUTE, ended_at=at, timeline=1,
        server_version=17, cluster_bytes=1, **given,
    )  # fmt: skip


def test_without_a_public_name_nothing_is_said(database: Database) -> None:
    backed_up(database, NOON)

    runner.tell_proofs(at=NOON)

    assert queries.proofs() == []


def test_says_what_is_on_record(database: Database) -> None:
    backed_up(database, NOON - 2 * HOUR)
    backed_up(database, NOON - HOUR)
    backed_up(database, NOON, is_finished=False)
    RestoreJobFactory.create(
        database=database, state=JobState.SUCCEEDED, ended_at=NOON,
        data_until_at=NOON - 3 * HOUR, evidence=COUNTED,
    )  # fmt: skip
    RestoreJobFactory.create(
        database=database, state=JobState.FAILED, ended_at=NOON + HOUR, failure_code="x",
        target=RecoveryTargetFactory.create(port=6001),
    )  # fmt: skip
    operations.set_proof_terms(
        database_id=database.pk, public_name="Tours", backup_stale_after=None,
        proof_stale_after=timedelta(days=7), at=NOON,
    )  # fmt: skip

    proof = BackupProof.objects.get()
    assert (proof.name, proof.taken_at) == ("Tours", NOON - HOUR)
    assert (proof.proven_at, proof.proven_until_at) == (NOON, NOON - 3 * HOUR)
    assert (proof.proven_how, proof.proven_stale_after) == ("restore", timedelta(days=7))
    assert proof.taken_stale_after == timedelta(hours=26)


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"acme": {"absent": True}},
        {"acme": {"rows": {}, "uncounted": ["public.orders"]}},
        {"acme": {"rows": {"public.notes": 0}, "uncounted": []}},
    ],
)
def test_a_restore_that_read_nothing_back_proves_nothing(
    evidence: dict[str, Any], database: Database
) -> None:
    Database.objects.update(public_name="Tours")
    for ended_at, what in ((NOON, COUNTED), (NOON + HOUR, evidence)):
        RestoreJobFactory.create(
            database=database, state=JobState.SUCCEEDED, ended_at=ended_at,
            data_until_at=NOON - HOUR, evidence=what,
        )  # fmt: skip

    runner.tell_proofs(at=NOON + HOUR)
    assert BackupProof.objects.get().proven_at == NOON

    RestoreJob.objects.filter(ended_at=NOON).delete()
    runner.tell_proofs(at=NOON + HOUR)
    assert BackupProof.objects.get().proven_at is None


def test_what_may_be_lost_at_most_is_how_old_a_backup_may_be(database: Database) -> None:
    Database.objects.update(public_name="Tours", recovery_point_objective=4 * HOUR)

    runner.tell_proofs(at=NOON)

    assert BackupProof.objects.get().taken_stale_after == 4 * HOUR


def test_taking_the_name_away_takes_the_proof_away(client: Client, database: Database) -> None:
    client.force_login(ResponderFactory.create())
    address = reverse("backups:proof-set", args=[database.pk])
    client.post(address, {"public_name": "Tours", "backup_hours": "48", "proof_days": "90"})
    proof = BackupProof.objects.get()
    assert proof.taken_stale_after == timedelta(hours=48)
    assert proof.proven_stale_after == timedelta(days=90)

    client.post(address, {"public_name": ""})

    assert not BackupProof.objects.exists()


def test_an_age_that_cannot_be_meant_is_refused(client: Client, database: Database) -> None:
    client.force_login(ResponderFactory.create())
    address = reverse("backups:proof-set", args=[database.pk])

    answer = client.post(address, {"public_name": "Tours", "backup_hours": "0"})

    assert answer.status_code == 422
    assert not BackupProof.objects.exists()


def test_a_restore_that_was_opened_although_a_check_failed_proves_nothing(
    database: Database,
) -> None:
    Database.objects.update(public_name="Tours")
    RestoreJobFactory.create(
        database=database, state=JobState.SUCCEEDED, ended_at=NOON, data_until_at=NOON - HOUR,
        evidence=COUNTED, accepted_at=NOON, accepted_because="It had to be.",
    )  # fmt: skip

    runner.tell_proofs(at=NOON + HOUR)

    assert BackupProof.objects.get().proven_at is None
