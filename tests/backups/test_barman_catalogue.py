"""What barman really prints, read without falling into its traps."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from backups.engines.barman_cloud.catalogue import (
    parse_backup,
    parse_backup_info,
    parse_backup_list,
)
from backups.engines.wal import format_lsn
from backups.errors import ToolFailed

SAMPLES = Path(settings.SHARED_DIR) / "examples" / "engines"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")


class TestParseBackupList:
    @needs_samples
    def test_reads_real_output(self) -> None:
        (record,) = parse_backup_list((SAMPLES / "barman-cloud-backup-list.json").read_text())

        assert record.backup_id == "20261122T234819"
        assert record.label == "base1"
        assert record.is_finished
        assert record.ended_at == datetime(2026, 11, 22, 23, 48, 59, 506098, tzinfo=UTC)
        assert format_lsn(record.begin_lsn) == "0/6D000028"
        assert record.begin_wal == "00000001000000000000006D"
        assert record.major == 17
        assert record.cluster_bytes == 2217921809
        assert record.system_id == 7711146794476087137

    @needs_samples
    def test_shows_one_backup_alike(self) -> None:
        shown = parse_backup((SAMPLES / "barman-cloud-backup-show.json").read_text())
        (listed,) = parse_backup_list((SAMPLES / "barman-cloud-backup-list.json").read_text())

        assert shown == listed

    @needs_samples
    def test_takes_a_failed_backup_for_unfinished(self) -> None:
        said = json.loads((SAMPLES / "barman-cloud-backup-list.json").read_text())
        said["backups_list"][0] |= {"status": "FAILED", "end_time_iso": None, "end_xlog": None}

        (record,) = parse_backup_list(json.dumps(said))

        assert not record.is_finished

    def test_reads_an_empty_catalogue(self) -> None:
        assert parse_backup_list('{"backups_list": []}') == []

    @pytest.mark.parametrize("said", ["", "[]", "{}", '{"backups_list": [{}]}'])
    def test_refuses_what_it_does_not_know(self, said: str) -> None:
        with pytest.raises(ToolFailed, match="cannot be read"):
            parse_backup_list(said)


class TestParseBackupInfo:
    def test_reads_what_barman_writes(self) -> None:
        record = parse_backup_info(
            "backup_name=nightly\n"
            "begin_time=2026-11-22 23:48:19.506098+00:00\n"
            "begin_wal=00000001000000000000006D\n"
            "begin_xlog=0/6D000028\n"
            "cluster_size=2217921809\n"
            "data_checksums=on\n"
            "end_time=2026-11-22 23:48:59.506098+00:00\n"
            "end_wal=00000001000000000000006D\n"
            "end_xlog=0/6D000158\n"
            "error=None\n"
            "status=DONE\n"
            "systemid=7711146794476087137\n"
            "tablespaces=[('fast', 16385, '/srv/fast')]\n"
            "timeline=1\n"
            "version=170010\n"
            "xlog_segment_size=16777216\n",
            "20261122T234819",
        )

        assert record.backup_id == "20261122T234819"
        assert (record.label, record.major, record.timeline) == ("nightly", 17, 1)
        assert record.is_finished
        assert record.ended_at == datetime(2026, 11, 22, 23, 48, 59, 506098, tzinfo=UTC)
        assert format_lsn(record.begin_lsn) == "0/6D000028"
        assert record.tablespaces == {"16385": "/srv/fast"}
        assert record.data_checksums

    def test_takes_one_that_is_being_taken_for_unfinished(self) -> None:
        record = parse_backup_info("status=STARTED\nend_time=None\ntablespaces=None\n", "x")

        assert not record.is_finished
        assert record.label == "x"

    @pytest.mark.parametrize(
        "said", ["", "status=DONE\ntimeline=one\n", "status=DONE\ntablespaces=("]
    )
    def test_refuses_what_it_does_not_know(self, said: str) -> None:
        with pytest.raises(ToolFailed, match="cannot be read"):
            parse_backup_info(said, "x")
