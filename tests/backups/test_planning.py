"""Which backup, which log, and what cannot be reached: on a listing, without a storage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backups.engines import planning
from backups.engines.base import BackupRecord, WalFile, WalInventory
from backups.engines.planning import Archive, LogIncomplete
from backups.engines.postgres import Postgres
from backups.engines.wal import Segment, TimelineSwitch, parse_lsn
from backups.engines.wal_dump import TransactionEnd
from backups.errors import BackupMissing, TargetOutOfReach
from backups.storage.s3 import ObjectRef

NOON = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SIZE = 16 * 1024 * 1024


def backup(number: int, ended_at: datetime, *, timeline: int = 1) -> BackupRecord:
    segment = Segment(timeline, number)
    return BackupRecord(
        backup_id=f"b{number}", label=f"b{number}", is_finished=True,
        began_at=ended_at - MINUTE, ended_at=ended_at,
        begin_lsn=segment.start + 40, end_lsn=segment.start + 400,
        begin_wal=segment.name, end_wal=segment.name, timeline=timeline, system_id=7,
        server_version=170010, cluster_bytes=1, segment_bytes=SIZE, data_checksums=True,
    )  # fmt: skip


def inventory(*segments: Segment) -> WalInventory:
    files = {
        s.name: WalFile(name=s.name, ref=ObjectRef(key=s.name, size=1, etag="e")) for s in segments
    }
    return WalInventory(segments=files, histories={})


def archive(
    monkeypatch: pytest.MonkeyPatch,
    *,
    backups: list[BackupRecord],
    segments: list[Segment],
    switches: dict[int, list[TimelineSwitch]] | None = None,
) -> Archive:
    """Return an archive in which segment N ends one transaction, N minutes past noon."""

    def ends(_postgres: Postgres, _files: Path, first: str, last: str) -> list[TransactionEnd]:
        found = [s for s in segments if first[8:] <= s.name[8:] <= last[8:]]
        return [
            TransactionEnd(NOON + s.number * MINUTE, s.start + 5000, s.start + 4000) for s in found
        ]

    monkeypatch.setattr(planning, "transaction_ends", ends)
    monkeypatch.setattr(
        planning, "last_record", lambda _postgres, _files, name: Segment.parse(name).start + 6000
    )
    return Archive(
        backups=backups,
        inventory=inventory(*segments),
        switches=switches or {},
        postgres=Postgres(bin_dir=Path(), data_dir=Path(), port=1),
        peek=lambda _names: Path(),
    )


def line(timeline: int, first: int, last: int) -> list[Segment]:
    return [Segment(timeline, number) for number in range(first, last + 1)]


class TestPlan:
    def test_takes_the_newest_backup_and_all_the_log_for_the_latest(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backups = [backup(2, NOON + 2 * MINUTE), backup(6, NOON + 6 * MINUTE)]
        plan = archive(monkeypatch, backups=backups, segments=line(1, 1, 9)).plan(None)

        assert plan.backup.backup_id == "b6"
        assert plan.segments == [s.name for s in line(1, 6, 9)]
        assert plan.must_replay_lsn == Segment(1, 9).start + 6000
        assert plan.data_until_at == NOON + 9 * MINUTE

    def test_takes_the_last_backup_before_a_moment_and_the_log_up_to_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backups = [backup(2, NOON + 2 * MINUTE), backup(40, NOON + 40 * MINUTE)]
        moment = NOON + 20.5 * MINUTE
        plan = archive(monkeypatch, backups=backups, segments=line(1, 1, 60)).plan(moment)

        assert plan.backup.backup_id == "b2"
        assert plan.stop_at == moment
        # It stops before the transaction of segment 21, so that one is needed.
        assert plan.must_replay_lsn == Segment(1, 21).start + 4000
        assert plan.segments[-1] == Segment(1, 22).name

    def test_names_the_latest_moment_that_can_be_reached(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = archive(monkeypatch, backups=[backup(2, NOON + 2 * MINUTE)], segments=line(1, 1, 9))

        with pytest.raises(TargetOutOfReach) as refusal:
            found.plan(NOON + 10 * MINUTE)

        assert "2026-01-12 12:09:00.000000 UTC" in refusal.value.advice
        assert found.plan(NOON + 9 * MINUTE).stop_at is None

    def test_names_the_earliest_moment_that_can_be_reached(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = archive(monkeypatch, backups=[backup(2, NOON + 2 * MINUTE)], segments=line(1, 1, 9))

        with pytest.raises(TargetOutOfReach) as refusal:
            found.plan(NOON + MINUTE)

        assert "12:02:00" in refusal.value.advice

    def test_needs_a_finished_backup(self, monkeypatch: pytest.MonkeyPatch) -> None:
        unfinished = replace(backup(2, NOON), is_finished=False)

        with pytest.raises(BackupMissing):
            archive(monkeypatch, backups=[unfinished], segments=line(1, 1, 9)).plan(None)

    def test_refuses_a_hole_in_the_log_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        segments = [*line(1, 1, 4), *line(1, 6, 9)]

        with pytest.raises(LogIncomplete, match=Segment(1, 5).name):
            archive(monkeypatch, backups=[backup(2, NOON)], segments=segments).plan(None)

    def test_follows_the_newest_timeline_that_came_of_the_backup(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch = TimelineSwitch(1, Segment(1, 5).start + 100)
        segments = [*line(1, 1, 6), *line(2, 5, 8)]
        plan = archive(
            monkeypatch, backups=[backup(2, NOON)], segments=segments, switches={2: [switch]}
        ).plan(None)

        assert plan.timeline == 2
        assert plan.segments == [s.name for s in [*line(1, 2, 4), *line(2, 5, 8)]]

    def test_leaves_a_timeline_that_parted_before_the_backup(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch = TimelineSwitch(1, parse_lsn("0/1000100"))
        segments = [*line(1, 1, 6), *line(2, 1, 8)]
        plan = archive(
            monkeypatch, backups=[backup(2, NOON)], segments=segments, switches={2: [switch]}
        ).plan(None)

        assert plan.timeline == 1


class TestHoles:
    def test_one_behind_a_moment_does_not_matter_to_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        segments = [*line(1, 1, 6), *line(1, 8, 12)]
        found = archive(monkeypatch, backups=[backup(2, NOON)], segments=segments)

        plan = found.plan(NOON + 4.5 * MINUTE)

        assert plan.stop_at == NOON + 4.5 * MINUTE
        assert plan.segments[-1] <= Segment(1, 6).name

    def test_one_before_a_moment_is_named_with_the_last_moment_that_can_be_reached(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        segments = [*line(1, 1, 6), *line(1, 8, 12)]
        found = archive(monkeypatch, backups=[backup(2, NOON)], segments=segments)

        with pytest.raises(LogIncomplete) as refusal:
            found.plan(NOON + 9 * MINUTE)

        assert Segment(1, 7).name in refusal.value.advice
        assert "2026-01-12 12:06:00.000000 UTC" in refusal.value.advice
        assert found.plan(NOON + 6 * MINUTE).data_until_at == NOON + 6 * MINUTE

    def test_one_inside_a_backup_leaves_what_the_backup_before_reaches(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = replace(backup(8, NOON + 8 * MINUTE), end_wal=Segment(1, 9).name)
        segments = [*line(1, 1, 8), *line(1, 10, 12)]
        found = archive(monkeypatch, backups=[backup(2, NOON), broken], segments=segments)

        with pytest.raises(LogIncomplete) as refusal:
            found.plan(None)

        assert "12:08:00" in refusal.value.advice
        assert found.reach_of(broken).until_at is None
        assert found.reach_of(broken).missing == Segment(1, 9).name

    def test_how_far_the_log_leads_is_told_without_refusing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        segments = [*line(1, 1, 6), *line(1, 8, 12)]
        old, new = backup(2, NOON), backup(9, NOON + 9 * MINUTE)
        found = archive(monkeypatch, backups=[old, new], segments=segments)

        assert found.reach_of(old).missing == Segment(1, 7).name
        assert found.reach_of(old).until_at == NOON + 6 * MINUTE
        assert found.reach_of(new).missing == ""
        assert found.reach_of(new).until_at == NOON + 12 * MINUTE
        assert found.behind_the_hole(old) == {s.name for s in line(1, 8, 12)}
        assert found.behind_the_hole(new) == set()

    def test_one_where_timelines_part_is_named_on_the_child(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch = TimelineSwitch(1, Segment(1, 5).start + 100)
        segments = [*line(1, 1, 6), *line(2, 6, 8)]
        found = archive(
            monkeypatch, backups=[backup(2, NOON)], segments=segments, switches={2: [switch]}
        )

        assert found.reach_of(backup(2, NOON)).missing == Segment(2, 5).name

    def test_nothing_is_missing_where_an_abandoned_timeline_went_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch = TimelineSwitch(1, Segment(1, 5).start + 100)
        segments = [*line(1, 1, 30), *line(2, 5, 8)]
        found = archive(
            monkeypatch, backups=[backup(2, NOON)], segments=segments, switches={2: [switch]}
        )

        assert found.reach_of(backup(2, NOON)).missing == ""


class TestEndOfABackup:
    def test_goes_to_where_the_backup_ends_and_no_further(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chosen = backup(2, NOON + 2 * MINUTE)
        backups = [chosen, backup(6, NOON + 6 * MINUTE)]
        plan = archive(monkeypatch, backups=backups, segments=line(1, 1, 9)).plan(
            None, backup_id="b2"
        )

        assert plan.ends_with_backup
        assert plan.backup == chosen
        assert plan.must_replay_lsn < chosen.end_lsn
        assert plan.data_until_at == chosen.ended_at
        assert plan.segments == [s.name for s in line(1, 2, 3)]

    def test_of_a_backup_that_is_gone_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(BackupMissing, match="b7"):
            archive(monkeypatch, backups=[backup(2, NOON)], segments=line(1, 1, 9)).plan(
                None, backup_id="b7"
            )
