import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from incidents.management.commands.import_postmortem import Command
from incidents.models import Incident

DOCUMENT = """\
# The lamp goes out

All times in UTC.

## Timeline

- 2024-03-04 10:00: the lamp goes out
- 10:20: Status update: "We are looking for a bulb."
- 11:00 - 11:10: a new bulb, fully restored
- 11:30: incident resolved

## Root cause

The bulb was old.

## Actions

- Buy spare bulbs (planned April 2024)
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "lamp.md"
    path.write_text(DOCUMENT)
    return path


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("import_postmortem", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


class TestDryRun:
    """Without the mark ``django_db``: a touch of the database would fail these."""

    def test_prints_json_in_the_shape_of_the_ground_truth(self, document: Path) -> None:
        told: dict[str, Any] = json.loads(run(str(document), "--dry-run", "--format", "json"))

        assert [(e["line"], e["start"], e["end"]) for e in told["entries"]] == [
            (7, "2024-03-04T10:00:00Z", None),
            (8, "2024-03-04T10:20:00Z", None),
            (9, "2024-03-04T11:00:00Z", "2024-03-04T11:10:00Z"),
            (10, "2024-03-04T11:30:00Z", None),
        ]
        assert told["entries"][1]["kind"] == "customer_update"
        assert told["entries"][3]["milestone"] == "resolved"
        assert {"precision", "approx", "text60"} <= told["entries"][0].keys()
        assert told["updates"][0]["published_at"] == "2024-03-04T10:20:00Z"
        assert told["causes"] == [{"line": 14, "kind": "primary", "text": "The bulb was old."}]
        assert (told["actions"][0]["state"], told["actions"][0]["due"]) == ("planned", "2024-04")
        assert told["timezone"]["label"] == "UTC"
        assert {finding["code"] for finding in told["lint"]} == {"action_without_owner"}

    def test_prints_text_for_people(self, document: Path) -> None:
        shown = run(str(document), "--dry-run")

        assert "Timeline, 4 entries" in shown
        assert "Lint, 1 finding\n" in shown
        assert "warning action_without_owner (18)" in shown

    def test_reads_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DOCUMENT.encode())))

        assert "The lamp goes out" in run("-", "--dry-run")

    def test_needs_no_server(self) -> None:
        assert Command.embedded_servers(["x.md", "--dry-run"]) == frozenset()
        assert Command.embedded_servers(["x.md"]) == {"postgres"}


class TestRefusals:
    def test_an_open_year_is_asked_for(self, tmp_path: Path) -> None:
        path = tmp_path / "open.md"
        path.write_text(
            "## Timeline\n\n- Sunday Jan 12 10:00: a\n- Jan 12 11:00: b\n\n"
            "## Actions\n\n- Do it (planned February 2026)\n"
        )

        with pytest.raises(CommandError, match="Pass --year 2025 or --year 2026") as refused:
            run(str(path), "--dry-run")

        assert refused.value.returncode == 2
        assert "lines 3" in str(refused.value).replace("(line 3", "(lines 3")

    @pytest.mark.parametrize(
        ("content", "arguments", "words"),
        [
            (b"", [], "empty"),
            (b"\xff\xfe10:00", [], "is no text"),
            (b"10:00 a", ["--timezone", "Mars/Olympus"], "no time zone"),
            (b"10:00 a", ["--year", "3000"], "from 1970 to 2199"),
        ],
    )
    def test_what_cannot_be_read_is_said(
        self, tmp_path: Path, content: bytes, arguments: list[str], words: str
    ) -> None:
        path = tmp_path / "bad.md"
        path.write_bytes(content)

        with pytest.raises(CommandError, match=words):
            run(str(path), "--dry-run", *arguments)

    def test_a_missing_file_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="cannot be read"):
            run(str(tmp_path / "none.md"), "--dry-run")


@pytest.mark.django_db
class TestImport:
    def test_makes_an_incident_of_it(self, document: Path) -> None:
        run(str(document))

        incident = Incident.objects.get()
        assert incident.title == "The lamp goes out"
        assert incident.entries.count() == 4
        assert incident.updates.count() == 1
