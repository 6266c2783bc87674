"""The importer and the lint are measured on documents whose answers are known."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

DOCUMENT = "# Kettle, 2024-03-04\n\n- 10:00 UTC: cold\n- 10:30 UTC: warm\n- 10:40 UTC: hot\n"
ANSWER = {
    "entries": [
        {"line": 3, "start": "2024-03-04T10:00:00Z", "end": None, "precision": "minute"},
        {"line": 4, "start": "2024-03-04T10:31:00Z", "end": None, "precision": "minute"},
        {"line": 9, "start": "2024-03-04T11:00:00Z", "end": None, "precision": "minute"},
    ],
    "lint_expected": [{"code": "year_conflict"}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kettle.md").write_text(DOCUMENT)
    (tmp_path / "kettle.expected.json").write_text(json.dumps(ANSWER))
    return tmp_path


def test_counts_what_is_found_right_false_and_missed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("score_importer", str(folder), "--format", "json")

    told = json.loads(capsys.readouterr().out)
    (score,) = told["documents"]
    assert (score["wanted"], score["found"], score["invented"], score["timed"]) == (3, 2, 1, 1)
    assert (score["missed"], score["wrong"], score["false"]) == ([9], [4], [5])
    assert (score["recall"], score["precision"], score["times"]) == (2 / 3, 2 / 3, 1 / 2)
    assert (score["lint_recall"], score["lint_missed"]) == (0, ["year_conflict"])
    assert told["together"]["found"] == 2


def test_prints_a_table_with_the_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("score_importer", str(folder))

    printed = capsys.readouterr().out
    assert "kettle" in printed
    assert "missed: 9" in printed
    assert "together" in printed


@pytest.mark.parametrize("name", ["", "absent"])
def test_a_folder_without_answers_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=r"Name (?:one|another)"):
        call_command("score_importer", str(tmp_path / name))
