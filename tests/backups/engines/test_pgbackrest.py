"""What pgBackRest really prints, read without falling into its traps."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from backups.engines.base import Kind
from backups.engines.pgbackrest.info import parse_info
from backups.engines.wal import format_lsn
from backups.errors import EngineFailed, ToolFailed

SAMPLES = Path(settings.SHARED_DIR) / "examples" / "engines"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")


def sample() -> str:
    return (SAMPLES / "pgbackrest-info.json").read_text(encoding="utf-8")


class TestParseInfo:
    @needs_samples
    def test_reads_real_output(self) -> None:
        info = parse_info(sample(), "main")

        full, incremental = info.backups
        assert full.backup_id == full.label == "20261123-000452F"
        assert full.kind is Kind.FULL
        # The tool cuts the second off; by the end of it the backup has ended for sure.
        assert full.ended_at == datetime(2026, 11, 23, 0, 4, 56, tzinfo=UTC)
        assert format_lsn(full.begin_lsn) == "0/12000028"
        assert full.begin_wal == "000000010000000000000012"
        assert full.segment_bytes == 16 * 1024 * 1024
        assert (full.major, full.timeline) == (15, 1)
        assert full.system_id == 7711151149023831336
        assert full.cluster_bytes == 336787192
        assert incremental.kind is Kind.INCREMENTAL
        assert incremental.parent == full.backup_id
        assert info.references == {full.backup_id: (), incremental.backup_id: [full.backup_id]}
        assert info.archive_id == "15-1"

    @needs_samples
    def test_knows_the_size_of_a_segment_from_where_it_lies(self) -> None:
        said = json.loads(sample())
        said[0]["backup"][0]["archive"] = {
            "start": "000000010000000000000004",
            "stop": "000000010000000000000004",
        }

        assert parse_info(json.dumps(said), "main").backups[0].segment_bytes == 64 * 1024 * 1024

    @needs_samples
    def test_follows_the_newest_cluster_of_a_stanza(self) -> None:
        said = json.loads(sample())
        newer = {**said[0]["archive"][0], "id": "16-2", "database": {"id": 2, "repo-key": 1}}
        said[0]["archive"].insert(0, newer)

        assert parse_info(json.dumps(said), "main").archive_id == "16-2"

    @needs_samples
    def test_refuses_a_repository_that_it_cannot_read(self) -> None:
        said = json.loads(sample())
        said[0]["cipher"] = "aes-256-cbc"

        with pytest.raises(EngineFailed) as told:
            parse_info(json.dumps(said), "main")

        assert "encrypted by pgBackRest" in told.value.advice

    @pytest.mark.parametrize("said", ["[]", '[{"name": "another"}]'])
    def test_knows_nothing_of_a_stanza_that_is_not_there(self, said: str) -> None:
        assert parse_info(said, "main").backups == ()

    @pytest.mark.parametrize("said", ["", '[{"name": "main"}]', "[1]"])
    def test_refuses_what_it_does_not_know(self, said: str) -> None:
        with pytest.raises(ToolFailed, match="cannot be read"):
            parse_info(said, "main")
