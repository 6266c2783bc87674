"""What the command line says of one restore, and which process it names."""

import socket
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from backups.models import (
    AttemptOutcome,
    CheckName,
    FindingState,
    RestoreAttempt,
    RestoreFinding,
    RestoreJob,
    RestorePhase,
)
from backups.runner.lease import worker_name
from tests.backups.factories import RestoreJobFactory
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> RestoreJob:
    made: RestoreJob = RestoreJobFactory.create()
    return made


def claim(job: RestoreJob, worker: str) -> None:
    until = NOON + timedelta(seconds=20)
    assert RestoreJob.objects.all().claim(job.pk, worker=worker, until=until, at=NOON)


def status(job: RestoreJob, *options: str) -> str:
    out = StringIO()
    call_command("restore_status", str(job.pk), *options, stdout=out)
    return out.getvalue()


class TestTheWorker:
    def test_is_named_by_its_process_and_nothing_else(self, job: RestoreJob) -> None:
        claim(job, f"{socket.gethostname()}:4711:ab12cd34")

        assert status(job, "--worker-pid") == "4711\n"
        assert f"Worker: process 4711 on {socket.gethostname()}" in status(job)

    def test_is_whoever_claims_it(self, job: RestoreJob) -> None:
        name = worker_name()
        claim(job, name)

        assert status(job, "--worker-pid").strip() == name.split(":")[1]

    def test_of_another_machine_is_not_given_for_one_of_here(self, job: RestoreJob) -> None:
        claim(job, "db7.example.net:4711:ab12cd34")

        with pytest.raises(CommandError, match=r"runs on db7\.example\.net: ask there"):
            status(job, "--worker-pid")

    def test_that_is_none_is_no_number(self, job: RestoreJob) -> None:
        with pytest.raises(CommandError, match="No worker is at Restore"):
            status(job, "--worker-pid")
        assert "Worker:" not in status(job)


class TestWords:
    @pytest.fixture(autouse=True)
    def on_record(self, job: RestoreJob) -> None:
        RestoreAttempt.objects.create(
            job=job, number=1, worker="one:1:a", began_at=NOON, ended_at=NOON,
            phase=RestorePhase.UNPACK, outcome=AttemptOutcome.LOST, failure_code="worker-lost",
        )  # fmt: skip
        RestoreFinding.objects.create(
            job=job, check_name=CheckName.PAGES, state=FindingState.NOT_POSSIBLE,
            words="The cluster keeps no checksums.", found_at=NOON,
        )  # fmt: skip

    def test_on_the_command_line_are_kept_apart(self, job: RestoreJob) -> None:
        said = status(job)

        assert "Could not look: Page checksums: The cluster keeps no checksums." in said
        assert "UTC: Its worker was lost, in the phase Unpack (worker-lost)" in said

    def test_at_the_desk_are_kept_apart(self, job: RestoreJob, admin_client: Client) -> None:
        page = admin_client.get(reverse("backups:restore-detail", args=[job.pk])).content.decode()

        assert "<span>in the phase Unpack: worker-lost</span>" in page
        assert 'Could not look</span><span class="unseen">: </span>' in page
