"""The ground that a restore is built on: its directory, once nobody else has anything there."""

from backups.engines.directory import TargetDirectory
from backups.engines.postgres import Postgres, PostgresFailed
from backups.errors import DirectoryForeign
from backups.models import RestoreJob
from backups.runner.checking import STOPPED_WITHIN_SECONDS
from backups.runner.planning import require_port


class Ground:
    """A restore's directory, and what somebody has named to be moved aside for it."""

    def __init__(self, job: RestoreJob, directory: TargetDirectory, postgres: Postgres) -> None:
        self._job = job
        self._directory = directory
        self._postgres = postgres

    def require(self) -> None:
        """Make sure that it is ours, empty, or may be moved aside when its time comes.

        :raises DirectoryForeign: if it is not
        """
        if self._is_to_replace():
            self._directory.require_movable()
        else:
            self._directory.require_ours_or_empty()

    def clear(self) -> None:
        """Make it empty but for our mark; a cluster that somebody has named runs until now.

        :raises DirectoryForeign: if it holds what nobody has named, or what cannot be moved
        """
        if self._is_to_replace():
            self._move_aside()
        else:
            self._directory.require_ours_or_empty()
            self._postgres.stop(mode="immediate")
        self._directory.prepare()

    def _is_to_replace(self) -> bool:
        named = self._job.replaces == self._job.target.data_dir
        return named and self._directory.is_foreign()

    def _move_aside(self) -> None:
        self._directory.require_movable()
        try:
            self._postgres.stop(timeout_seconds=STOPPED_WITHIN_SECONDS)
        except PostgresFailed as failure:
            raise DirectoryForeign(str(failure)) from failure
        aside = str(self._directory.move_aside())
        RestoreJob.objects.filter(pk=self._job.pk).update(moved_aside_to=aside)
        require_port(self._postgres)
