"""Manifests of backups that were taken elsewhere: read once, resumed, and honest about when."""

from contextlib import closing
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import operations, runner
from backups.models import (
    Backup,
    BackupCheckName,
    CheckState,
    JobState,
    ManifestJob,
    ManifestPart,
    ObjectReading,
    ReadingState,
)
from backups.runner.recording import PartsLedger
from backups.runner.tools import place_of
from backups.storage.items import PART_BYTES
from backups.storage.manifest import Manifest, manifest_key, read_manifest
from backups.storage.s3 import Bucket
from config.embedded.fault_proxy import FaultProxy
from tests.backups.archives import BACKUP, Archive
from tests.backups.factories import BackupFactory
from tests.backups.test_reading import check, read
from tests.factories import NOON

pytestmark = pytest.mark.django_db

DATA = f"main/base/{BACKUP}/data.tar"


@pytest.fixture(autouse=True)
def _lease_holds(settings: Settings) -> None:
    # Renewing is another connection's work, which does not see this test's transaction.
    settings.HEARTBEAT_SECONDS = 3600


@pytest.fixture
def bare(archive: Archive) -> Archive:
    """Give an archive whose backup cron has taken: without a manifest."""
    archive.remove(f"highwater/manifests/main/{BACKUP}.json")
    Backup.objects.update(has_manifest=False)
    return archive


def asked(archive: Archive) -> ManifestJob:
    (job,) = operations.record_manifests(
        database_id=archive.database.pk, at=timezone.now(), by_worker=False
    )
    return job


def run(job: ManifestJob) -> ManifestJob:
    runner.run_manifest(manifest_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


def recorded(archive: Archive) -> Manifest:
    with closing(Bucket(place_of(archive.first), archive.credentials)) as bucket:
        return read_manifest(bucket, manifest_key(bucket, "main", BACKUP))


class TestARecording:
    def test_reads_each_object_once_and_says_since_when_it_speaks(
        self, bare: Archive, fault_proxy: FaultProxy
    ) -> None:
        before = fault_proxy.total().bytes_down

        job = run(asked(bare))

        assert job.state == JobState.SUCCEEDED, job.detail
        tars = {key: data for key, data in bare.contents.items() if key.endswith(".tar")}
        size = sum(map(len, tars.values()))
        assert (job.bytes_done, job.bytes_total, job.percent) == (size, size, 100)
        assert size <= fault_proxy.total().bytes_down - before < size * 1.1
        manifest = recorded(bare)
        assert {key: ref.size for key, ref in manifest.objects.items()} == {
            bare.key(name): len(data) for name, data in tars.items()
        }
        backup = Backup.objects.get()
        assert backup.has_manifest
        assert backup.manifest_recorded_at is not None
        assert not ManifestPart.objects.exists()
        # Another installation that reads this archive learns of it from the manifest itself.
        assert manifest.recorded_later_at
        later = datetime.fromisoformat(manifest.recorded_later_at)
        assert abs(backup.manifest_recorded_at - later) < timedelta(minutes=1)

    def test_makes_damage_that_comes_after_it_known(self, bare: Archive) -> None:
        run(asked(bare))
        read(bare)
        assert check(bare, BackupCheckName.CONTENT).state == CheckState.OK

        bare.flip(DATA, 3 * 1024 * 1024 + 7)
        read(bare)

        found = check(bare, BackupCheckName.CONTENT)
        assert found.state == CheckState.CRITICAL
        assert "data.tar (damaged from byte 3,145,728 on)" in found.words

    def test_counts_as_a_reading_of_what_had_nothing_to_be_compared_with(
        self, bare: Archive
    ) -> None:
        read(bare)
        ObjectReading.objects.filter(key=bare.key(DATA)).update(
            state=ReadingState.UNRECORDED, read_at=NOON
        )

        run(asked(bare))

        row = ObjectReading.objects.get(key=bare.key(DATA))
        assert row.state == ReadingState.SOUND
        assert row.read_at > NOON

    def test_goes_on_where_it_broke_off(self, bare: Archive, fault_proxy: FaultProxy) -> None:
        job = asked(bare)
        backup = job.backup
        run(job)
        whole = recorded(bare)
        # As if its worker had died behind the first part of the large object.
        ManifestJob.objects.all().delete()
        with closing(Bucket(place_of(bare.first), bare.credentials)) as bucket:
            ref = bucket.head(bare.key(DATA))
            ledger = PartsLedger(backup)
            hashes = whole.hashes[ref.key]
            count = PART_BYTES // (1024 * 1024)
            ledger.note(ref, 0, 1024 * 1024, hashes[:count])
            ledger.write()
        Backup.objects.update(has_manifest=False)
        before = fault_proxy.total().bytes_down

        run(asked(bare))

        again = recorded(bare)
        assert again.hashes == whole.hashes
        size = sum(ref.size for ref in whole.objects.values())
        assert fault_proxy.total().bytes_down - before < size - PART_BYTES + 2_000_000

    def test_reads_again_what_is_another_object_by_now(self, bare: Archive) -> None:
        job = asked(bare)
        with closing(Bucket(place_of(bare.first), bare.credentials)) as bucket:
            ref = bucket.head(bare.key(DATA))
        ledger = PartsLedger(job.backup)
        ledger.note(ref, 0, 1024 * 1024, ["wrong"] * 16)
        ledger.write()
        bare.store(DATA, b"y" * (20 * 1024 * 1024 + 11))

        assert run(job).state == JobState.SUCCEEDED
        assert "wrong" not in recorded(bare).hashes[bare.key(DATA)]
        read(bare)
        assert check(bare, BackupCheckName.CONTENT).state == CheckState.OK

    def test_of_what_is_gone_fails_with_what_to_do(self, bare: Archive) -> None:
        for name in [name for name in bare.contents if name.endswith(".tar")]:
            bare.remove(name)

        job = run(asked(bare))

        assert job.state == JobState.FAILED
        assert job.failure_advice
        assert not Backup.objects.get().has_manifest

    def test_is_one_at_a_time_for_a_database(self, bare: Archive) -> None:
        job = asked(bare)
        other = BackupFactory.create(database=bare.database)
        ManifestJob.objects.create(
            database=bare.database, backup=other, requested_at=NOON, queued_at=NOON,
            state=JobState.RUNNING, leased_by="elsewhere:1:x",
            leased_until=timezone.now() + timedelta(hours=1),
        )  # fmt: skip

        assert run(job).state == JobState.QUEUED
        assert runner.waiting_manifests(at=timezone.now() + timedelta(minutes=1)) == [job.pk]
        ManifestJob.objects.exclude(pk=job.pk).update(
            state=JobState.CANCELLED, leased_until=None, leased_by=""
        )
        assert run(job).state == JobState.SUCCEEDED

    def test_that_is_called_off_ends(self, bare: Archive) -> None:
        job = asked(bare)
        operations.cancel_manifest(manifest_id=job.pk, at=NOON)
        assert run(job).state == JobState.CANCELLED
        with pytest.raises(operations.ManifestOver):
            operations.cancel_manifest(manifest_id=job.pk, at=NOON)

        running = asked(bare)
        ManifestJob.objects.filter(pk=running.pk).update(
            state=JobState.RUNNING, leased_by="gone:1:x", leased_until=NOON
        )
        operations.cancel_manifest(manifest_id=running.pk, at=NOON)
        runner.waiting_manifests(at=timezone.now())
        assert run(running).state == JobState.CANCELLED
        assert not Backup.objects.get().has_manifest


class TestAskingForIt:
    def test_is_refused_where_none_is_missing_or_one_is_under_way(self, archive: Archive) -> None:
        with pytest.raises(operations.NoManifestMissing):
            asked(archive)
        Backup.objects.update(has_manifest=False)
        asked(archive)
        with pytest.raises(operations.NoManifestMissing):
            asked(archive)

    def test_is_refused_where_nothing_may_be_written(self, bare: Archive) -> None:
        operations.change_storage_location(location_id=bare.first.pk, is_read_only=True)

        with pytest.raises(operations.ManifestPlaceOnlyRead):
            asked(bare)

    def test_from_the_command_line_says_what_it_proves(self, bare: Archive) -> None:
        out = StringIO()
        call_command("record_manifest", "orders", "--wait", stdout=out)

        assert "Recorded: Manifest of nightly" in out.getvalue()
        assert "not that nothing has changed since the backup was taken" in out.getvalue()
        with pytest.raises(CommandError, match="has a manifest"):
            call_command("record_manifest", "orders", "nightly", stdout=StringIO())

    def test_at_the_desk_is_a_button_with_its_progress(
        self, bare: Archive, admin_client: Client
    ) -> None:
        address = reverse("backups:database-detail", args=[bare.database.pk])
        page = admin_client.get(address).content.decode()
        assert "Record a manifest" in page
        assert "not that nothing has changed since the backup was taken" in page

        begun = reverse("backups:manifest-record", args=[bare.database.pk])
        page = admin_client.post(begun, follow=True).content.decode()
        assert "Queued: Manifest of nightly" in page
        job = ManifestJob.objects.get()
        ManifestJob.objects.update(bytes_done=1, bytes_total=4)
        assert 'value="25"' in admin_client.get(address).content.decode()
        ends = reverse("backups:manifest-cancel", args=[job.pk])
        assert "is called off" in admin_client.post(ends, follow=True).content.decode()
        assert "<progress" not in admin_client.get(address).content.decode()

    def test_is_what_the_check_advises(self, bare: Archive) -> None:
        ObjectReading.objects.create(
            database=bare.database, location=bare.first, key="x", size=1,
            state=ReadingState.UNRECORDED, read_at=timezone.now(),
        )  # fmt: skip

        found = check(bare, BackupCheckName.CONTENT)

        assert found.state == CheckState.WARNING
        assert "manage.py record_manifest" in found.advice
