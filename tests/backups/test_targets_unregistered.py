"""Letting go of a recovery target."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backups import operations, queries
from backups.models import BackupPolicy, JobState, RecoveryTarget, RestoreJob, Standby
from backups.queries import NotRegistered
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory, RestoreJobFactory
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def unregister(target: RecoveryTarget) -> RecoveryTarget:
    return operations.unregister_recovery_target(target_id=target.pk, typed=target.name, at=NOON)


class TestUnregister:
    def test_leaves_its_restores_on_record_and_its_name_to_others(self) -> None:
        job = RestoreJobFactory.create(state=JobState.SUCCEEDED, ended_at=NOON, started_at=NOON)
        target = job.target

        unregister(target)

        assert RestoreJob.objects.get().target.name == target.name
        with pytest.raises(NotRegistered):
            queries.recovery_target_named(target.name)
        again = operations.register_recovery_target(
            name=target.name,
            port=target.port,
            data_dir=target.data_dir,
            work_dir=target.work_dir,
            at=NOON,
        )
        assert again.pk != target.pk

    def test_is_refused_while_a_restore_has_it(self) -> None:
        job = RestoreJobFactory.create()

        with pytest.raises(operations.TargetNeeded, match=str(job)):
            unregister(job.target)

    def test_is_refused_while_it_keeps_a_standby(self) -> None:
        job = RestoreJobFactory.create(state=JobState.SUCCEEDED, ended_at=NOON, started_at=NOON)
        Standby.objects.create(
            target=job.target, database=job.database, base=job, requested_at=NOON
        )

        with pytest.raises(operations.TargetNeeded, match="standby"):
            unregister(job.target)

    def test_is_refused_while_a_policy_holds_its_drills_there(self) -> None:
        target = RecoveryTargetFactory.create()
        policy = BackupPolicy.objects.create(
            database=DatabaseFactory.create(), drill_target=target, created_at=NOON
        )

        with pytest.raises(operations.TargetNeeded, match=str(policy.database)):
            unregister(target)

    def test_wants_the_name_typed_at_the_desk(self, admin_client: Any) -> None:
        target = RecoveryTargetFactory.create()
        page = f"/desk/targets/{target.pk}/unregister/"

        wrong = admin_client.post(page, {"typed": "other"})
        right = admin_client.post(page, {"typed": target.name})

        assert wrong.status_code == 422
        assert "exactly as it is written" in wrong.content.decode()
        assert right.status_code == 302
        assert not RecoveryTarget.objects.exists()
        assert admin_client.get(page).status_code == 404

    def test_by_command_says_what_stays(self) -> None:
        target, out = RecoveryTargetFactory.create(), StringIO()

        call_command("unregister_recovery_target", target.name, stdout=out)

        assert f"what lies in {target.data_dir} stays" in out.getvalue()
        with pytest.raises(CommandError):
            call_command("unregister_recovery_target", target.name)


class TestStandbyTarget:
    def test_is_refused_as_the_place_of_drills(self) -> None:
        job = RestoreJobFactory.create(state=JobState.SUCCEEDED, ended_at=NOON, started_at=NOON)
        Standby.objects.create(
            target=job.target, database=job.database, base=job, requested_at=NOON
        )

        ground = queries.ground_of(job.database)

        assert ground.standby_target_ids == {job.target_id}
