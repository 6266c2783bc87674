"""Tenants that come back one by one: in their order, several at once, each for itself."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from backups import operations, runner
from backups.engines.dumps import RowsDiffer, restoring_name
from backups.errors import ObjectMissing
from backups.models import (
    Database,
    JobState,
    RecoveryTarget,
    RestoreJob,
    TenantRestore,
    TenantRestoreState,
)
from backups.runner.lanes import Lanes, TenantsUnfinished
from backups.runner.recovered import RecoveredCluster
from backups.runner.tenant_way import Way
from tests.backups.beside import EARLIER, LATER, Pair, bringing, rest_of, two_clusters
from tests.factories import NOON
from tests.protected import PASSWORD, TENANTS

pytestmark = pytest.mark.django_db(transaction=True)

CAME = dict.fromkeys(TENANTS, LATER)
State = TenantRestoreState


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with two_clusters(tmp_path_factory.mktemp("beside")) as found:
        yield found


@pytest.fixture
def pair(clusters: Pair) -> Pair:
    clusters.make()
    return clusters


@pytest.fixture
def job(pair: Pair) -> RestoreJob:
    return rest_of(pair.states())


def rows(job: RestoreJob) -> dict[str, TenantRestore]:
    found = TenantRestore.objects.filter(job=job).select_related("tenant")
    return {row.tenant.name: row for row in found}


def states(job: RestoreJob) -> dict[str, str]:
    return {name: row.state for name, row in rows(job).items()}


def carried(job: RestoreJob, pair: Pair) -> TenantsUnfinished | None:
    """Bring them back; return what it said if some are left."""
    try:
        for _step in bringing(job, pair):
            pass
    except TenantsUnfinished as unfinished:
        return unfinished
    return None


def stop(job: RestoreJob) -> None:
    """Leave the job as its worker does when some are left."""
    RestoreJob.objects.filter(pk=job.pk).update(
        state=JobState.FAILED, failure_code=TenantsUnfinished.code
    )


def write(pair: Pair, tenant: str = "borealis") -> None:
    with pair.connect(tenant) as inside:
        inside.execute("insert into notes (words) values ('since it is open')")


class TestAll:
    def test_come_back_counted_and_in_place(self, job: RestoreJob, pair: Pair) -> None:
        assert pair.rows() == dict.fromkeys(TENANTS, EARLIER)

        steps = list(bringing(job, pair))

        assert (steps[-1].done, steps[-1].total) == (3, 3)
        assert all(a.done <= b.done for a, b in pairwise(steps))
        assert pair.rows() == CAME
        for row in rows(job).values():
            assert row.state == State.VERIFIED
            assert row.evidence == {"rows": {"public.notes": LATER}, "uncounted": []}
            assert row.data_until_at == job.data_until_at
            assert row.kept_as == ""
        # The former ones took no writes: nobody needs them.
        assert pair.databases() == set(TENANTS)

    def test_are_never_counted_twice(
        self, job: RestoreJob, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(pair)
        drop = Way.drop_former

        def drop_slowly(way: Way, row: TenantRestore) -> None:
            # Its row says that it is back, and its lane has not told so yet.
            time.sleep(0.8)
            drop(way, row)

        monkeypatch.setattr(Way, "drop_former", drop_slowly)
        monkeypatch.setattr("backups.runner.lanes.COUNTED_EVERY_SECONDS", 0.5)

        counted: list[int] = []
        with suppress(TenantsUnfinished):
            counted.extend(step.done for step in bringing(job, pair))

        assert (max(counted), counted[-1]) == (2, 2)
        assert counted == sorted(counted)

    def test_come_in_the_order_of_their_priority(self, job: RestoreJob, pair: Pair) -> None:
        RestoreJob.objects.filter(pk=job.pk).update(lanes=1)

        carried(job, pair)

        began = sorted(rows(job).values(), key=lambda row: row.began_at or NOON)
        assert [row.tenant.name for row in began] == list(TENANTS)

    def test_never_more_at_once_than_asked_for(self, job: RestoreJob, pair: Pair) -> None:
        RestoreJob.objects.filter(pk=job.pk).update(lanes=2)
        at_once = [
            TenantRestore.objects.filter(job=job, state=State.RESTORING).count()
            for _step in bringing(job, pair)
        ]

        assert max(at_once) == 2

    def test_come_again_without_a_word_when_all_are_there(
        self, job: RestoreJob, pair: Pair
    ) -> None:
        carried(job, pair)
        before = {name: row.began_at for name, row in rows(job).items()}

        assert carried(job, pair) is None
        assert {name: row.began_at for name, row in rows(job).items()} == before

    def test_one_that_was_not_there_at_the_target_stays_as_it_is(
        self, job: RestoreJob, pair: Pair
    ) -> None:
        with pair.connect(recovered=True) as control:
            control.execute("drop database cumulus")

        assert carried(job, pair) is None
        row = rows(job)["cumulus"]
        assert (row.state, row.evidence) == (State.KEPT, {"absent": True})
        assert pair.rows() == CAME | {"cumulus": EARLIER}

    def test_one_that_came_into_being_later_is_made(self, job: RestoreJob, pair: Pair) -> None:
        with pair.connect() as control:
            control.execute("drop database cumulus")

        assert carried(job, pair) is None
        assert pair.rows() == CAME


class TestOrder:
    def test_a_change_acts_at_once(self, job: RestoreJob, pair: Pair) -> None:
        RestoreJob.objects.filter(pk=job.pk).update(lanes=1)
        steps = bringing(job, pair)
        for _step in steps:
            if State.RESTORING in states(job).values():
                last = rows(job)["cumulus"]
                operations.move_tenant(tenant_restore_id=last.pk, to=operations.Place.FIRST)
                break
        list(steps)

        began = sorted(rows(job).values(), key=lambda row: row.began_at or NOON)
        assert [row.tenant.name for row in began] == ["acme", "cumulus", "borealis"]
        assert pair.rows() == CAME

    def test_one_that_is_let_be_tried_again_at_the_last_moment_comes_as_well(
        self, job: RestoreJob, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        carry, has_left = Way.carry, Lanes._has_left

        def carry_at_the_second_go(way: Way, row: TenantRestore) -> None:
            if row.tenant.name == "acme" and not retried:
                raise ObjectMissing("for once")
            carry(way, row)

        def retry_and_look(lanes: Lanes) -> bool:
            if not retried:
                row = rows(job)["acme"]
                assert row.state == State.FAILED
                retried.append(row)
                operations.retry_tenant(tenant_restore_id=row.pk, at=NOON, by_worker=False)
            return has_left(lanes)

        retried: list[TenantRestore] = []
        monkeypatch.setattr(Way, "carry", carry_at_the_second_go)
        monkeypatch.setattr(Lanes, "_has_left", retry_and_look)

        assert carried(job, pair) is None
        assert pair.rows() == CAME
        assert set(states(job).values()) == {State.VERIFIED}

    def test_what_nobody_has_registered_is_named(self, pair: Pair) -> None:
        with pair.connect(recovered=True) as control:
            control.execute("create database ledger")
        source = RecoveredCluster(pair.recovered, pair.folder, until=NOON)

        assert source.others(TENANTS) == ["ledger"]


class TestConflict:
    def test_a_database_that_is_made_while_it_is_restored_is_not_taken_away(
        self, job: RestoreJob, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pair.connect() as control:
            control.execute("drop database cumulus")
        bring = Way._bring

        def bring_and_make(way: Way, row: TenantRestore) -> None:
            bring(way, row)
            if row.tenant.name == "cumulus":
                with pair.connect() as control:
                    control.execute("create database cumulus")
                with pair.connect("cumulus") as inside:
                    inside.execute("create table notes as select 1 as precious")

        monkeypatch.setattr(Way, "_bring", bring_and_make)

        carried(job, pair)

        assert rows(job)["cumulus"].state == State.CONFLICT
        assert pair.rows() == CAME | {"cumulus": 1}
        assert pair.databases() == set(TENANTS)

    def test_what_was_written_since_is_not_replaced(self, job: RestoreJob, pair: Pair) -> None:
        write(pair)

        unfinished = carried(job, pair)

        assert unfinished is not None
        assert "customer-borealis" in unfinished.advice
        assert states(job) == {
            "acme": State.VERIFIED, "borealis": State.CONFLICT, "cumulus": State.VERIFIED,
        }  # fmt: skip
        assert rows(job)["borealis"].detail == "rows of public.notes"
        assert pair.rows() == CAME | {"borealis": EARLIER + 1}
        assert pair.databases() == set(TENANTS)

    def test_a_write_that_comes_while_it_is_restored_is_seen(
        self, job: RestoreJob, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bring = Way._bring

        def bring_and_write(way: Way, row: TenantRestore) -> None:
            bring(way, row)
            if row.tenant.name == "borealis":
                write(pair)

        monkeypatch.setattr(Way, "_bring", bring_and_write)

        carried(job, pair)

        assert rows(job)["borealis"].state == State.CONFLICT
        # People are let in again.
        assert pair.rows() == CAME | {"borealis": EARLIER + 1}

    def test_a_session_that_has_not_committed_yet_loses_and_nothing_else(
        self, job: RestoreJob, pair: Pair
    ) -> None:
        with pair.connect("borealis") as inside:
            inside.execute("begin")
            inside.execute("update notes set words = 'never committed'")
            assert carried(job, pair) is None
            with pytest.raises(psycopg.OperationalError):
                inside.execute("commit")

        assert pair.rows() == CAME

    def test_it_may_be_replaced_and_is_kept_beside(self, job: RestoreJob, pair: Pair) -> None:
        write(pair)
        carried(job, pair)
        stop(job)

        row = rows(job)["borealis"]
        operations.decide_conflict(tenant_restore_id=row.pk, replace=True, at=NOON, by_worker=False)
        job.refresh_from_db()
        assert job.state == JobState.QUEUED
        assert carried(job, pair) is None

        assert pair.rows() == CAME
        row.refresh_from_db()
        assert row.state == State.VERIFIED
        with pair.connect(row.kept_as) as inside:
            assert inside.execute("select count(*) from notes").fetchone() == (EARLIER + 1,)

    def test_it_may_be_left_as_it_is(self, job: RestoreJob, pair: Pair) -> None:
        write(pair)
        carried(job, pair)
        stop(job)

        row = rows(job)["borealis"]
        operations.decide_conflict(
            tenant_restore_id=row.pk, replace=False, at=NOON, by_worker=False
        )
        job.refresh_from_db()
        assert job.state == JobState.QUEUED
        assert carried(job, pair) is None

        assert states(job)["borealis"] == State.KEPT
        assert pair.rows() == CAME | {"borealis": EARLIER + 1}
        with pytest.raises(operations.NotDecidable):
            operations.decide_conflict(tenant_restore_id=row.pk, replace=True, at=NOON)

    def test_what_nobody_wrote_down_is_not_taken_for_unwritten(self, pair: Pair) -> None:
        job = rest_of({})

        carried(job, pair)

        assert set(states(job).values()) == {State.CONFLICT}
        assert {row.detail for row in rows(job).values()} == {"unknown"}
        assert pair.rows() == dict.fromkeys(TENANTS, EARLIER)


class TestOneThatFails:
    def lacking_a_role(self, pair: Pair) -> None:
        with pair.connect(recovered=True) as control:
            control.execute("drop role if exists keeper")
            control.execute("create role keeper")
            control.execute("alter database borealis owner to keeper")

    def test_does_not_stop_the_others_and_is_tried_again_alone(
        self, job: RestoreJob, pair: Pair
    ) -> None:
        self.lacking_a_role(pair)

        unfinished = carried(job, pair)

        assert unfinished is not None
        assert "customer-borealis" in unfinished.advice
        failed = rows(job)["borealis"]
        assert (failed.state, failed.failure_code) == (State.FAILED, "dump-unfit")
        assert "keeper" in failed.detail
        assert pair.rows() == CAME | {"borealis": EARLIER}
        others = {name: row.began_at for name, row in rows(job).items() if name != "borealis"}

        stop(job)
        with pair.connect() as control:
            control.execute("create role keeper")
        try:
            operations.retry_tenant(tenant_restore_id=failed.pk, at=NOON, by_worker=False)
            assert carried(job, pair) is None

            assert pair.rows() == CAME
            for name, began_at in others.items():
                assert rows(job)[name].began_at == began_at
        finally:
            with pair.connect() as control:
                control.execute("alter database borealis owner to postgres")
                control.execute("drop role keeper")

    def test_other_rows_than_its_dump_had_never_get_in_place(
        self, job: RestoreJob, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fewer(connection: Any, _table: Any) -> int:
            return 7 if connection.info.dbname == restoring_name("acme") else LATER

        monkeypatch.setattr("backups.engines.dumps.restoring.count_rows", fewer)

        carried(job, pair)

        row = rows(job)["acme"]
        assert (row.state, row.failure_code) == (State.FAILED, RowsDiffer.code)
        assert "public.notes: 7 rows instead of 250" in row.detail
        assert pair.rows() == CAME | {"acme": EARLIER}

    def test_only_what_has_failed_is_tried_again(self, job: RestoreJob, pair: Pair) -> None:
        carried(job, pair)

        with pytest.raises(operations.NotRetriable):
            operations.retry_tenant(tenant_restore_id=rows(job)["acme"].pk, at=NOON)


class TestALaneThatDied:
    """What its successor finds in the cluster, at each point at which death may have come."""

    def begun(self, job: RestoreJob, name: str, **fields: Any) -> TenantRestore:
        """Leave a tenant as a dead lane left it."""
        for tenant in job.database.tenants.all():
            TenantRestore.objects.create(
                job=job,
                tenant=tenant,
                place=tenant.priority,
                reopened_as=job.brings_forward.evidence[tenant.public_code]["reopened_as"],  # type: ignore[union-attr]
            )
        row = rows(job)[name]
        TenantRestore.objects.filter(pk=row.pk).update(
            state=State.RESTORING, attempts=1, began_at=NOON, **fields
        )
        return row

    def test_before_it_was_restored(self, job: RestoreJob, pair: Pair) -> None:
        self.begun(job, "borealis")
        with pair.connect() as control:
            control.execute(f"create database {restoring_name('borealis')}")

        assert carried(job, pair) is None
        assert pair.rows() == CAME
        assert rows(job)["borealis"].attempts == 2
        assert pair.databases() == set(TENANTS)

    def test_while_nobody_was_let_in(self, job: RestoreJob, pair: Pair) -> None:
        evidence = {"rows": {}, "uncounted": [], "had_old": True}
        self.begun(job, "borealis", kept_as="borealis__before", evidence=evidence)
        with pair.connect() as control:
            control.execute(f"create database {restoring_name('borealis')}")
            control.execute("alter database borealis allow_connections false")

        assert carried(job, pair) is None
        assert pair.rows() == CAME

    def test_after_they_had_changed_places(self, job: RestoreJob, pair: Pair) -> None:
        evidence = {"rows": {"public.notes": LATER}, "uncounted": [], "had_old": True}
        row = self.begun(job, "borealis", kept_as="borealis__before", evidence=evidence)
        with pair.connect() as control:
            control.execute("alter database borealis rename to borealis__before")
            control.execute("create database borealis")
        with pair.connect("borealis") as inside:
            inside.execute("create table notes (words text)")

        assert carried(job, pair) is None

        row.refresh_from_db()
        # It is taken for what it is, not restored once more.
        assert (row.state, row.attempts) == (State.VERIFIED, 1)
        assert pair.rows() == CAME | {"borealis": 0}
        assert pair.databases() == set(TENANTS)

    def test_and_is_given_up_leaves_the_open_cluster_as_it_was(
        self, job: RestoreJob, pair: Pair, tmp_path: Path
    ) -> None:
        secrets = tmp_path / "keys.json"
        secrets.write_text(json.dumps({"password": PASSWORD}))
        Database.objects.update(password_reference=f"file:{secrets}")
        RecoveryTarget.objects.filter(restores__later_parts=job).update(port=pair.open.port)
        self.begun(job, "borealis", kept_as="borealis__before")
        with pair.connect() as control:
            control.execute(f"create database {restoring_name('borealis')}")
            control.execute("alter database borealis allow_connections false")
        operations.cancel_restore(restore_id=job.pk, at=NOON)

        runner.run_restore(restore_id=job.pk, now=timezone.now)

        job.refresh_from_db()
        assert job.state == JobState.CANCELLED
        assert pair.databases() == set(TENANTS)
        assert pair.rows() == dict.fromkeys(TENANTS, EARLIER)

    def test_its_successor_s_tenant_is_no_longer_its_own(
        self, job: RestoreJob, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A lane that was only stopped for a while finds out before it touches anything."""
        bring = Way._bring

        def bring_too_late(way: Way, row: TenantRestore) -> None:
            bring(way, row)
            if row.tenant.name == "acme":
                TenantRestore.objects.filter(pk=row.pk).update(attempts=row.attempts + 1)

        monkeypatch.setattr(Way, "_bring", bring_too_late)
        RestoreJob.objects.filter(pk=job.pk).update(lanes=1)
        steps = bringing(job, pair)
        for _step in steps:
            if rows(job)["borealis"].state == State.RESTORING:
                break
        steps.close()  # type: ignore[attr-defined]

        assert pair.rows()["acme"] == EARLIER
