"""Carrying a restore from its plan to an open, verified cluster, from where it stopped.

What is done shows on the disk: the plan, the fetch's journal, the mark in the filled directory,
PostgreSQL itself. Every attempt walks through all phases, and each phase finds out how much of it
is left.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings

from backups.engines.directory import TargetDirectory
from backups.engines.postgres import Postgres
from backups.engines.replay import Replay
from backups.engines.wal_stage import WalStage
from backups.models import Backup, RestoreJob, RestorePhase
from backups.runner.planning import make_plan, require_port
from backups.runner.telling import Telling
from backups.runner.tenants import in_order
from backups.runner.tools import Archive, postgres_at
from backups.runner.verification import Evidence, count_tenants
from backups.runner.workspace import Plan, Workspace
from backups.steps import Step
from backups.storage.fetch import FetchItem, Manner, Unsound, fetch


class Restoration:
    """One attempt's walk through the phases of a restore."""

    def __init__(self, job: RestoreJob, telling: Telling, archive: Archive) -> None:
        self._job = job
        self._telling = telling
        self._archive = archive
        self._postgres = postgres_at(job.target)
        self._workspace = workspace_of(job)
        self._directory = directory_of(job)

    def carry(self) -> None:
        """Walk through the phases.

        :raises EngineFailed: if it cannot go on
        :raises LeaseLost: if it must not
        """
        if not self._workspace.has_passed("opened"):
            plan = self._plan()
            self._telling.started()
            if not self._workspace.has_passed("verified"):
                self._fetch(plan)
                self._unpack(plan)
                self._replay(plan)
                self._verify(plan)
            self._open(plan)
        self._workspace.drop_stage()

    def _plan(self) -> Plan:
        telling, job = self._telling, self._job
        telling.begin(RestorePhase.PLAN, unit="")
        plan = self._workspace.plan()
        if plan is None:
            self._directory.require_ours_or_empty()
            require_port(self._postgres)
            plan = make_plan(
                self._archive,
                self._postgres,
                self._workspace.folder,
                server=job.database.archive_name,
                target_at=job.target_at,
                tell=telling.step,
            )
            self._workspace.keep_plan(plan)
        job.data_until_at = plan.destination.data_until_at
        telling.unpack_bytes, telling.replay_bytes = plan.base_bytes, plan.replay_bytes
        RestoreJob.objects.filter(pk=job.pk).update(
            backup=Backup.objects.filter(
                database=job.database, engine_id=plan.destination.backup.backup_id
            ).first()
        )
        telling.finish(RestorePhase.PLAN, Step(done=0))
        return plan

    def _fetch(self, plan: Plan) -> None:
        self._telling.begin(RestorePhase.FETCH)
        stage = self._stage(plan)
        stage.set_listing(
            [file.name for file in plan.archive], budget_seconds=settings.STORAGE_OUTAGE_SECONDS
        )
        # What is unpacked already is not needed in its packed form again.
        base = [] if self._directory.is_filled() else plan.base
        self._go_through(
            RestorePhase.FETCH, self._fetching(plan, [*base, *plan.needed_wal()], afresh=False)
        )

    def _unpack(self, plan: Plan) -> None:
        self._telling.begin(RestorePhase.UNPACK)
        if not self._directory.is_filled():
            self._directory.prepare()
            self._go_through(
                RestorePhase.UNPACK,
                self._archive.engine.unpack(
                    plan.destination.backup, self._workspace.base, self._directory.path
                ),
            )
            self._replay_of(plan).configure()
            self._directory.set_filled()
        shutil.rmtree(self._workspace.base, ignore_errors=True)

    def _replay(self, plan: Plan) -> None:
        self._telling.begin(RestorePhase.REPLAY)
        require_port(self._postgres)
        self._go_through(RestorePhase.REPLAY, self._replay_of(plan).steps())

    def _verify(self, plan: Plan) -> None:
        # Only what this look finds counts: nobody is told what an earlier one found.
        evidence: Evidence = {}
        self._job.evidence = evidence
        self._telling.begin(RestorePhase.VERIFY, unit="items")
        replay = self._replay_of(plan)
        replay.require_target_reached()
        self._count(plan, replay, evidence)
        self._workspace.passed("verified")

    def _count(self, plan: Plan, replay: Replay, evidence: Evidence) -> None:
        counting = count_tenants(
            replay,
            in_order(self._job),
            data_until_at=plan.destination.data_until_at,
            evidence=evidence,
        )
        self._go_through(RestorePhase.VERIFY, counting)
        RestoreJob.objects.filter(pk=self._job.pk).update(evidence=evidence)

    def _open(self, plan: Plan) -> None:
        self._telling.begin(RestorePhase.READY, unit="")
        replay = self._replay_of(plan)
        if not replay.is_open():
            if replay.is_recovering():
                # Verified, but the server went away before it was opened: to the target once more.
                for step in replay.steps(is_verified=True):
                    self._telling.step(step)
                replay.require_target_reached()
                replay.promote()
            replay.open()
        self._directory.hand_over()
        self._workspace.passed("opened")
        self._telling.finish(RestorePhase.READY, Step(done=1, total=1))

    def _go_through(self, phase: RestorePhase, steps: Iterator[Step]) -> None:
        last = Step(done=0)
        try:
            for last in steps:
                self._telling.step(last)
        finally:
            if hasattr(steps, "close"):
                steps.close()
        self._telling.finish(phase, last)

    def _fetching(self, plan: Plan, items: Sequence[FetchItem], *, afresh: bool) -> Iterator[Step]:
        stage = self._stage(plan)
        files = {file.ref.name: file for file in plan.archive}

        def take_in(item: FetchItem, path: Path) -> None:
            if item.to.startswith("packed/") and (fault := stage.take_in(files[path.name], path)):
                raise Unsound(fault)

        return fetch(
            self._archive.bucket,
            items,
            self._workspace.folder,
            manner=Manner(outage_seconds=settings.STORAGE_OUTAGE_SECONDS),
            finish=take_in,
            afresh=afresh,
        )

    def _replay_of(self, plan: Plan) -> Replay:
        return Replay(
            postgres=self._postgres,
            stage=self._stage(plan),
            destination=plan.destination,
            superuser=self._job.database.superuser,
            log=self._workspace.log,
            bring=lambda names: self._fetching(plan, plan.wal_items(names), afresh=True),
        )

    def _stage(self, plan: Plan) -> WalStage:
        return self._workspace.wal(system_id=plan.destination.backup.system_id)


def workspace_of(job: RestoreJob) -> Workspace:
    return Workspace(Path(job.target.work_dir) / job.key)


def directory_of(job: RestoreJob) -> TargetDirectory:
    return TargetDirectory(path=Path(job.target.data_dir), token=job.key)


def clear_away(job: RestoreJob) -> None:
    """Undo what a restore did to its target, unless it has opened the cluster already."""
    workspace, directory = workspace_of(job), directory_of(job)
    if workspace.has_passed("opened") or not directory.is_ours():
        workspace.drop_stage()
        return
    postgres: Postgres = postgres_at(job.target)
    postgres.stop(mode="immediate")
    directory.remove()
    shutil.rmtree(workspace.folder, ignore_errors=True)
