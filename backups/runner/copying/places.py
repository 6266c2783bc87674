"""Two places of one archive: which folders in them are its own, and how keys correspond."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings

from backups.models import Database, EngineName, StorageLocation
from backups.runner.credentials import keys_of
from backups.runner.tools import place_of
from backups.storage.patience import Patience
from backups.storage.s3 import Bucket, ObjectRef

# What every engine's archive has beside it: see ``manifest_key``.
_MANIFESTS = "highwater/manifests/{}"
_FOLDERS = {EngineName.PGBACKREST: ("archive/{}", "backup/{}")}
_USUAL_FOLDERS = ("{}",)
# A thousand keys are asked for at once.
_PAGE = 1000


@contextmanager
def opened_bucket(location: StorageLocation) -> Iterator[Bucket]:
    """Open a place; keys that are renewed under way are taken up.

    :raises CredentialsMissing: if they are not where the location says
    """
    keys = partial(keys_of, location)
    keys()
    bucket = Bucket(place_of(location), keys, silence_seconds=settings.STORAGE_SILENCE_SECONDS)
    with closing(bucket):
        yield bucket


@dataclass(frozen=True, slots=True)
class Home:
    """One place of a database's archive, whose keys are told without the place's prefix."""

    bucket: Bucket
    database: Database

    def folders(self) -> Sequence[str]:
        """Return the folders that hold this archive and nothing else, each with its slash."""
        usual = _FOLDERS.get(EngineName(self.database.engine), _USUAL_FOLDERS)
        return [f"{each.format(self.database.archive_name)}/" for each in (*usual, _MANIFESTS)]

    def key(self, name: str) -> str:
        """Return the whole key of a name."""
        return f"{self.bucket.place.prefix}/{name}".lstrip("/")

    def objects(self, patience: Patience) -> Iterator[ObjectRef]:
        """List the archive page by page; a page that does not come is asked for again.

        :raises StorageUnavailable: if none comes for as long as an outage is waited out
        """
        for folder in self.folders():
            prefix, token = self.key(folder), ""
            while True:
                page = patience.ask(
                    self.bucket,
                    partial(self.bucket.list_page, prefix, token=token, limit=_PAGE),
                )
                for ref in page.objects:
                    yield replace(ref, key=self.name(ref.key))
                token = page.next_token
                if not token:
                    break

    def name(self, key: str) -> str:
        """Return a key without the place's prefix."""
        return key.removeprefix(self.bucket.place.prefix).lstrip("/")
