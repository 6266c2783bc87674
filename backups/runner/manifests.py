"""What the manifests of a database recorded of its objects, one manifest in memory at a time."""

import logging
from collections.abc import Collection, Sequence

from backups.errors import ObjectDamaged
from backups.storage.manifest import NO_MANIFEST, Manifest, manifest_key, read_manifest
from backups.storage.patience import Patience
from backups.storage.s3 import Bucket

logger = logging.getLogger(__name__)


class Manifests:
    """Looks up what was recorded of an object. Used by one thread at a time.

    Objects of one backup asked for one after the other cost one reading of its manifest.
    """

    def __init__(
        self, bucket: Bucket, server: str, backups: Collection[str], patience: Patience
    ) -> None:
        self._bucket = bucket
        self._server = server
        self._backups = backups
        self._patience = patience
        self._name = ""
        self._manifest: Manifest = NO_MANIFEST

    def backup_of(self, key: str) -> str:
        """Return the backup that an object belongs to; empty for the log and for what describes."""
        return next((part for part in key.split("/") if part in self._backups), "")

    def of_backup(self, name: str) -> Manifest:
        """Return a backup's manifest; an empty one where none was recorded, or it is damaged.

        :raises StorageUnavailable: if the storage does not answer
        """
        if name != self._name:
            key = manifest_key(self._bucket, self._server, name)
            try:
                self._manifest = self._patience.ask(
                    self._bucket, lambda: read_manifest(self._bucket, key)
                )
            except ObjectDamaged:
                logger.warning("%s: the manifest is damaged", key)
                self._patience.count("damaged_manifests")
                self._manifest = NO_MANIFEST
            self._name = name
        return self._manifest

    def hashes_of(self, key: str) -> Sequence[str]:
        """Return what was recorded of an object, by its whole key; nothing if nothing was."""
        name = self.backup_of(key)
        if not name or key.endswith(f"{name}.json"):
            return ()
        return self.of_backup(name).hashes.get(key, ())
