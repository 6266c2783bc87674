"""A written postmortem becomes a record: the founding report, from where it is kept."""

from pathlib import Path

import pytest
from django.conf import settings

from incidents import operations, queries
from incidents.importer import read_postmortem
from incidents.models import Incident
from incidents.values import IncidentKind, Phase, Precision, Visibility
from tests.factories import NOON

pytestmark = pytest.mark.django_db

REPORT: Path = settings.SHARED_DIR / "report" / "vtb-database-restore.txt"


def _import(**arguments: object) -> Incident:
    if not REPORT.exists():
        pytest.skip(f"{REPORT.name} is not here")
    text = REPORT.read_text(encoding="utf-8")
    return operations.import_reading(
        reading=read_postmortem(text, year=2026),
        text=text,
        title="Database restore",
        source_name=REPORT.name,
        at=NOON.replace(month=6),
        author=None,
        **arguments,  # type: ignore[arg-type]
    )


class TestImportReading:
    def test_keeps_every_entry_update_cause_and_action(self) -> None:
        incident = _import()

        assert incident.entries.count() == 26
        assert incident.updates.published().count() == 7
        assert incident.causes.count() == 4
        assert incident.actions.count() == 7
        assert [entry.import_line for entry in queries.timeline(incident.pk)] == [
            1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 24, 25, 26,
            28, 29, 30,
        ]  # fmt: skip

    def test_its_figures_are_those_of_the_report(self) -> None:
        incident = _import()

        found = queries.figures(incident, at=NOON).measured()
        figures = {name.value: str(span.low) for name, span in found.items() if span is not None}
        assert all(span.is_exact for span in found.values() if span is not None)
        assert figures["detect"] == "0:16:00"
        assert figures["first_update"] == "8:00:00"
        assert figures["mitigate"] == "1 day, 6:41:00"
        assert figures["recover"] == "3 days, 6:33:00"
        assert figures["resolve"] == "3 days, 9:53:00"
        assert figures["longest_silence"] == "1 day, 4:38:00"

    def test_is_over_and_internal_unless_told_otherwise(self) -> None:
        incident = _import()

        assert incident.kind == IncidentKind.BACKFILLED
        assert incident.phase == Phase.RESOLVED
        assert not queries.public_incidents().exists()

    def test_made_public_it_shows_what_customers_were_told_with_its_own_times(self) -> None:
        incident = _import(visibility=Visibility.PUBLIC)

        shown = queries.public_incidents().get()
        assert len(shown.told) == 7
        assert shown.told[-1].published_at.isoformat() == "2026-01-12T07:14:00+00:00"
        assert not any(update.deliver_notifications for update in shown.told)
        assert shown.told[0].phase == Phase.RESOLVED
        assert incident.updated_at == shown.told[0].published_at

    def test_leaves_out_what_the_reviewer_unticked(self) -> None:
        incident = _import(skip_lines={1, 11, 31, 41})

        assert incident.entries.count() == 24
        assert incident.updates.count() == 6
        assert incident.causes.count() == 3
        assert incident.actions.count() == 6

    def test_keeps_coarse_times_as_they_were_promised(self) -> None:
        incident = _import()

        planned = incident.actions.get(import_line=39)
        assert planned.due_precision == Precision.MONTH
        done = incident.actions.get(import_line=35)
        assert (done.done_until or NOON).day == 16
        assert incident.postmortem.document.startswith("In the days before")


class TestDismissFinding:
    def test_keeps_the_reason(self) -> None:
        incident = _import()

        for reason in ("read as 2026", "the actions say 2026"):
            operations.dismiss_finding(
                incident_id=incident.pk,
                code="weekday_mismatch",
                subject="line:8 line:16 line:23 line:27",
                reason=reason,
                evidence="lines 8, 16, 23, 27",
                at=NOON,
                author=None,
            )

        dismissal = incident.lint_dismissals.get()
        assert dismissal.reason == "the actions say 2026"
        assert queries.revisions(dismissal).get().data["reason"] == "read as 2026"
