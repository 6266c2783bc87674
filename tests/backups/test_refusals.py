"""What cannot be done is refused in words, on the command line and at the desk."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from backups import operations
from backups.models import JobState, RestoreJob, Tenant, TenantRestore, TenantRestoreState
from backups.operations import LanesOutOfRange, ReasonsTooLong
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
)
from tests.factories import NOON

pytestmark = pytest.mark.django_db

INVALID = 422


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--lanes", "0"], LanesOutOfRange.message),
        (["--lanes", "100000"], LanesOutOfRange.message),
        (["--why", "x" * 1001], ReasonsTooLong.message),
    ],
)
def test_a_restore_that_cannot_be_kept_so(more: list[str], said: str) -> None:
    database, target = DatabaseFactory.create(), RecoveryTargetFactory.create()
    BackupFactory.create(database=database, reaches_until_at=NOON)

    with pytest.raises(CommandError) as refused:
        call_command("restore_database", database.name, target.name, *more)

    assert str(refused.value) == said
    assert not RestoreJob.objects.exists()


@pytest.mark.parametrize("minutes", ["0", "-5", "99999999999"])
def test_a_pause_of_no_sensible_length(minutes: str) -> None:
    job = RestoreJobFactory.create()

    with pytest.raises(CommandError, match="1 to 525600 minutes"):
        call_command("pause_restore", str(job.pk), "--minutes", minutes)


def test_a_restore_that_is_not_there(admin_client: Client) -> None:
    with pytest.raises(CommandError, match="no restore number 4711"):
        call_command("cancel_restore", "4711")
    assert admin_client.post(reverse("backups:lanes-set", args=[4711])).status_code == 404
    answer = admin_client.post(reverse("backups:lanes-set", args=[4711]), {"lanes": "3"})
    assert answer.status_code == 404


class TestRemovingATenant:
    def _turn(self, state: JobState) -> TenantRestore:
        job = RestoreJobFactory.create(state=state, evidence={"customer-acme": {"rows": {}}})
        tenant = operations.register_tenant(
            database_id=job.database_id, name="acme", public_code="customer-acme", at=NOON
        )
        return TenantRestore.objects.create(
            job=job, tenant=tenant, place=1, state=TenantRestoreState.VERIFIED
        )

    def test_that_has_come_back_keeps_what_was_counted(self, admin_client: Client) -> None:
        row = self._turn(JobState.SUCCEEDED)

        answer = admin_client.post(reverse("backups:tenant-remove", args=[row.tenant_id]))

        assert answer.status_code == 302
        assert not Tenant.objects.exists()
        assert "customer-acme" in RestoreJob.objects.get().evidence

    def test_that_is_to_come_back_is_refused(self, admin_client: Client) -> None:
        row = self._turn(JobState.PAUSED)

        answer = admin_client.post(reverse("backups:tenant-remove", args=[row.tenant_id]))

        assert answer.status_code == INVALID
        assert f"Restore {row.job_id} is to bring this tenant back" in answer.content.decode()
        assert Tenant.objects.exists()
