"""Taking fetched log files into a stage, from another place where the first gave a bad one."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backups.engines.base import WalFile
from backups.engines.wal_stage import WalStage
from backups.errors import EngineFailed
from backups.storage.answers import PassingTrouble
from backups.storage.fetch import FetchItem, Sources, Unsound

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The finisher of a fetch of log files, which no manifest proves: they prove themselves.

    ``files`` are by the names of their objects. One that cannot be unpacked, or is another segment
    than its name says, is asked for in each of the ``sources``, for a copy that is damaged has
    another length and ETag than a good one.
    """

    stage: WalStage
    files: Mapping[str, WalFile]
    sources: Sources
    # Not asked a second time: who did not answer, for as long as this takes.
    _silent: set[int] = field(default_factory=set)

    def __call__(self, item: FetchItem, packed: Path) -> None:
        """Take a file in.

        :raises Unsound: if no source has a sound one
        """
        file = self.files[packed.name]
        fault = self.stage.take_in(file, packed)
        if not fault:
            return
        logger.warning("%s: %s", item.ref.key, fault)
        if len(self.sources.channels) == 1 or not self._has_elsewhere(file, item, packed):
            raise Unsound(fault)

    def _has_elsewhere(self, file: WalFile, item: FetchItem, packed: Path) -> bool:
        beside = packed.with_name(f"{packed.name}.elsewhere")
        for channel in self.sources.channels:
            if channel.index in self._silent:
                continue
            try:
                beside.write_bytes(channel.bucket.read(channel.own_key(item.ref.key)))
            except (PassingTrouble, EngineFailed) as failure:
                if isinstance(failure, PassingTrouble):
                    self._silent.add(channel.index)
                logger.warning("%s in %s: %s", item.ref.key, channel.name, failure)
                continue
            fault = self.stage.take_in(file, beside)
            beside.unlink()
            if not fault:
                logger.warning("%s: taken from %s", item.ref.key, channel.name)
                # Used up, as if it had been this one.
                os.truncate(packed, 0)
                return True
            logger.warning("%s in %s: %s", item.ref.key, channel.name, fault)
        return False
