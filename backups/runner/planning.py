"""Making a restore's plan: what is there, what is needed, and whether this machine can take it."""

import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from backups.engines.base import BackupRecord, WalFile, WalInventory
from backups.engines.planning import Archive as Log
from backups.engines.planning import LogIncomplete, SegmentDamaged
from backups.engines.points import destination_without_log
from backups.engines.postgres import HOST, Postgres, major_of
from backups.engines.wal import SEGMENT_NAME, parse_history
from backups.engines.wal_stage import WalStage
from backups.errors import (
    BackupMissing,
    DiskTooSmall,
    EngineFailed,
    ObjectDamaged,
    PortTaken,
    TargetOutOfReach,
)
from backups.runner.disks import disk_under, free_on
from backups.runner.intake import Intake
from backups.runner.patience import patiently
from backups.runner.tools import Archive
from backups.runner.workspace import Plan
from backups.steps import Step
from backups.storage.fetch import MIB, FetchItem, Manner, Sources, fetch
from backups.storage.manifest import manifest_key, read_manifest
from backups.storage.s3 import ObjectRef

Tell = Callable[[Step], None]


class VersionUnfit(EngineFailed):
    """The PostgreSQL of the recovery target is of another major version than the backup."""

    code = "version-unfit"


def fetch_wal(
    archive: Archive,
    inventory: WalInventory,
    names: Sequence[str],
    stage: WalStage,
    folder: Path,
    *,
    tell: Tell,
) -> Path:
    """Bring these segments into the stage, and return the folder where they lie.

    :raises SegmentDamaged: naming the first that is not what its name says, wherever it was asked
        for
    """
    lacking = [name for name in names if not stage.path_of(name).exists()]
    files = {name: inventory.segments[name] for name in lacking}
    sources = archive.sources or Sources.of(archive.bucket)
    take_in = Intake(
        stage=stage, files={file.ref.name: file for file in files.values()}, sources=sources
    )

    def bring(wanted: Sequence[str]) -> None:
        items = [
            FetchItem(ref=files[name].ref, to=f"packed/{files[name].ref.name}") for name in wanted
        ]
        for step in fetch(archive.bucket, items, folder, manner=Manner(), finish=take_in):
            # What is looked into is not yet what is fetched: only a wait is worth telling.
            tell(Step(done=0, waiting=step.waiting))

    try:
        if lacking:
            bring(lacking)
    except ObjectDamaged:
        # Of several that came together it is not said which one it was.
        for name in lacking:
            if not stage.path_of(name).exists():
                _bring_alone(name, bring)
    return stage.folder / "files"


def _bring_alone(name: str, bring: Callable[[Sequence[str]], None]) -> None:
    try:
        bring([name])
    except ObjectDamaged as damage:
        raise SegmentDamaged(name, str(damage)) from damage


def opened_log(
    archive: Archive,
    postgres: Postgres,
    folder: Path,
    records: Sequence[BackupRecord],
    *,
    tell: Tell,
) -> tuple[Log, WalInventory]:
    """List a database's log, ready to be asked which moments can be restored.

    :raises BackupMissing: if there is no finished backup
    """
    finished = [record for record in records if record.is_finished]
    if not finished:
        raise BackupMissing
    # A cluster that was made anew under the same name starts over; the newest one counts.
    system_id = max(finished, key=lambda record: record.ended_at).system_id
    inventory = patiently(archive.engine.wal_inventory, tell)
    stage = WalStage(folder / "wal", system_id=system_id)
    histories = {
        int(name[:8], 16): parse_history(
            patiently(lambda file=file: archive.engine.read_history(file), tell)  # type: ignore[misc]
        )
        for name, file in inventory.histories.items()
    }
    log = Log(
        backups=[record for record in finished if record.system_id == system_id],
        inventory=inventory,
        switches=histories,
        postgres=postgres,
        peek=lambda names: fetch_wal(archive, inventory, names, stage, folder, tell=tell),
    )
    return log, inventory


def make_plan(
    archive: Archive,
    postgres: Postgres,
    folder: Path,
    *,
    server: str,
    target_at: datetime | None,
    backup_id: str = "",
    held_bytes: int | None = None,
    standing: BackupRecord | None = None,
    is_apart: bool = False,
    made_for: str,
    tell: Tell,
) -> Plan:
    """Plan a restore to a moment, to the latest, or to the end of one backup, if it fits here.

    ``held_bytes`` is how much of the backup lies on the disk at once before it is unpacked; without
    it, all of it. With ``standing`` it goes on from there, and nothing is unpacked; if it
    ``is_apart``, with the log that lies here already, whatever the archive has.

    :raises TargetOutOfReach: if the moment cannot be restored, naming the nearest that can
    :raises LogIncomplete: if a log file on the way is missing, naming the last moment before
    :raises VersionUnfit: if the PostgreSQL here cannot run this cluster
    :raises DiskTooSmall: if there is too little room for it
    """
    if standing is not None:
        opened = (
            _log_here(standing, postgres, folder)
            if is_apart
            else opened_log(archive, postgres, folder, [standing], tell=tell)
        )
        return _plan_from(
            standing, opened, postgres, folder, target_at=target_at, made_for=made_for
        )
    records = patiently(archive.engine.catalogue, tell)
    keeps_log = archive.engine.capabilities.keeps_log
    if keeps_log:
        log, inventory = opened_log(archive, postgres, folder, records, tell=tell)
        destination = log.plan(target_at, backup_id=backup_id)
        needed = _readable(log, inventory, destination.backup)
    else:
        destination = destination_without_log(records, target_at, backup_id=backup_id)
        needed = []
    backup = destination.backup
    require_version(postgres, backup, may_be_newer=not keeps_log)
    refs = patiently(lambda: archive.engine.objects_of(backup.backup_id), tell)
    key = manifest_key(archive.bucket, server, backup.backup_id)
    manifest = patiently(lambda: read_manifest(archive.bucket, key), tell)
    plan = Plan(
        made_for=made_for,
        destination=destination,
        base=[
            FetchItem(
                ref=ref,
                to=f"base/{archive.engine.place_in_stage(ref)}",
                part_hashes=manifest.hashes_of(ref),
            )
            for ref in refs
        ],
        archive=needed,
    )
    require_room(plan, folder, postgres.data_dir, held_bytes=held_bytes)
    return plan


def _log_here(standing: BackupRecord, postgres: Postgres, folder: Path) -> tuple[Log, WalInventory]:
    """Return the log that lies in the stage, as if it were all that there is."""
    files = folder / "wal" / "files"
    found = {
        path.name: WalFile(
            name=path.name, ref=ObjectRef(key=path.name, size=path.stat().st_size, etag="")
        )
        for path in files.iterdir()
        if path.suffix != ".part"
    }
    inventory = WalInventory(
        segments={name: file for name, file in found.items() if SEGMENT_NAME.match(name)},
        histories={name: file for name, file in found.items() if name.endswith(".history")},
    )
    switches = {
        int(name[:8], 16): parse_history((files / name).read_text(encoding="ascii"))
        for name in inventory.histories
    }
    log = Log(
        backups=[standing],
        inventory=inventory,
        switches=switches,
        postgres=postgres,
        peek=lambda _names: files,
    )
    return log, inventory


def _plan_from(
    standing: BackupRecord,
    opened: tuple[Log, WalInventory],
    postgres: Postgres,
    folder: Path,
    *,
    target_at: datetime | None,
    made_for: str,
) -> Plan:
    """Plan how a cluster goes on from where it stands: the log that is left, and nothing else."""
    log, inventory = opened
    destination = log.plan(target_at)
    require_version(postgres, standing)
    plan = Plan(
        made_for=made_for,
        destination=destination,
        base=[],
        archive=_readable(log, inventory, destination.backup),
    )
    require_room(plan, folder, postgres.data_dir, is_unpacked=True)
    return plan


def why_missing(
    archive: Archive,
    postgres: Postgres,
    plan: Plan,
    folder: Path,
    *,
    doubted: Sequence[str] = (),
    tell: Tell,
) -> EngineFailed | None:
    """Look again why a log file is not there; None if the log is whole all the same.

    Those that are ``doubted``, by name, are looked into. Names the last moment that can be reached
    without it.
    """
    if not archive.engine.capabilities.keeps_log:
        return None
    records = patiently(archive.engine.catalogue, tell)
    log, _inventory = opened_log(archive, postgres, folder, records, tell=tell)
    destination = plan.destination
    log.doubt(doubted)
    try:
        if destination.ends_with_backup:
            log.plan(None, backup_id=destination.backup.backup_id)
        else:
            log.plan(destination.stop_at or destination.data_until_at)
    except (LogIncomplete, TargetOutOfReach) as failure:
        return failure
    return None


def _readable(log: Log, inventory: WalInventory, backup: BackupRecord) -> list[WalFile]:
    hidden = log.behind_the_hole(backup)
    segments = (file for name, file in inventory.segments.items() if name not in hidden)
    return [*segments, *inventory.histories.values()]


def require_version(
    postgres: Postgres, backup: BackupRecord, *, may_be_newer: bool = False
) -> None:
    """Make sure that the programs here can run what the backup holds.

    :raises VersionUnfit: if they cannot
    """
    ours = major_of(postgres.bin_dir)
    if ours != backup.major and not (may_be_newer and ours > backup.major):
        raise VersionUnfit(
            f"PostgreSQL {ours}",
            advice=f"The backup is of PostgreSQL {backup.major}, and the recovery target runs "
            "another major version. Register the target with the programs of that version, "
            "then ask again.",
        )


def require_room(
    plan: Plan,
    folder: Path,
    data_dir: Path,
    *,
    held_bytes: int | None = None,
    is_unpacked: bool = False,
) -> None:
    """Make sure that stage and cluster fit, together where they share a disk.

    One that ``is_unpacked`` has its room already, but for some segments of its own.

    :raises DiskTooSmall: if they do not
    """
    destination = plan.destination
    held = plan.base_bytes if held_bytes is None else min(plan.base_bytes, held_bytes)
    segments = len(destination.segments) * destination.backup.segment_bytes
    packed = sum(item.ref.size for item in plan.needed_wal())
    stage = held + segments + packed
    cluster = 0 if is_unpacked else int(destination.backup.cluster_bytes * 1.05)
    cluster += 4 * destination.backup.segment_bytes
    needs = {disk_under(folder): stage}
    needs[disk_under(data_dir)] = needs.get(disk_under(data_dir), 0) + cluster
    free = {disk_under(path): free_on(path) for path in (folder, data_dir)}
    for disk, needed in needs.items():
        if free[disk] < needed:
            raise DiskTooSmall(
                f"{needed // MIB} MiB are needed, {free[disk] // MIB} MiB are free",
                advice=f"The restore needs {needed // MIB} MiB of disk at the recovery target and "
                f"{free[disk] // MIB} MiB are free. Make room, then resume the job.",
            )


def require_port(postgres: Postgres) -> None:
    """Make sure that nobody else listens where the cluster is to listen.

    :raises PortTaken: if somebody does
    """
    if postgres.is_running():
        return
    with socket.socket() as probe:
        probe.settimeout(2)
        if probe.connect_ex((HOST, postgres.port)) == 0:
            raise PortTaken(
                f"port {postgres.port}",
                advice=f"Another program listens on port {postgres.port} of the recovery target. "
                "Stop it or register another port, then resume the job.",
            )
