"""The lint over the record: the same findings as over the document that it was imported from."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import operations, queries
from incidents.importer import Reading, Told, read_postmortem
from incidents.lint import CHECKS, Finding, Level, lint
from incidents.models import Incident
from incidents.values import ImpactKind, Milestone, Precision, When
from tests.factories import NOON, IncidentFactory

REPORT: Path = settings.SHARED_DIR / "report" / "vtb-database-restore.txt"

_TWO = """\
# Incidents

## Outage of the shop on 2024-03-08

- 10:00 UTC the shop goes down
- 10:30 UTC resolved

## Outage of the tours on 2024-03-04

- 10:00 UTC the tours go down
- 10:30 UTC resolved
"""

pytestmark = pytest.mark.django_db


@pytest.fixture
def reading() -> Reading:
    return read_postmortem(_text(), year=2026)


@pytest.fixture
def imported(reading: Reading) -> Incident:
    return operations.import_reading(
        reading=reading, text=_text(), title="The lost database", source_name="report.txt",
        at=NOON, author=None,
    )  # fmt: skip


def _text() -> str:
    if not REPORT.exists():
        pytest.skip("the founding report is not here")
    return REPORT.read_text()


def _found(incident: Incident) -> list[Finding]:
    return [judged.finding for judged in queries.lint_findings(incident.pk)]


def _lines(incident: Incident, finding: Finding) -> set[int]:
    """Return the lines of the document in which the rows of a finding stand."""
    lines: dict[str, int | None] = {}
    for kind, rows in (
        ("entry", incident.entries),
        ("action", incident.actions),
        ("cause", incident.causes),
    ):
        lines |= {f"{kind}:{row.pk}": row.import_line for row in rows.all()}
    return {
        lines[name] or 0 if name in lines else int(name.partition(":")[2])
        for name in finding.objects
    }


class TestTheFoundingReport:
    def test_record_and_document_say_the_same(self, imported: Incident, reading: Reading) -> None:
        of_document = {(f.code, f.level, frozenset(f.lines)) for f in lint(reading)}

        of_record = {(f.code, f.level, frozenset(_lines(imported, f))) for f in _found(imported)}

        assert of_record == of_document

    def test_a_year_put_right_settles_the_weekdays(self, imported: Incident) -> None:
        for entry in imported.entries.exclude(at=None):
            assert entry.at is not None
            entry.at = entry.at.replace(year=2025)
            entry.until = entry.until and entry.until.replace(year=2025)
            entry.save()

        assert not [f for f in _found(imported) if f.code == "weekday_mismatch"]

    def test_a_time_put_right_is_told_against_the_document(self, imported: Incident) -> None:
        entry = imported.entries.get(import_line=7)
        assert entry.at is not None
        entry.at = entry.at + timedelta(minutes=5)
        entry.save()

        told = [f for f in _found(imported) if f.code == "fact_disagrees_across_documents"]

        assert [f.objects for f in told] == [(f"entry:{entry.pk}",)]
        assert "the imported document" in told[0].message

    def test_an_entry_taken_off_is_told_of_no_more(self, imported: Incident) -> None:
        entry = imported.entries.get(import_line=22)
        operations.delete_entry(entry_id=entry.pk, at=NOON, author=None, version=entry.version)

        assert not [f for f in _found(imported) if f.code == "fully_restored_twice"]


class TestWhatWasToldOfTheDocument:
    """A year, a day, an order of numbers, a part: read again, it is read as it was imported."""

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("## Timeline\n\n- 10:00 down\n- 10:30 service restored\n", Told(day=NOON.date())),
            (
                "## Timeline\n\n- 03/04/2021 10:00 UTC down\n- 03/04/2021 10:30 UTC restored\n",
                Told(day_first=True),
            ),
            (
                "## Timeline\n\n- 03/04/2021 10:00 UTC down\n- 03/04/2021 10:30 UTC restored\n",
                Told(day_first=False),
            ),
            ("## Timeline\n\n- 4 July 10:00 down\n- 10:30 restored\n",
             Told(year=2021, timezone="Europe/Amsterdam")),
            (
                _TWO,
                Told(part=2),
            ),
        ],
    )  # fmt: skip
    def test_nothing_differs_from_it(self, text: str, told: Told) -> None:
        reading = read_postmortem(text, told=told)
        incident = operations.import_reading(
            reading=reading, text=text, title="T", source_name="t.md", at=NOON, author=None
        )

        assert [f.code for f in _found(incident)] == [f.code for f in lint(reading)]


class TestDismissals:
    def test_the_decision_stays_while_the_finding_does(self, imported: Incident) -> None:
        _dismiss_all(imported, Level.ERROR)

        assert queries.lint_errors_left(imported.pk) == 0
        assert {
            judged.dismissal.reason
            for judged in queries.lint_findings(imported.pk)
            if judged.dismissal is not None
        } == {"2026 it is"}

    def test_about_fewer_rows_it_still_holds(self, imported: Incident) -> None:
        _dismiss_all(imported, Level.WARNING)
        action = imported.actions.get(import_line=41)
        action.owner_label = "Ana"
        action.save()

        assert not _open(imported, "action_without_owner")

    def test_the_same_about_other_rows_is_a_new_finding(self, imported: Incident) -> None:
        _dismiss_all(imported, Level.WARNING)
        imported.actions.create(text="Nobody's", created_at=NOON)

        assert len(_open(imported, "action_without_owner")) == 1

    def test_taken_back_it_counts_again(self, imported: Incident) -> None:
        _dismiss_all(imported, Level.ERROR)
        dismissal = imported.lint_dismissals.get(code="year_conflict")

        for _time in range(2):
            operations.undismiss_finding(dismissal_id=dismissal.pk, at=NOON, author=None)

        assert queries.lint_errors_left(imported.pk) == 1

    def test_a_reason_is_needed(self, imported: Incident) -> None:
        with pytest.raises(operations.DismissalNeedsAReason):
            operations.dismiss_finding(
                incident_id=imported.pk, code="year_conflict", subject="", reason="  ",
                at=NOON, author=None,
            )  # fmt: skip

    def test_what_is_not_found_cannot_be_decided_about(self, imported: Incident) -> None:
        with pytest.raises(queries.FindingGone):
            queries.lint_finding(imported.pk, code="year_conflict", subject="entry:0")


class TestALiveRecord:
    def test_a_calm_one_has_no_finding(self) -> None:
        incident = _live()

        assert [f for f in _found(incident) if f.code != "update_gap"] == []

    def test_impact_text_and_summary_are_held_against_the_timeline(self) -> None:
        incident = _live()
        incident.summary = "Tours were unavailable from 11:00 on. The outage lasted 3 hours."
        incident.save()
        incident.impacts.create(kind=ImpactKind.OUTAGE, at=NOON + timedelta(minutes=9))

        codes = {f.code for f in _found(incident)}

        assert {"impact_start_disagrees", "milestone_without_entry", "metric_disagrees"} <= codes

    def test_a_part_that_tells_the_same_at_another_time_is_found(self) -> None:
        incident = _live()
        part = IncidentFactory.create(title="A part", parent=incident)
        private = IncidentFactory.create(title="Secret", parent=incident, visibility="private")
        for other, minutes in ((part, 30), (private, 40)):
            operations.add_entry(
                incident_id=other.pk, text="An alert pages the engineer on call",
                when=When(at=NOON + timedelta(minutes=minutes)), at=NOON + timedelta(hours=2),
                author=None,
            )  # fmt: skip

        told = [f for f in _found(incident) if f.code == "fact_disagrees_across_documents"]

        assert len(told) == 1
        assert part.ref in told[0].message

    def test_dates_in_its_words_are_checked(self) -> None:
        incident = _live(note="Data from before Friday 09-01-2025 is missing; see <b>12-13-2026")

        codes = {f.code for f in _found(incident)}

        assert {"weekday_mismatch", "ambiguous_day_month", "year_conflict"} & codes

    def test_an_entry_without_a_time_is_noticed(self) -> None:
        incident = _live()
        operations.add_entry(
            incident_id=incident.pk, text="Somebody restarted it", when=When.unknown("some day"),
            at=NOON, author=None,
        )  # fmt: skip

        assert "unknown_time" in {f.code for f in _found(incident)}


def _live(note: str = "Looked into the logs") -> Incident:
    incident = IncidentFactory.create()
    for minutes, text, milestone in (
        (0, "The site goes down", Milestone.STARTED),
        (5, "An alert pages the engineer on call", Milestone.DETECTED),
        (20, note, ""),
        (40, "Service restored", Milestone.RECOVERED),
    ):
        operations.add_entry(
            incident_id=incident.pk, text=text, milestone=milestone,
            when=When(at=NOON + timedelta(minutes=minutes)), at=NOON + timedelta(hours=2),
            author=None,
        )  # fmt: skip
    return incident


def _open(incident: Incident, code: str) -> list[Finding]:
    return [
        judged.finding
        for judged in queries.lint_findings(incident.pk)
        if judged.finding.code == code and judged.dismissal is None
    ]


def _dismiss_all(incident: Incident, level: Level) -> None:
    for finding in _found(incident):
        if finding.level == level:
            operations.dismiss_finding(
                incident_id=incident.pk, code=finding.code, subject=finding.subject,
                reason="2026 it is", evidence=finding.evidence, at=NOON, author=None,
            )  # fmt: skip


def test_it_asks_as_much_for_a_thousand_entries_as_for_few() -> None:
    incident = _live()

    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            queries.lint_findings(incident.pk)
        return len(captured)

    few = asked()
    incident.entries.bulk_create(
        incident.entries.model(
            incident=incident, at=NOON + timedelta(seconds=n), position=n, recorded_at=NOON,
            precision=Precision.MINUTE,
            text=f"Restore of database {n} is completed; tours were down from 11:{n % 60:02d}",
        )
        for n in range(1000)
    )  # fmt: skip

    assert asked() == few
    assert len(CHECKS) == len({check.__name__ for check in CHECKS})
