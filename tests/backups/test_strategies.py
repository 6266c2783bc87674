"""The same cluster comes back by every strategy, and from a copy when the first place is gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import operations, runner
from backups.models import JobState, RestoreJob, RestorePhase, RestoreStrategy
from backups.storage.fetch import MIB, PART_BYTES
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.protected import Protected, Rooms, rooms_for, rows_of
from tests.servers import s3_client_at

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = Faults(reset_after_bytes=3 * MIB, reset_share=0.3, error_share=0.2)


@pytest.fixture
def rooms(
    protected: Protected, fault_proxy: FaultProxy, tmp_path: Path, settings: Settings
) -> Iterator[Rooms]:
    settings.STORAGE_SILENCE_SECONDS = 2
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


@pytest.fixture
def copy(protected: Protected, rooms: Rooms, s3_server: Addresses) -> Iterator[None]:
    """Give the database a copy of its archive, elsewhere and under another prefix."""
    client = s3_client_at(s3_server.s3_endpoint, s3_server)
    client.create_bucket(Bucket="copied")
    for ref in protected.bucket().list(protected.place.prefix):
        key = ref.key.replace(protected.place.prefix, "elsewhere", 1)
        source = f"{protected.place.bucket}/{ref.key}"
        client.copy_object(Bucket="copied", Key=key, CopySource=source)
    location = operations.register_storage_location(
        name="copy",
        bucket="copied",
        prefix="elsewhere",
        endpoint=s3_server.s3_endpoint,
        credentials_reference=rooms.database.storage.credentials_reference,
        at=timezone.now(),
    )
    rooms.database.copies.add(location)
    yield
    client.delete_bucket(Bucket="copied")


def carried(job: RestoreJob) -> RestoreJob:
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("strategy", RestoreStrategy.values)
@pytest.mark.parametrize("faults", [Faults(), BROKEN], ids=["clean", "broken"])
def test_brings_back_every_row(
    strategy: str, faults: Faults, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
) -> None:
    job = rooms.request(strategy=RestoreStrategy(strategy))
    fault_proxy.faults = faults

    carried(job)

    assert job.state == JobState.SUCCEEDED, job.failure_advice
    assert rows_of(rooms.target.port) == protected.moments[-1][1]
    fetched = job.steps.get(phase=RestorePhase.FETCH)
    assert fetched.done == fetched.total
    left = [path for path in Path(rooms.target.work_dir).rglob("*") if path.stat().st_size > MIB]
    assert left == []


def test_a_stream_gives_the_disk_back_as_it_goes(
    rooms: Rooms, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fault_proxy.total().bytes_down
    monkeypatch.setattr("backups.runner.arrivals.AHEAD_BYTES", MIB)
    monkeypatch.setattr("backups.runner.workspace.Workspace.drop_stage", lambda _self: None)
    job = rooms.request(strategy=RestoreStrategy.STREAM)

    carried(job)

    assert job.state == JobState.SUCCEEDED, job.failure_advice
    (archive,) = Path(rooms.target.work_dir).rglob("data.tar")
    assert archive.stat().st_blocks * 512 <= PART_BYTES
    fetched = job.steps.get(phase=RestorePhase.FETCH).total
    assert fetched is not None
    assert fault_proxy.total().bytes_down - before < 1.2 * fetched


@pytest.mark.parametrize("strategy", RestoreStrategy.values)
def test_a_copy_helps_when_the_first_place_is_gone_for_good(
    strategy: str, protected: Protected, rooms: Rooms, copy: None, fault_proxy: FaultProxy
) -> None:
    job = rooms.request(strategy=RestoreStrategy(strategy))
    fault_proxy.faults = Faults(down=True)

    carried(job)

    assert job.state == JobState.SUCCEEDED, job.failure_advice
    assert rows_of(rooms.target.port) == protected.moments[-1][1]


def test_the_place_that_was_chosen_is_asked_first(
    protected: Protected, rooms: Rooms, copy: None, fault_proxy: FaultProxy
) -> None:
    job = rooms.request(source_id=rooms.database.copies.get().pk)
    before = fault_proxy.total().bytes_down

    carried(job)

    assert job.state == JobState.SUCCEEDED, job.failure_advice
    fetched = job.steps.get(phase=RestorePhase.FETCH).total
    assert fetched is not None
    assert fault_proxy.total().bytes_down - before < fetched / 4
