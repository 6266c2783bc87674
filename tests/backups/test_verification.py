"""What came back is looked at before anybody is let in, and what is found decides."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.utils import timezone

from backups import operations, runner
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import CheckDepth, JobState, RestoreFinding, RestoreJob
from config.embedded.fault_proxy import FaultProxy
from incidents.models import Incident
from incidents.operations import declare_incident
from incidents.values import Severity
from tests.protected import PASSWORD, Protected, Rooms, connect, rooms_for, rows_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rooms(protected: Protected, fault_proxy: FaultProxy, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


@pytest.fixture
def incident() -> Incident:
    return declare_incident(
        title="Tours are gone", severity=Severity.SEV1, at=timezone.now(), author=None
    )


def carried(job: RestoreJob) -> RestoreJob:
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


def add_check(rooms: Rooms, name: str, sql: str, *, tenant: str = "") -> int:
    found = rooms.database.tenants.filter(name=tenant).first()
    return operations.add_check(
        database_id=rooms.database.pk,
        name=name,
        sql=sql,
        tenant_id=found.pk if found else None,
        at=timezone.now(),
    ).pk


def found_in(job: RestoreJob, check: str, state: str = "") -> list[RestoreFinding]:
    rows = RestoreFinding.objects.filter(job=job, check_name=check).order_by("id")
    return list(rows.filter(state=state) if state else rows)


def is_open(rooms: Rooms) -> bool:
    try:
        connect(rooms.target.port).close()
    except psycopg.OperationalError:
        return False
    return True


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x01]))


class TestWhatWasFound:
    def test_says_what_was_looked_at(
        self, protected: Protected, rooms: Rooms, incident: Incident
    ) -> None:
        add_check(rooms, "has notes", "select count(*) = 9000 from notes")
        add_check(rooms, "newest note", "select max(id) from notes", tenant="acme")

        job = carried(rooms.request(incident_id=incident.pk))

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert is_open(rooms)
        (target,) = found_in(job, "TARGET")
        assert set(target.figures) == {"replayed_to", "last_transaction"}
        (rows,) = found_in(job, "ROWS", "OK")
        assert rows.figures["databases"] == 3
        assert rows.figures["rows"] == 3 * (9000 + 8)
        (structure,) = found_in(job, "STRUCTURE", "OK")
        # The tenants, postgres and template1.
        assert structure.figures["databases"] == 5
        (pages,) = found_in(job, "PAGES", "OK")
        assert pages.figures["bad"] == 0
        own = found_in(job, "OWN")
        assert [(each.title, each.subject, each.value) for each in own] == [
            ("has notes", "acme", ""), ("newest note", "acme", "9000"),
            ("has notes", "borealis", ""), ("has notes", "cumulus", ""),
        ]  # fmt: skip
        # Customers read it in words, and nothing of ours is left in the cluster.
        told = incident.updates.order_by("-id").first()
        assert told is not None
        assert (
            "Every table was counted. Every table and every index of the usual kind was found "
            "sound. Every page was read. 4 of 4 checks of our own passed."
        ) in told.body
        assert incident.entries.filter(text__contains="4 of 4 checks").exists()
        with connect(rooms.target.port, "acme") as connection:
            assert connection.execute(
                "select (select count(*) from pg_extension where extname = 'amcheck'), "
                "(select count(*) from pg_roles where rolname like 'highwater%')"
            ).fetchone() == (0, 0)

    def test_a_check_that_fails_keeps_it_shut_until_somebody_accepts_it(
        self, protected: Protected, rooms: Rooms, incident: Incident
    ) -> None:
        add_check(rooms, "has many notes", "select count(*) > 1000000 from notes")

        job = carried(rooms.request(incident_id=incident.pk))

        assert (job.state, job.failure_code) == (JobState.FAILED, "verification-failed")
        assert "“has many notes acme”" in job.failure_advice
        assert not is_open(rooms)
        assert len(found_in(job, "OWN", "FAILED")) == 3
        # The look went on to its end all the same.
        assert found_in(job, "PAGES", "OK")

        operations.accept_findings(
            restore_id=job.pk, because="An old rule.", by_worker=False, at=timezone.now()
        )
        job = carried(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        assert len(found_in(job, "OWN", "FAILED")) == 3
        decision = incident.entries.get(text__contains="An old rule.")
        assert "has many notes acme" in decision.text
        assert not decision.is_public
        told = incident.updates.order_by("-id").first()
        assert told is not None
        assert "could not be checked in full" in told.body
        assert "0 of 3 checks of our own passed." in told.body

    def test_a_flipped_bit_is_found_and_nobody_is_let_in(self, rooms: Rooms) -> None:
        check = add_check(rooms, "never", "select false", tenant="acme")
        for tenant, relation in (("acme", "notes"), ("borealis", "notes_pkey")):
            add_check(rooms, tenant, f"select pg_relation_filepath('{relation}')", tenant=tenant)
        job = carried(rooms.request())
        assert job.failure_code == "verification-failed"
        for tenant in ("acme", "borealis"):
            (where,) = RestoreFinding.objects.filter(job=job, title=tenant)
            flip(Path(rooms.target.data_dir) / where.value, 8192 + 4000)
        operations.remove_check(check_id=check)

        operations.resume_restore(restore_id=job.pk, by_worker=False, at=timezone.now())
        job = carried(job)

        assert (job.state, job.failure_code) == (JobState.FAILED, "verification-failed")
        assert not is_open(rooms)
        (rows,) = found_in(job, "ROWS", "FAILED")
        assert rows.subject == "acme"
        assert "invalid page" in rows.words
        assert {each.subject for each in found_in(job, "STRUCTURE", "FAILED")} == {
            "acme", "borealis",
        }  # fmt: skip
        (pages,) = found_in(job, "PAGES", "FAILED")
        assert pages.figures["bad"] == 2
        assert not found_in(job, "OWN", "FAILED")
        assert job.evidence["customer-acme"]["unreadable"]


class TestWhatIsInTheWay:
    @pytest.fixture
    def running(self, rooms: Rooms, tmp_path: Path) -> Iterator[Postgres]:
        """Run somebody's cluster exactly where the restore is to go."""
        cluster = Postgres(
            bin_dir=bundled_bin_dir(),
            data_dir=Path(rooms.target.data_dir),
            port=rooms.target.port,
        )
        cluster.create(password=PASSWORD)
        cluster.start(log=tmp_path / "theirs.log")
        with connect(cluster.port) as connection:
            connection.execute("create table theirs as select 42 as answer")
        yield cluster
        cluster.stop(mode="immediate")

    def test_a_running_cluster_is_left_alone(self, rooms: Rooms, running: Postgres) -> None:
        job = carried(rooms.request())

        assert (job.state, job.failure_code) == (JobState.FAILED, "directory-not-empty")
        with connect(running.port) as connection:
            assert connection.execute("select answer from theirs").fetchone() == (42,)
        # Cancelled, it still is.
        operations.cancel_restore(restore_id=job.pk, at=timezone.now())
        assert carried(job).state == JobState.CANCELLED
        assert running.is_running()

    def test_another_name_is_refused(self, rooms: Rooms, running: Postgres) -> None:
        with pytest.raises(operations.NameDiffers):
            rooms.request(replaces=rooms.target.data_dir + "/")

        assert running.is_running()

    def test_once_named_it_is_stopped_and_moved_aside(
        self, protected: Protected, rooms: Rooms, running: Postgres, tmp_path: Path
    ) -> None:
        operations.set_check_depth(database_id=rooms.database.pk, depth=CheckDepth.QUICK)

        job = carried(rooms.request(replaces=rooms.target.data_dir))

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        aside = Path(job.moved_aside_to)
        assert aside.name == f"restored.before-restore-{job.pk}"
        rooms.postgres.stop()
        theirs = Postgres(bin_dir=bundled_bin_dir(), data_dir=aside, port=rooms.target.port)
        theirs.start(log=tmp_path / "aside.log")
        try:
            with connect(theirs.port) as connection:
                assert connection.execute("select answer from theirs").fetchone() == (42,)
        finally:
            theirs.stop(mode="immediate")
        # Quickly, pages were not read, and nobody is told that they were.
        (pages,) = found_in(job, "PAGES")
        assert pages.state == "NOT_POSSIBLE"
        assert "quickly" in pages.words
