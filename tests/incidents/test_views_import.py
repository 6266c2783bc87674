"""A postmortem is pasted, questioned, looked at line by line, and kept but for the unticked."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from incidents.models import Incident
from incidents.values import IncidentKind

pytestmark = pytest.mark.django_db

INVALID = 422
REPORT: Path = settings.SHARED_DIR / "report" / "vtb-database-restore.txt"

SHORT = """Checkout was down

Timeline (UTC)
2026-03-02 10:00: The database stops answering.
2026-03-02 10:05: The on-call engineer is alerted.
2026-03-02 10:40: Checkout works again.

Action items
- Test the failover (planned April 2026)
"""


@pytest.fixture
def report() -> str:
    if not REPORT.exists():
        pytest.skip(f"{REPORT.name} is not here")
    return REPORT.read_text(encoding="utf-8")


REVIEW, CONFIRM = "incidents:postmortem-review", "incidents:postmortem-confirm"


def _numbers(page: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="(\d+)"', page)


class TestReview:
    def test_an_empty_paste_is_answered(self, desk: Client) -> None:
        answer = desk.post(reverse(REVIEW), {"text": ""})

        assert answer.status_code == INVALID
        assert "This field is required" in answer.content.decode()

    def test_a_zone_that_is_not_there_is_answered_beside_its_field(self, desk: Client) -> None:
        answer = desk.post(reverse(REVIEW), {"text": SHORT, "timezone": "Mars/Base"})

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "There is no time zone" in page
        assert "pasted_timezone_error" in page

    def test_shows_each_line_beside_what_was_read(self, desk: Client) -> None:
        answer = desk.post(reverse(REVIEW), {"text": SHORT})

        page = answer.content.decode()
        assert answer.status_code == 200
        assert _numbers(page, "keep") == ["4", "5", "6", "9"]
        assert "Mon 2 Mar 2026, 10:05" in page
        assert "Action: planned" in page
        assert not Incident.objects.exists()

    def test_asks_which_year_with_the_evidence_of_both(self, desk: Client, report: str) -> None:
        answer = desk.post(reverse(REVIEW), {"text": report})

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "It is 2025" in page
        assert "It is 2026" in page
        assert "January 12th (Sunday)" in page
        assert not Incident.objects.exists()

    def test_the_founding_report_is_read_whole(self, desk: Client, report: str) -> None:
        page = desk.post(reverse(REVIEW), {"text": report, "year": "2026"}).content.decode()

        # 26 entries, 4 causes and 7 action items, each on a line of its own.
        assert len(_numbers(page, "keep")) == 26 + 4 + 7
        assert page.count("Update to customers") == 7
        assert "is a Monday, not a Sunday" in page

    def test_a_file_in_an_older_encoding_is_read_and_the_guess_is_said(self, desk: Client) -> None:
        content = SHORT.replace("Checkout", "Caf\u00e9").encode("cp1252")

        answer = desk.post(reverse(REVIEW), {"file": SimpleUploadedFile("cafe.md", content)})

        page = answer.content.decode()
        assert "Caf\u00e9 was down" in page
        assert "taken for Windows-1252" in page
        assert 'value="cafe.md"' in page

    def test_a_picture_is_answered_beside_its_field(self, desk: Client) -> None:
        picture = SimpleUploadedFile("a.png", b"\x89PNG\r\n\x1a\n\x00\x00")

        answer = desk.post(reverse(REVIEW), {"file": picture})

        assert answer.status_code == INVALID
        assert "The file is no text" in answer.content.decode()

    def test_asks_once_for_the_zone(self, desk: Client) -> None:
        text = SHORT.replace(" (UTC)", "")

        asked = desk.post(reverse(REVIEW), {"text": text}).content.decode()
        told = desk.post(reverse(REVIEW), {"text": text, "timezone": "CET"}).content.decode()

        assert "The times name no zone" in asked
        assert "The times name no zone" not in told

    def test_asks_once_for_the_day(self, desk: Client) -> None:
        text = "Kettle\n\n- 10:00 UTC: cold\n- 10:30 UTC: warm\n"

        asked = desk.post(reverse(REVIEW), {"text": text}).content.decode()
        told = desk.post(reverse(REVIEW), {"text": text, "day": "2026-03-02"}).content.decode()

        assert "The times have no date" in asked
        assert "The times have no date" not in told
        assert "Mon 2 Mar 2026, 10:30" in told

    def test_lists_lines_that_led_to_nothing_and_folds_the_others(self, desk: Client) -> None:
        text = SHORT + "\n## Lessons\n\nThe alert of 10:05 came late.\n\nNobody was told.\n"

        page = desk.post(reverse(REVIEW), {"text": text}).content.decode()

        assert "1 line with a time that led to nothing" in page
        assert "without a time</summary>" in page

    def test_offers_one_of_several_incidents_and_takes_it(self, desk: Client) -> None:
        text = "".join(
            f"## Outage of {day}: doors\n\n- {day} 10:00 UTC: shut\n- {day} 11:00 UTC: open\n\n"
            for day in ("2026-03-02", "2026-04-02")
        )

        asked = desk.post(reverse(REVIEW), {"text": text}).content.decode()
        taken = desk.post(reverse(REVIEW), {"text": text, "part": "2"}).content.decode()

        assert "It tells of 2 incidents" in asked
        assert _numbers(asked, "part") == ["1", "2"]
        assert _numbers(taken, "keep") == ["8", "9"]

    def test_warns_of_what_was_imported_before(self, desk: Client) -> None:
        fields = {"text": SHORT, "source_name": "doors.md", "title": "x", "visibility": "internal"}
        desk.post(reverse(CONFIRM), {**fields, "keep": ["4"]})

        words = desk.post(reverse(REVIEW), {"text": SHORT}).content.decode()
        other = {"text": SHORT + "\nMore.", "source_name": "Doors.md"}
        name = desk.post(reverse(REVIEW), other).content.decode()
        neither = desk.post(reverse(REVIEW), {"text": SHORT + "\nMore."}).content.decode()

        assert "has the same document, to the letter" in words
        assert "has a document of the same name" in name
        assert "Imported before" not in neither


class TestConfirm:
    def test_keeps_what_is_ticked(self, desk: Client) -> None:
        answer = desk.post(
            reverse(CONFIRM),
            {
                "text": SHORT,
                "title": "Checkout was down",
                "visibility": "internal",
                "keep": ["4", "6"],
            },
        )

        incident = Incident.objects.get()
        assert answer["Location"] == incident.get_absolute_url()
        assert incident.kind == IncidentKind.BACKFILLED
        lines = incident.entries.order_by("import_line").values_list("import_line", flat=True)
        assert list(lines) == [4, 6]
        assert not incident.actions.exists()

    def test_without_a_title_it_stays_with_its_ticks(self, desk: Client) -> None:
        answer = desk.post(
            reverse(CONFIRM),
            {"text": SHORT, "title": "", "visibility": "internal", "keep": ["4", "6"]},
        )  # fmt: skip

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert re.search(r'value="4" checked', page)
        assert not re.search(r'value="5" checked', page)
        assert not Incident.objects.exists()

    def test_with_nothing_ticked_it_asks_for_something(self, desk: Client) -> None:
        answer = desk.post(
            reverse(CONFIRM), {"text": SHORT, "title": "x", "visibility": "internal"}
        )

        assert answer.status_code == INVALID
        assert "Tick at least one line" in answer.content.decode()
        assert not Incident.objects.exists()

    def test_the_document_is_kept_to_the_letter(self, desk: Client) -> None:
        desk.post(
            reverse(CONFIRM),
            {
                "text": SHORT.replace("\n", "\r\n"),
                "title": "x",
                "visibility": "internal",
                "keep": ["4"],
            },
        )

        assert Incident.objects.get().postmortem.document == SHORT

    def test_without_the_year_it_asks_again(self, desk: Client, report: str) -> None:
        answer = desk.post(
            reverse(CONFIRM), {"text": report, "title": "x", "visibility": "internal"}
        )

        assert answer.status_code == INVALID
        assert "Which year is it?" in answer.content.decode()

    def test_the_choice_of_the_year_stays_on_record(self, desk: Client, report: str) -> None:
        page = desk.post(reverse(REVIEW), {"text": report, "year": "2026"}).content.decode()

        desk.post(
            reverse(CONFIRM),
            {"text": report, "year": "2026", "title": "The lost database",
             "visibility": "public",
             "keep": _numbers(page, "keep")},
        )  # fmt: skip

        incident = Incident.objects.get()
        assert incident.entries.count() == 26
        assert incident.updates.count() == 7
        assert incident.causes.count() == 4
        assert incident.actions.count() == 7
        assert "2026 was chosen" in incident.lint_dismissals.filter(code="year_conflict")[0].reason
        assert "2025" in incident.lint_dismissals.filter(code="year_conflict")[0].evidence
