"""Looking at a recovery target from beside it: room, programs, port, and what lies there."""

import contextlib
import os
import re
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from backups.engines.directory import DRAFT, MARK
from backups.engines.postgres import HOST, Postgres, PostgresFailed
from backups.models import JobState, RecoveryTarget, RestoreJob, Standby
from backups.runner.disks import disk_under, free_on
from backups.runner.tools import postgres_at

MIB = 1024 * 1024
# So much is written to see how quick the disk is: enough to get past its first buffers.
WRITTEN_BYTES = 16 * MIB
_PIECE = bytes(MIB)
_VERSION = re.compile(r"\) (\d+)(?:\.(\d+))?")
_HOLDING = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen of a recovery target. ``occupied_by`` is empty when it is ready.

    Otherwise it is one word: "programs" (missing), "disk" (nothing can be written), "ours" (a
    restore that has stopped left its work), "standby" (one is kept warm), "running" (a cluster),
    "port" (another program listens) or "foreign" (files of others).
    """

    free_bytes: int | None
    work_free_bytes: int | None
    server_version: int | None
    write_bytes_per_second: float | None
    occupied_by: str


def probe_target(*, target_id: int, at: datetime) -> RecoveryTarget:
    """Look at a recovery target, which is on this machine, and write down what is there.

    Nothing of it is changed but for a few MiB that are written to its work directory and taken away
    again.
    """
    target = RecoveryTarget.objects.get(pk=target_id)
    held = RestoreJob.objects.filter(target=target, state__in=_HOLDING).exists()
    kept = Standby.objects.filter(target=target).exists()
    sight = look_at(target, is_held=held or kept)
    if kept and not sight.occupied_by:
        sight = replace(sight, occupied_by="standby")
    target.probed_at = at
    for name in Sight.__slots__:
        setattr(target, name, getattr(sight, name))
    target.save(update_fields=["probed_at", *Sight.__slots__])
    return target


def targets_by_queue() -> list[tuple[int, str]]:
    """Return every recovery target with the queue of the worker beside it."""
    return list(RecoveryTarget.objects.order_by("pk").values_list("pk", "queue"))


def look_at(target: RecoveryTarget, *, is_held: bool = False) -> Sight:
    """Look at the place that a row describes.

    What a restore that is under way has put there does not count: ``is_held`` says that there is
    one.
    """
    data, work = Path(target.data_dir), Path(target.work_dir)
    version = _version(postgres_at(target))
    rate = _write_rate(work)
    shared = disk_under(data) == disk_under(work)
    return Sight(
        free_bytes=free_on(data),
        work_free_bytes=None if shared else free_on(work),
        server_version=version,
        write_bytes_per_second=rate,
        occupied_by=_held_by(target, version, rate, is_held=is_held),
    )


def _held_by(
    target: RecoveryTarget, version: int | None, rate: float | None, *, is_held: bool
) -> str:
    data = Path(target.data_dir)
    if version is None:
        return "programs"
    if rate is None:
        return "disk"
    looks: dict[str, Callable[[], bool]] = {
        "ours": (data / MARK).exists,
        "running": postgres_at(target).is_running,
        "port": lambda: _listens(target.port),
        "foreign": lambda: _holds_anything(data),
    }
    return "" if is_held else next((word for word, is_so in looks.items() if is_so()), "")


def _version(postgres: Postgres) -> int | None:
    """Return the version as the server tells it, 170010; None if there are no such programs."""
    try:
        said = postgres.run("postgres", "--version", timeout_seconds=15).stdout
    except (PostgresFailed, OSError):
        return None
    found = _VERSION.search(said)
    return int(found[1]) * 10000 + int(found[2] or 0) if found else None


def _write_rate(folder: Path) -> float | None:
    """Return how many bytes a second get to the disk; None if nothing can be written there."""
    path = folder / f".probe-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with path.open("wb", buffering=0) as file:
            for _piece in range(WRITTEN_BYTES // MIB):
                file.write(_PIECE)
            os.fsync(file.fileno())
        return WRITTEN_BYTES / max(time.monotonic() - began, 1e-6)
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def _holds_anything(folder: Path) -> bool:
    try:
        return any(entry.name != DRAFT for entry in folder.iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True
