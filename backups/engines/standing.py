"""A cluster that came back without a log to replay: started, looked at, and opened.

It goes through the same doors as one that is recovered, so that whoever carries a restore need not
tell them apart.
"""

from collections.abc import Iterator

from backups.engines.planning import Destination
from backups.engines.private import start_privately
from backups.engines.recovering import Position
from backups.engines.replay import Replay
from backups.errors import VerificationFailed
from backups.steps import Step


class Standing(Replay):
    """What a logical backup became."""

    def configure(self) -> None:
        """Leave the new cluster as it was made."""

    def has_gone_astray(self, former: Destination) -> bool:
        """Say whether another backup than the one that is wanted now was unpacked."""
        return former.backup.backup_id != self._destination.backup.backup_id

    def is_recovering(self) -> bool:
        return False

    def steps(self, *, is_verified: bool = False) -> Iterator[Step]:
        """Start it, for us alone. There is nothing to wait for.

        :raises PortTaken: if another program has the port
        :raises ClusterNotStarted: if it does not start
        """
        if not self._postgres.is_running():
            start_privately(self._postgres, log=self._log, settings={})
        yield Step(done=1, total=1)

    def require_target_reached(self) -> Position:
        """Assert that it stands: what it holds was compared with the backup while it was unpacked.

        :raises VerificationFailed: if it does not
        """
        position = self._ask()
        if position is None:
            raise VerificationFailed("the restored cluster does not answer")
        return position
