"""A restore's own folder: the plan, what was fetched, and which points of no return were passed."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from backups.engines.base import BackupRecord, WalFile
from backups.engines.planning import Destination
from backups.engines.wal_stage import WalStage
from backups.storage.fetch import FetchItem
from backups.storage.s3 import ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is fetched and how far it is replayed; the same for every attempt at one course.

    ``made_for`` is the course that it was made for, in the words of ``course_of``.
    """

    made_for: str
    destination: Destination
    base: Sequence[FetchItem]
    archive: Sequence[WalFile]

    @property
    def base_bytes(self) -> int:
        return sum(item.ref.size for item in self.base)

    @property
    def replay_bytes(self) -> int:
        return max(self.destination.must_replay_lsn - self.destination.backup.begin_lsn, 0)

    def wal_items(self, names: Sequence[str]) -> list[FetchItem]:
        """Return what to fetch for these files of the archive; unknown ones are left out."""
        wanted = set(names)
        return [
            FetchItem(ref=file.ref, to=f"packed/{file.ref.name}")
            for file in self.archive
            if file.name in wanted
        ]

    def needed_wal(self) -> list[FetchItem]:
        histories = [file.name for file in self.archive if file.name.endswith(".history")]
        return self.wal_items([*self.destination.segments, *histories])


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of one restore at its recovery target."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "postgresql.log"

    @property
    def base(self) -> Path:
        return self.folder / "base"

    def wal(self, *, system_id: int) -> WalStage:
        return WalStage(self.folder / "wal", system_id=system_id)

    def has_passed(self, point: str) -> bool:
        return (self.folder / point).exists()

    def passed(self, point: str) -> None:
        (self.folder / point).touch()

    def note(self, name: str, document: dict[str, Any]) -> None:
        """Write something down under a name, all of it or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        part.write_text(json.dumps(document), encoding="utf-8")
        part.rename(self.folder / f"{name}.json")

    def noted(self, name: str) -> dict[str, Any] | None:
        """Return what was written down under a name; None if nothing was."""
        try:
            text = (self.folder / f"{name}.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        found: dict[str, Any] = json.loads(text)
        return found

    def forget(self, point: str) -> None:
        (self.folder / point).unlink(missing_ok=True)

    def take_over(self, former: "Workspace") -> None:
        """Move what lies in another folder of this machine here; what is here already stays.

        Between disks it is copied. A death in between costs what was not moved yet, once it is
        fetched again.
        """
        if former.folder == self.folder or not former.folder.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for entry in former.folder.iterdir():
            if not (self.folder / entry.name).exists():
                shutil.move(entry, self.folder / entry.name)
        shutil.rmtree(former.folder)

    def plan(self) -> Plan | None:
        """Return the plan, None if none was made yet."""
        try:
            document = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return _plan(document)

    def keep_plan(self, plan: Plan) -> None:
        """Write the plan down; of a former plan's backup nothing stays that it does not name."""
        wanted = {self.folder / item.to for item in plan.base}
        for path in self.base.rglob("*"):
            if path.is_file() and path not in wanted:
                path.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / "plan.part"
        part.write_text(json.dumps(asdict(plan), default=_plain), encoding="utf-8")
        part.rename(self.folder / "plan.json")

    def drop_stage(self) -> None:
        """Give back the disk that the fetched objects took; plan and log stay."""
        for name in ("base", "packed", "wal", "relay"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "journal.jsonl").unlink(missing_ok=True)


def _plain(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()


def _plan(document: dict[str, Any]) -> Plan:
    said = document["destination"]
    record = said["backup"]
    backup = BackupRecord(
        **{
            **record,
            "began_at": datetime.fromisoformat(record["began_at"]),
            "ended_at": datetime.fromisoformat(record["ended_at"]),
        }
    )
    moments = {
        name: datetime.fromisoformat(said[name]) if said[name] else None
        for name in ("stop_at", "data_until_at")
    }
    return Plan(
        made_for=document["made_for"],
        destination=Destination(**{**said, **moments, "backup": backup}),
        base=[
            FetchItem(ref=_ref(item["ref"]), to=item["to"], part_hashes=item["part_hashes"])
            for item in document["base"]
        ],
        archive=[
            WalFile(name=file["name"], ref=_ref(file["ref"]), packing=file["packing"])
            for file in document["archive"]
        ],
    )


def _ref(said: dict[str, Any]) -> ObjectRef:
    return ObjectRef(key=said["key"], size=said["size"], etag=said["etag"])
