"""The importer against real documents and the answers that careful readers gave.

The documents are not part of the project; where they are absent, these tests are skipped.
"""

import json
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from incidents.importer import Entry, Reading, YearUnclear, read_postmortem
from incidents.importer.reading import read_iso
from incidents.lint import lint

FOUNDING = "vtb-database-restore"
PUBLIC = (
    "dfds-pm2020-007",
    "google-sre-shakespeare-2015",
    "hachyderm-2022-12-13",
    "k8s-prow-2019-01-23",
    "moj-2024-07-25",
    "rust-docsrs-2019-10-21",
)
STORY = Path(settings.BASE_DIR) / "config" / "story" / "database-restore.md"


def shared(*parts: str) -> Path:
    path = Path(settings.SHARED_DIR).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the shared folder has no {'/'.join(parts)} here")
    return path


def document(name: str) -> str:
    if name == FOUNDING:
        return shared("report", f"{name}.txt").read_text()
    return shared("examples", "postmortems", f"{name}.md").read_text()


def truth(name: str) -> dict[str, Any]:
    path = shared("examples", "postmortems", f"{name}.expected.json")
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def read(name: str) -> Reading:
    return read_postmortem(document(name), year=2026 if name == FOUNDING else None)


def is_same_text(found: Entry, wanted: str) -> bool:
    alike = SequenceMatcher(None, found.text60, wanted).ratio()
    return alike >= 0.8 or found.text60.startswith(wanted) or wanted.startswith(found.text60)


@pytest.mark.parametrize("name", [FOUNDING, *PUBLIC])
class TestAgainstGroundTruth:
    def test_finds_every_entry_and_no_other(self, name: str) -> None:
        answer = truth(name)

        found = [entry.line for entry in read(name).entries]

        optional = {entry["line"] for entry in answer.get("optional_entries", [])}
        assert [n for n in found if n not in optional] == [e["line"] for e in answer["entries"]]

    def test_resolves_every_time(self, name: str) -> None:
        by_line = {entry.line: entry for entry in read(name).entries}

        for wanted in truth(name)["entries"]:
            found = by_line[wanted["line"]]
            assert read_iso(found.start) == read_iso(wanted["start"]), wanted
            assert read_iso(found.end) == read_iso(wanted["end"]), wanted
            assert (found.precision, found.approx) == (wanted["precision"], wanted["approx"])
            assert found.date_source == wanted["date_source"]
            assert is_same_text(found, wanted["text60"]), found.text60

    def test_leaves_traps_alone(self, name: str) -> None:
        lines = {entry.line for entry in read(name).entries}

        for trap in truth(name).get("must_not_extract", []):
            assert not lines & set(range(trap["line"], trap.get("to_line", trap["line"]) + 1))

    def test_lint_finds_what_a_reader_finds(self, name: str) -> None:
        found = lint(read(name))

        for wanted in truth(name)["lint_expected"]:
            same = [finding for finding in found if finding.code == wanted["code"]]
            assert same, wanted
            lines = {line for finding in same for line in finding.lines}
            entries = {n for finding in same for n in finding.entries}
            assert lines >= set(wanted.get("lines", []))
            assert entries >= set(wanted.get("entries", []))


class TestFoundingReport:
    def test_asks_for_the_year_and_shows_both_readings(self) -> None:
        with pytest.raises(YearUnclear) as refused:
            read_postmortem(document(FOUNDING))

        assert {reading.year: reading.lines for reading in refused.value.readings} == {
            2025: (8, 16, 20, 23, 27),
            2026: (21, 39, 40),
        }

    def test_can_be_read_as_the_other_year(self) -> None:
        reading = read_postmortem(document(FOUNDING), year=2025)

        assert reading.entries[4].start == "2025-01-12T00:11:00+01:00"
        codes = {finding.code for finding in lint(reading)}
        assert "year_conflict" in codes
        assert "weekday_mismatch" not in codes

    def test_gives_26_entries_7_updates_4_causes_and_7_actions(self) -> None:
        reading, answer = read(FOUNDING), truth(FOUNDING)

        assert len(reading.entries) == 26
        assert [
            {"line": update.line, "published_at": update.published_at} for update in reading.updates
        ] == answer["customer_updates"]
        assert [(cause.line, cause.kind) for cause in reading.causes] == [
            (cause["line"], cause["kind"]) for cause in answer["causes"]
        ]
        assert [(a.line, a.state, a.done, a.due) for a in reading.actions] == [
            (a["line"], a["state"], a.get("done"), a.get("due")) for a in answer["action_items"]
        ]

    def test_finds_kinds_milestones_and_tags(self) -> None:
        by_line = {entry.line: entry for entry in read(FOUNDING).entries}

        for wanted in truth(FOUNDING)["entries"]:
            found = by_line[wanted["line"]]
            assert set(found.tags) >= set(wanted["tags"])
            kind = "update" if wanted["kind"] == "customer_update" else wanted["kind"]
            assert found.kind == kind
            if wanted.get("milestone") == "trigger":
                assert "trigger" in found.tags
            elif "milestone" in wanted:
                assert found.milestone == wanted["milestone"]

    def test_names_16_kinds_of_finding(self) -> None:
        codes = {finding.code for finding in lint(read(FOUNDING))}

        assert codes == {finding["code"] for finding in truth(FOUNDING)["lint_expected"]}
        assert len(codes) == 16


class TestStory:
    """The founding report in the project's own words, which the demonstration imports."""

    def test_has_the_times_of_the_report(self) -> None:
        told = read_postmortem(STORY.read_text()).entries

        assert [(e.start, e.end, e.precision) for e in told] == [
            (e["start"], e["end"], e["precision"]) for e in truth(FOUNDING)["entries"]
        ]

    def test_has_its_updates_causes_and_actions(self) -> None:
        reading = read_postmortem(STORY.read_text())

        assert (len(reading.entries), len(reading.updates)) == (26, 7)
        assert [cause.kind for cause in reading.causes] == [
            "primary",
            "contributing",
            "scale",
            "process",
        ]
        assert [action.state for action in reading.actions] == [
            *["done"] * 4,
            *["planned"] * 2,
            "in_progress",
        ]
        assert reading.timezone is not None
        assert (reading.timezone.label, reading.year) == ("CET", 2026)
        assert {e.milestone for e in reading.entries} - {""} == {
            "started",
            "detected",
            "first_update",
            "mitigated",
            "recovered",
            "resolved",
        }

    def test_copies_no_sentence(self) -> None:
        report = " ".join(document(FOUNDING).split()).lower()

        words = " ".join(STORY.read_text().split()).lower().split()
        runs = (" ".join(words[n : n + 8]) for n in range(len(words) - 7))
        assert [run for run in runs if run in report] == []
