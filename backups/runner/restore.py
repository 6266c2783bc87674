"""Carrying a restore from its plan to an open, verified cluster, from where it stopped.

What is done shows on the disk: the plan, the fetch's journal, the mark in the filled directory,
PostgreSQL itself. Every attempt walks through all phases, and each phase finds out how much of it
is left.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from django.conf import settings

from backups.engines.base import ReadsBack, Streams
from backups.engines.replay import Replay
from backups.engines.standing import Standing
from backups.engines.wal_stage import WalStage
from backups.errors import EngineFailed, ObjectDamaged, ObjectMissing
from backups.models import (
    Backup,
    RestoreJob,
    RestorePhase,
    RestorePoint,
    RestoreStrategy,
)
from backups.runner import checking, forward
from backups.runner.arrivals import AHEAD_BYTES, Stream, read_back
from backups.runner.disks import with_room
from backups.runner.ground import Ground
from backups.runner.intake import Intake
from backups.runner.patience import only_long, told_after_seconds
from backups.runner.places import clear_former_place, directory_of, workspace_of
from backups.runner.planning import make_plan, require_port, why_missing
from backups.runner.standbys.taking import inherit_findings, taken_over
from backups.runner.telling import Telling
from backups.runner.tools import Supply, opened_archive, postgres_at
from backups.runner.weather import Weather
from backups.runner.workspace import Plan, Workspace
from backups.steps import Step
from backups.storage.fetch import Fetcher, FetchItem, Manner


class StrategyUnfit(EngineFailed):
    """The engine of the database cannot bring its backups back in this way."""

    code = "strategy-unfit"
    advice = (
        "Backups of this engine can only be staged. Change the plan of the restore to the "
        "strategy stage."
    )


class Restoration:
    """One attempt's walk through the phases of a restore."""

    def __init__(self, job: RestoreJob, telling: Telling, supply: Supply) -> None:
        self._job = job
        self._telling = telling
        self._supply = supply
        self._postgres = postgres_at(job.target)
        self._workspace = workspace_of(job)
        self._directory = directory_of(job)
        self._ground = Ground(job, self._directory, self._postgres)

    def carry(self) -> None:
        """Walk through the phases.

        :raises EngineFailed: if it cannot go on
        :raises LeaseLost: if it must not
        """
        if not self._workspace.has_passed("opened"):
            plan = self._plan()
            self._telling.started()
            if self._job.is_base:
                # Whoever looks after the standby goes on from there.
                self._fetch(plan)
                self._unpack(plan)
            else:
                self._bring_back(plan)
        self._workspace.drop_stage()

    def _bring_back(self, plan: Plan) -> None:
        if not self._workspace.has_passed("verified"):
            if not self._has_reached(plan):
                self._fetch(plan)
                self._unpack(plan)
                self._replay(plan)
            self._verify(plan)
        if self._job.brings_forward_id is None:
            self._open(plan)
        else:
            self._bring_forward(plan)

    def _plan(self) -> Plan:
        telling, job = self._telling, self._job
        telling.begin(RestorePhase.PLAN, unit="")
        self._leave_former_place()
        plan = self._workspace.plan()
        if plan is None or plan.made_for != course_of(job):
            plan = self._plan_anew(plan)
        job.data_until_at = plan.destination.data_until_at
        self._supply.hashes.update({item.ref.key: item.part_hashes for item in plan.base})
        stages = job.strategy == RestoreStrategy.STAGE
        telling.ahead.unpack_bytes = plan.base_bytes if stages else 0
        if not job.is_base:
            telling.ahead.replay_bytes = plan.replay_bytes
            telling.ahead.verify_bytes = plan.destination.backup.cluster_bytes * checking.readings(
                job.database
            )
        RestoreJob.objects.filter(pk=job.pk).update(
            backup=Backup.objects.filter(
                database=job.database, engine_id=plan.destination.backup.backup_id
            ).first()
        )
        telling.finish(RestorePhase.PLAN, Step(done=0))
        return plan

    def _plan_anew(self, former: Plan | None) -> Plan:
        job = self._job
        standing = taken_over(job, tell=self._telling.step, now=self._telling.now)
        self._ground.require()
        if former is not None and self._directory.is_ours():
            self._postgres.stop()
        require_port(self._postgres)
        plan = make_plan(
            self._supply,
            self._postgres,
            self._workspace.folder,
            server=job.database.archive_name,
            target_at=job.target_at,
            backup_id=_chosen_backup(job),
            held_bytes=_held_at_once(job, self._supply),
            standing=standing,
            is_apart=job.point == RestorePoint.HERE,
            made_for=course_of(job),
            tell=self._quietly(),
        )
        if former is not None:
            self._workspace.forget("verified")
            self._workspace.forget(forward.BROUGHT)
            self._workspace.forget(checking.REACHED)
            checking.begin_anew(job)
        if standing is not None:
            self._replay_of(plan).configure()
        if former is not None and self._has_gone_astray(plan, former):
            # It was replayed beyond the new target: only unpacking anew leads back.
            self._directory.prepare()
            if standing is not None:
                return self._plan_anew(former)
        self._workspace.keep_plan(plan)
        return plan

    def _has_gone_astray(self, plan: Plan, former: Plan) -> bool:
        if not self._directory.is_ours():
            return False
        if (
            self._job.continues_id is not None
            and plan.destination.stop_at is None
            and not plan.base
        ):
            # A standby has nothing but what is archived: it cannot be beyond the latest.
            return False
        return self._replay_of(plan).has_gone_astray(former.destination)

    def _leave_former_place(self) -> None:
        """After a change of machine or disk: take over what was fetched, and clear the place.

        Where that is on another machine, the worker there clears it (see ``clear_former_place``).
        """
        former = self._job.moved_from
        if former is None:
            return
        self._workspace.forget("verified")
        self._workspace.forget(checking.REACHED)
        if former.queue != self._job.target.queue and not Path(former.work_dir).exists():
            return
        if former.work_dir != self._job.target.work_dir:
            self._workspace.take_over(Workspace(Path(former.work_dir) / self._job.key))
        clear_former_place(self._job)

    def _fetch(self, plan: Plan) -> None:
        """Bring what is needed here; by other strategies than to stage it, unpack it meanwhile."""
        self._telling.begin(RestorePhase.FETCH)
        stage = self._stage(plan)
        stage.set_listing(
            [file.name for file in plan.archive], budget_seconds=settings.STORAGE_OUTAGE_SECONDS
        )
        # What is unpacked already is not needed in its packed form again.
        if self._is_filled(plan):
            steps = self._fetching(self._needed_log(plan), plan)
        elif self._job.strategy == RestoreStrategy.STAGE:
            steps = self._fetching([*plan.base, *self._needed_log(plan)], plan)
        else:
            steps = self._arriving(plan)
        self._go_through(RestorePhase.FETCH, steps)

    def _needed_log(self, plan: Plan) -> Sequence[FetchItem]:
        """Return what is to be fetched of the log: for a standby's base nothing yet."""
        if self._job.is_base:
            return []
        if self._job.continues_id is None:
            return plan.needed_wal()
        # What was ready for the standby lies here.
        stage = self._stage(plan)
        there = {file.ref for file in plan.archive if stage.path_of(file.name).exists()}
        return [item for item in plan.needed_wal() if item.ref not in there]

    def _arriving(self, plan: Plan) -> Iterator[Step]:
        """Fetch the log, and then unpack the backup while it arrives."""
        log = sum(item.ref.size for item in plan.needed_wal())
        total = log + plan.base_bytes

        def of_both(step: Step) -> Step:
            return replace(step, done=log + step.done, total=total)

        def tell(step: Step) -> None:
            self._telling.step(of_both(step))

        for step in self._fetching(plan.needed_wal(), plan):
            yield replace(step, total=total)
        for step in self._filling(plan, partial(self._unpacking_meanwhile, plan, tell)):
            yield of_both(step)

    def _unpacking_meanwhile(self, plan: Plan, tell: Callable[[Step], None]) -> Iterator[Step]:
        engine, backup = self._supply.engine, plan.destination.backup
        if self._job.strategy == RestoreStrategy.RELAY and isinstance(engine, ReadsBack):
            self._supply.relay.require_room()
            yield from read_back(
                engine, backup, self._postgres, self._supply.relay, total=plan.base_bytes
            )
        elif self._job.strategy == RestoreStrategy.STREAM and isinstance(engine, Streams):
            with self._fetcher() as fetcher:
                stream = Stream(fetcher, plan.base, tell)
                for _read in engine.unpack_arriving(
                    backup, self._workspace.base, self._postgres, stream
                ):
                    yield stream.step()
            # What lies behind the last file of an archive is nobody's to wait for.
            yield Step(done=plan.base_bytes, total=plan.base_bytes)
        else:
            raise StrategyUnfit

    def _unpack(self, plan: Plan) -> None:
        if self._job.continues_id is not None and self._is_filled(plan):
            # The standby came unpacked.
            inherit_findings(self._job)
            return
        self._telling.begin(RestorePhase.UNPACK)
        if not self._is_filled(plan):

            def unpacking() -> Iterator[Step]:
                return self._supply.engine.unpack(
                    plan.destination.backup, self._workspace.base, self._postgres
                )

            self._go_through(RestorePhase.UNPACK, self._filling(plan, unpacking))

    def _filling(self, plan: Plan, unpack: Callable[[], Iterator[Step]]) -> Iterator[Step]:
        """Make the directory one that can be recovered; half done, it is wiped the next time."""
        last = Step(done=0)
        for last in with_room(unpack, before=self._ground.clear, path=self._directory.path):
            yield last
        for _step in checking.note_manifest(
            self._notes(), self._postgres, begin_lsn=plan.destination.backup.begin_lsn
        ):
            yield last
        self._replay_of(plan).configure()
        self._directory.set_filled(backup_id=plan.destination.backup.backup_id)

    def _replay(self, plan: Plan) -> None:
        self._telling.begin(RestorePhase.REPLAY)
        require_port(self._postgres)
        self._go_through(RestorePhase.REPLAY, self._replay_of(plan).steps())

    def _has_reached(self, plan: Plan) -> bool:
        """Whether the target was reached already, so that nothing is left but to look."""
        if self._workspace.has_passed(checking.REACHED) and self._is_filled(plan):
            return True
        self._workspace.forget(checking.REACHED)
        checking.begin_anew(self._job)
        return False

    def _verify(self, plan: Plan) -> None:
        job = self._job
        self._telling.begin(RestorePhase.VERIFY)
        if job.accepted_at is None:
            examination = checking.Examination(
                job,
                self._replay_of(plan),
                self._postgres,
                self._workspace,
                self._notes(),
                until=plan.destination.data_until_at,
            )
            self._go_through(RestorePhase.VERIFY, examination.steps())
        else:
            self._telling.finish(RestorePhase.VERIFY, Step(done=job.done, total=job.total))
        self._workspace.passed("verified")

    def _notes(self) -> checking.Notes:
        secrets = self._supply.secrets
        return checking.Notes(self._job, secrets=secrets, now=self._telling.now)

    def _open(self, plan: Plan) -> None:
        self._telling.begin(RestorePhase.READY, unit="")
        replay = self._replay_of(plan)
        if not replay.is_open():
            for step in forward.note_states(self._job, replay):
                self._telling.step(step)
            replay.open()
        if not self._job.is_scratch:
            self._directory.hand_over()
        self._workspace.passed("opened")
        self._telling.finish(RestorePhase.READY, Step(done=1, total=1))

    def _bring_forward(self, plan: Plan) -> None:
        self._telling.begin(RestorePhase.TENANTS, unit="items")
        if not self._workspace.has_passed(forward.BROUGHT):
            self._go_through(
                RestorePhase.TENANTS,
                forward.bring_forward(
                    self._job,
                    self._replay_of(plan),
                    self._postgres,
                    folder=self._workspace.folder / "tenants",
                    until=plan.destination.data_until_at,
                    now=self._telling.now,
                ),
            )
            # From here on there may be no cluster any more to bring them from.
            self._workspace.passed(forward.BROUGHT)
        forward.clear_source(self._job, self._postgres, self._directory)
        self._workspace.passed("opened")
        self._telling.begin(RestorePhase.READY, unit="")
        self._telling.finish(RestorePhase.READY, Step(done=1, total=1))

    def _is_filled(self, plan: Plan) -> bool:
        return self._directory.is_filled(backup_id=plan.destination.backup.backup_id)

    def _go_through(self, phase: RestorePhase, steps: Iterator[Step]) -> None:
        last = Step(done=0)
        try:
            for last in steps:
                self._telling.step(last)
        except (ObjectMissing, ObjectDamaged) as fault:
            # Of the log, perhaps: then the last moment that can be reached without it is known.
            explained = self._why_lacking(fault)
            if explained is None:
                raise
            raise explained from fault
        finally:
            if hasattr(steps, "close"):
                steps.close()
        self._telling.finish(phase, last)

    def _quietly(self) -> Callable[[Step], None]:
        return only_long(self._telling.step, told_after_seconds())

    def _why_lacking(self, fault: ObjectMissing | ObjectDamaged) -> EngineFailed | None:
        plan, folder = self._workspace.plan(), self._workspace.folder
        assert plan is not None
        doubted = []
        if isinstance(fault, ObjectDamaged):
            doubted = [file.name for file in plan.archive if file.ref.key == fault.key]
            if not doubted:
                return None
        # Not through the relay, which knows by heart what was listed before.
        with opened_archive(self._job.database) as archive:
            return why_missing(
                archive, self._postgres, plan, folder, doubted=doubted, tell=self._quietly()
            )

    def _fetching(
        self, items: Sequence[FetchItem], plan: Plan, *, afresh: bool = False
    ) -> Iterator[Step]:
        stage = self._stage(plan)
        files = {file.ref.name: file for file in plan.archive}

        intake = Intake(stage=stage, files=files, sources=self._supply.sources)

        def take_in(item: FetchItem, path: Path) -> None:
            if item.to.startswith("packed/"):
                intake(item, path)

        with self._fetcher() as fetcher:
            yield from fetcher.steps(items, finish=take_in, afresh=afresh)

    @contextmanager
    def _fetcher(self) -> Iterator[Fetcher]:
        manner = Manner(
            outage_seconds=settings.STORAGE_OUTAGE_SECONDS,
            waiting_after_seconds=told_after_seconds(),
        )
        weather = Weather(self._job.database, self._telling.now)
        with (
            Fetcher(self._supply.sources, self._workspace.folder, manner=manner) as fetcher,
            weather.kept_of(fetcher),
        ):
            yield fetcher

    def _replay_of(self, plan: Plan) -> Replay:
        # What keeps no log has nothing to replay: it stands as soon as it is unpacked.
        kind = Replay if self._supply.engine.capabilities.keeps_log else Standing
        return kind(
            postgres=self._postgres,
            stage=self._stage(plan),
            destination=plan.destination,
            superuser=self._job.database.superuser,
            log=self._workspace.log,
            bring=lambda names: self._fetching(plan.wal_items(names), plan, afresh=True),
        )

    def _stage(self, plan: Plan) -> WalStage:
        return self._workspace.wal(system_id=plan.destination.backup.system_id)


def course_of(job: RestoreJob) -> str:
    """Return what a plan depends on: with anything else changed, the same plan is followed."""
    backup = job.backup_id if job.point == RestorePoint.BACKUP else None
    return f"{job.point} {job.target_at} {backup}"


def _chosen_backup(job: RestoreJob) -> str:
    """Return the backup at whose end a restore is to stop; empty if it goes beyond one."""
    return job.backup.engine_id if job.backup and job.point == RestorePoint.BACKUP else ""


def _held_at_once(job: RestoreJob, supply: Supply) -> int | None:
    """Return how much of a backup lies on the disk before it is unpacked; None for all of it."""
    held = {
        RestoreStrategy.STREAM: AHEAD_BYTES,
        RestoreStrategy.RELAY: supply.relay.limit_bytes,
    }
    return held.get(RestoreStrategy(job.strategy))
