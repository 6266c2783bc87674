"""Writing down what the storage gave while a restore fetched: forecasts are made of it."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import DatabaseError, connection

from backups.models import Database, StorageMeasurement
from backups.runner.lease import Clock
from backups.storage.fetch import Fetcher, Measurement

logger = logging.getLogger(__name__)

# A measurement covers the last minute, so one a minute leaves nothing out and counts nothing twice.
EVERY_SECONDS = 60.0
# Less than this says nothing of a source that is used by hundreds of megabytes.
LEAST_SECONDS = 5.0


class Weather:
    """Keeps what a fetch measures, by the names of the database's locations."""

    def __init__(self, database: Database, now: Clock) -> None:
        places = [database.storage, *database.copies.all()]
        self._places = {place.name: place.pk for place in places}
        self._now = now

    @contextmanager
    def kept_of(self, fetcher: Fetcher) -> Iterator[None]:
        """Keep what this fetcher measures, each minute and at the end, from a thread of its own."""
        ended = threading.Event()
        began = time.monotonic()

        def keep_on() -> None:
            try:
                while not ended.wait(EVERY_SECONDS):
                    self._keep(fetcher.measurements(), covers=EVERY_SECONDS)
                left = (time.monotonic() - began) % EVERY_SECONDS
                self._keep(fetcher.measurements(), covers=left)
            finally:
                connection.close()

        thread = threading.Thread(target=keep_on, name="weather", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _keep(self, measurements: Sequence[Measurement], *, covers: float) -> None:
        if covers < LEAST_SECONDS:
            return
        at = self._now()
        try:
            StorageMeasurement.objects.bulk_create(
                StorageMeasurement(
                    location_id=self._places[seen.source],
                    measured_at=at,
                    seconds=seen.seconds,
                    bytes=seen.bytes,
                    requests=seen.requests,
                    errors=seen.errors,
                    first_byte_seconds=seen.first_byte_seconds,
                )
                for seen in measurements
                if seen.seconds >= LEAST_SECONDS and seen.requests
            )
        except DatabaseError:
            # A restore is never given up because something about it could not be written down.
            logger.warning("the storage's measurements could not be kept", exc_info=True)
            connection.close_if_unusable_or_obsolete()
