"""Everything from the command line: registered, backed up, listed, restored, without a broker."""

from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from backups.engines.barman_cloud import BarmanCloud
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import Backup, BackupJob, JobState, RestoreJob
from backups.storage.s3 import Bucket
from tests.protected import TENANTS, Protected, free_port, rows_of

pytestmark = pytest.mark.django_db(transaction=True)


def said(*words: str, **options: Any) -> str:
    out = StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def registered(protected: Protected, tmp_path: Path) -> Iterator[str]:
    """Register a cluster that runs again, with an archive of its own; give its name."""
    keys = protected.keys_file(tmp_path)
    said(
        "register_storage_location", "storage", "--bucket", protected.place.bucket,
        "--prefix", "commands", "--endpoint", protected.place.endpoint, "--credentials", keys,
    )  # fmt: skip
    port = protected.cluster.port
    said(
        "register_database", "shop", "storage", "--port", str(port), "--password", keys,
        *(f"--tenant={tenant}=customer-{tenant}" for tenant in TENANTS),
    )  # fmt: skip
    said(
        "register_recovery_target", "spare", "--port", str(free_port()),
        "--data-dir", str(tmp_path / "restored"), "--work-dir", str(tmp_path / "work"),
    )  # fmt: skip
    engine = _engine(protected)
    protected.cluster.start(
        log=tmp_path / "source.log",
        settings={
            "archive_mode": "on",
            "archive_command": engine.archive_command(),
            "max_connections": "130",
        },
        env=engine.archive_environment(),
    )
    yield "shop"
    protected.cluster.stop(mode="immediate")


def _engine(protected: Protected) -> BarmanCloud:
    bucket = Bucket(replace(protected.place, prefix="commands"), protected.credentials)
    return BarmanCloud(
        bin_dir=settings.BARMAN_BIN_DIR,
        bucket=bucket,
        credentials=protected.credentials,
        server="shop",
    )


class TestFromTheCommandLine:
    def test_a_database_is_backed_up_and_restored(
        self, registered: str, protected: Protected
    ) -> None:
        with pytest.raises(CommandError, match="no finished backup"):
            said("restore_database", registered, "spare", "--wait")

        with pytest.raises(CommandError, match="A label has"):
            said("take_backup", registered, "--label=latest", "--wait")
        assert "Took Backup evening" in said("take_backup", registered, "--label=evening", "--wait")
        assert BackupJob.objects.get().state == JobState.SUCCEEDED
        assert Backup.objects.get().has_manifest

        listed = said("list_backups", registered)
        assert "evening" in listed
        assert "with manifest" in listed
        assert "can be restored" in listed

        told = said("restore_database", registered, "spare", "--wait")
        assert "verified, everything up to" in told
        job = RestoreJob.objects.get()
        assert rows_of(job.target.port) == protected.moments[-1][1]
        assert "Finished" in said("restore_status", str(job.pk))
        _stop(job)

    def test_a_name_that_nobody_registered_is_answered_with_those_that_are(
        self, protected: Protected, tmp_path: Path
    ) -> None:
        with pytest.raises(CommandError, match="no database named 'shop'"):
            said("list_backups", "shop")

    def test_a_key_in_place_of_its_name_is_refused(self) -> None:
        with pytest.raises(CommandError):
            said("register_storage_location", "s", "--bucket", "b", "--credentials", "AKIAKEY")


def _stop(job: RestoreJob) -> None:
    Postgres(
        bin_dir=bundled_bin_dir(), data_dir=Path(job.target.data_dir), port=job.target.port
    ).stop(mode="immediate")
