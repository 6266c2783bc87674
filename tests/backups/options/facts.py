"""Facts for boards: a database with a backup of this morning and a machine that is ready."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from backups.estimate import History, Learned, Past, Sample, learn
from backups.options import BackupFacts, Facts, PlaceFacts, TargetFacts

NOON = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
GB = 10**9
SEGMENT = 16 * 1024 * 1024


def learned(*, rate: float = 100e6, days: int = 5, samples: Sequence[Sample] = ()) -> Learned:
    """Return what is known of a storage that gave so many bytes a second on so many days."""
    past = [
        Past(phase="FETCH", began_at=NOON - day * 24 * HOUR, seconds=100, amount=rate * 100)
        for day in range(1, days + 1)
    ]
    return learn(History(past=past, samples=samples), at=NOON)


def backup(number: int = 1, **fields: Any) -> BackupFacts:
    ended_at = fields.pop("ended_at", NOON - 10 * HOUR)
    given: dict[str, Any] = {
        "name": f"nightly {number}",
        "major": 17,
        "stored_bytes": 20 * GB,
        "cluster_bytes": 60 * GB,
        "has_manifest": True,
        "segments": 2000,
        "log_bytes": 10 * GB,
        "until_at": NOON - MINUTE,
    }
    return BackupFacts(id=number, ended_at=ended_at, **(given | fields))


def place(number: int = 1, **fields: Any) -> PlaceFacts:
    given: dict[str, Any] = {
        "name": f"storage {number}",
        "is_own": number == 1,
        "learned": learned(),
    }
    return PlaceFacts(id=number, **(given | fields))


def target(number: int = 1, **fields: Any) -> TargetFacts:
    given: dict[str, Any] = {
        "name": f"target {number}",
        "data_dir": f"/srv/{number}",
        "seen_at": NOON - MINUTE,
        "free_bytes": 500 * GB,
        "major": 17,
        "write_rate": 1e9,
    }
    return TargetFacts(id=number, **(given | fields))


def facts(**fields: Any) -> Facts:
    given: dict[str, Any] = {
        "at": NOON,
        "as_of": NOON - MINUTE,
        "backups": [backup()],
        "places": [place(1), place(2)],
        "targets": [target()],
        "tenants": 50,
        "lanes": 2,
    }
    return Facts(**(given | fields))
