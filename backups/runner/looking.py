"""Asking the storage and its copies what they hold, for no longer than whoever asks can wait."""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from backups.errors import EngineFailed, StorageUnavailable
from backups.models import Database, StorageLocation
from backups.runner.catalogue import (
    Reading,
    doubted_segments,
    keep_catalogue,
    known_sizes,
    read_catalogue,
)
from backups.runner.tools import opened_archive

logger = logging.getLogger(__name__)

# Once the database's own storage has answered, its copies get so much longer.
_GRACE_SECONDS = 3.0

Answer = Reading | EngineFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What came of asking. ``faults`` are by the ids of the places that gave no answer."""

    database: Database
    faults: Mapping[int, EngineFailed]


def look_at_archive(
    *, database_id: int, at: datetime, budget_seconds: float, waits_for_copies: bool = False
) -> Look:
    """Ask the storage of a database and its copies at once, and write down what they hold.

    What the database's own storage says counts; only if it gives no answer in time, the first copy
    that does. If none does, what was known before stays. Takes a little longer than the budget at
    most. Only with ``waits_for_copies`` a copy has all of that time: else it has to answer soon
    after the database's own storage, and its absence from the answers says little.
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    places = [database.storage, *database.copies.order_by("name")]
    answers = _ask(
        database, places, budget_seconds=budget_seconds, waits_for_copies=waits_for_copies
    )
    readings = [
        (place.pk, answer) for place in places if isinstance(answer := answers[place.pk], Reading)
    ]
    if readings:
        (first, reading), *others = readings
        for copy, other in others:
            _note_further(reading, other, copy)
        keep_catalogue(database, reading, at=at, is_copy=first != database.storage_id)
    faults = {pk: answer for pk, answer in answers.items() if isinstance(answer, EngineFailed)}
    return Look(database=database, faults=faults)


def _note_further(reading: Reading, copy: Reading, copy_id: int) -> None:
    """Note of each backup whether a copy's log leads further: it may have what is missing here."""
    for name, facts in reading.backups.items():
        here = facts["reaches_until_at"]
        there = copy.backups.get(name, {}).get("reaches_until_at")
        if not isinstance(there, datetime) or not facts["log_missing"]:
            continue
        if not isinstance(here, datetime) or there > here:
            facts["reaches_elsewhere"] = {
                **facts["reaches_elsewhere"],
                str(copy_id): there.isoformat(),
            }


def _ask(
    database: Database,
    places: list[StorageLocation],
    *,
    budget_seconds: float,
    waits_for_copies: bool,
) -> Mapping[int, Answer]:
    known, doubted = known_sizes(database), doubted_segments(database)
    heard: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()
    silence = min(budget_seconds / 2, settings.STORAGE_SILENCE_SECONDS)

    def read(place: StorageLocation) -> None:
        try:
            beside = places[1:] if place == places[0] else []
            with opened_archive(
                database, location=place, silence_seconds=silence, beside=beside
            ) as archive:
                answer: Answer = read_catalogue(
                    archive, database.archive_name, known, doubted.get(place.pk, ())
                )
        except EngineFailed as failure:
            answer = failure
        except Exception:
            heard.put((place.pk, EngineFailed("a fault of Highwater itself; see the log")))
            raise
        heard.put((place.pk, answer))

    for place in places:
        # Daemons: one that hangs on a silent storage holds up neither the answer nor the exit.
        threading.Thread(target=read, args=(place,), name=f"look-{place.pk}", daemon=True).start()
    late = StorageUnavailable(
        "no answer in time",
        advice="The object storage does not answer at the moment. Try again in a minute.",
    )
    answers: dict[int, Answer] = {place.pk: late for place in places}
    deadline = time.monotonic() + budget_seconds
    for _each in places:
        try:
            pk, answer = heard.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            break
        answers[pk] = answer
        is_own = pk == database.storage_id
        if is_own and isinstance(answer, Reading) and not waits_for_copies:
            deadline = min(deadline, time.monotonic() + _GRACE_SECONDS)
    return answers
