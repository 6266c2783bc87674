"""The lint at the desk, by the API and by its command."""

import io
import json
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from incidents import operations, queries
from incidents.lint import Finding
from incidents.models import Incident, LintDismissal
from tests.factories import NOON, IncidentFactory, ResponderFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db

WRONG = "Restored to Friday 12-01-2026 <script>alert(1)</script>"
DOCUMENT = "# Outage\n\n- Friday 2024-03-04 10:00 UTC: down\n- 2024-03-04 11:00 UTC: resolved\n"


@pytest.fixture
def wrong(incident: Incident) -> Incident:
    TimelineEntryFactory.create(incident=incident, text=WRONG)
    return incident


def _error(incident: Incident) -> Finding:
    return next(
        judged.finding
        for judged in queries.lint_findings(incident.pk)
        if judged.finding.code == "weekday_mismatch"
    )


def _dismiss(incident: Incident, reason: str = "as it was said") -> LintDismissal:
    finding = _error(incident)
    return operations.dismiss_finding(
        incident_id=incident.pk,
        code=finding.code,
        subject=finding.subject,
        reason=reason,
        at=NOON,
        author=None,
    )


class TestTheDesk:
    def test_the_incident_page_fetches_it_only_when_it_is_looked_at(
        self, desk: Client, wrong: Incident
    ) -> None:
        page = desk.get(wrong.get_absolute_url()).content.decode()

        assert reverse("incidents:lint-live", args=[wrong.pk]) in page
        assert "weekday_mismatch" not in page

    @pytest.mark.parametrize("name", ["incidents:lint", "incidents:lint-live"])
    def test_a_finding_links_to_its_entry_and_shows_hostile_words_as_words(
        self, desk: Client, wrong: Incident, name: str
    ) -> None:
        page = desk.get(reverse(name, args=[wrong.pk])).content.decode()

        entry = wrong.entries.get(text=WRONG)
        assert "weekday_mismatch" in page
        assert f"{wrong.get_absolute_url()}#e{entry.pk}" in page
        assert "<script>alert" not in page

    def test_it_may_stand_with_a_reason_and_the_decision_can_be_taken_back(
        self, desk: Client, wrong: Incident
    ) -> None:
        finding = _error(wrong)
        desk.post(
            reverse("incidents:lint-dismiss", args=[wrong.pk]),
            {"code": finding.code, "subject": finding.subject, "reason": "as it was said"},
        )
        page = desk.get(reverse("incidents:lint", args=[wrong.pk])).content.decode()
        dismissal = LintDismissal.objects.get()

        assert "as it was said" in page
        assert finding.message in dismissal.evidence
        assert queries.lint_errors_left(wrong.pk) == 0

        desk.post(reverse("incidents:lint-undismiss", args=[dismissal.pk]))

        assert queries.lint_errors_left(wrong.pk) == 1

    def test_without_a_reason_it_counts(self, desk: Client, wrong: Incident) -> None:
        finding = _error(wrong)
        answer = desk.post(
            reverse("incidents:lint-dismiss", args=[wrong.pk]),
            {"code": finding.code, "subject": finding.subject, "reason": " "},
        )

        assert answer.status_code == 422
        assert "Say why" in answer.content.decode()
        assert queries.lint_errors_left(wrong.pk) == 1

    def test_what_is_found_no_more_is_not_decided_about(
        self, desk: Client, wrong: Incident
    ) -> None:
        answer = desk.post(
            reverse("incidents:lint-dismiss", args=[wrong.pk]),
            {"code": "weekday_mismatch", "subject": "entry:0", "reason": "why not"},
            follow=True,
        )

        assert "does not find this any more" in answer.content.decode()
        assert not LintDismissal.objects.exists()

    def test_a_private_incident_is_not_shown_to_others(self, desk: Client) -> None:
        private = IncidentFactory.create(visibility="private")
        dismissal = operations.dismiss_finding(
            incident_id=private.pk, code="a", subject="", reason="b", at=NOON, author=None
        )

        for name in ("incidents:lint", "incidents:lint-live"):
            assert desk.get(reverse(name, args=[private.pk])).status_code == 404
        for name, pk in (("lint-dismiss", private.pk), ("lint-undismiss", dismissal.pk)):
            assert desk.post(reverse(f"incidents:{name}", args=[pk])).status_code == 404

    def test_it_asks_as_much_for_many_as_for_few(self, desk: Client, wrong: Incident) -> None:
        def asked() -> int:
            with CaptureQueriesContext(connection) as captured:
                desk.get(reverse("incidents:lint-live", args=[wrong.pk]))
            return len(captured)

        asked()
        few = asked()
        for n in range(20):
            TimelineEntryFactory.create(incident=wrong, text=f"{WRONG} {n}")
            wrong.actions.create(text="Do it", created_at=NOON)

        assert asked() == few


class TestTheApi:
    @pytest.fixture
    def api(self) -> APIClient:
        client = APIClient()
        client.force_authenticate(ResponderFactory.create())
        return client

    def test_lists_decides_and_takes_back(self, api: APIClient, wrong: Incident) -> None:
        address = f"/api/desk/v1/incidents/{wrong.pk}/lint/"
        found = next(one for one in api.get(address).json() if one["code"] == "weekday_mismatch")
        asked = {"code": found["code"], "subject": found["subject"], "reason": "as it was said"}

        made = api.post(address, asked, format="json")
        again = next(one for one in api.get(address).json() if one["code"] == found["code"])
        gone = api.delete(f"{address}{made.json()['id']}/")

        assert (found["level"], found["dismissal"], made.status_code) == ("error", None, 201)
        assert again["dismissal"]["reason"] == "as it was said"
        assert again["dismissal"]["dismissed_by"] == "responder"
        assert gone.status_code == 204
        assert queries.lint_errors_left(wrong.pk) == 1

    def test_refuses_what_is_not_found_and_what_has_no_reason(
        self, api: APIClient, wrong: Incident
    ) -> None:
        address = f"/api/desk/v1/incidents/{wrong.pk}/lint/"

        unknown = api.post(address, {"code": "x", "subject": "", "reason": "y"}, format="json")
        without = api.post(address, {"code": "x", "subject": ""}, format="json")

        assert (unknown.status_code, unknown.json()["code"]) == (409, "finding-gone")
        assert without.status_code == 400

    def test_a_private_incident_is_not_found_by_others(self, api: APIClient) -> None:
        private = IncidentFactory.create(visibility="private")

        assert api.get(f"/api/desk/v1/incidents/{private.pk}/lint/").status_code == 404


class TestTheCommand:
    def _call(self, *arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("lint_incident", *arguments, stdout=out)
        except CommandError as error:
            return error.returncode, out.getvalue() + str(error)
        return 0, out.getvalue()

    def test_fails_while_errors_are_left(self, wrong: Incident) -> None:
        code, said = self._call(wrong.ref)
        _dismiss(wrong)
        after, told = self._call(str(wrong.pk))

        assert (code, after) == (3, 0)
        assert "weekday_mismatch" in said
        assert "1 error left" in said
        assert "may stand: as it was said" in told

    def test_strict_counts_warnings(self, incident: Incident) -> None:
        incident.actions.create(text="Nobody's", created_at=NOON)

        assert self._call(incident.ref)[0] == 0
        assert self._call(incident.ref, "--strict")[0] == 3

    def test_json_holds_what_the_api_holds(self, wrong: Incident) -> None:
        _dismiss(wrong)

        (found,) = [
            one
            for one in json.loads(self._call(wrong.ref, "--format", "json")[1])
            if one["code"] == "weekday_mismatch"
        ]

        assert found["dismissed"] == "as it was said"
        assert found["objects"] == found["subject"].split()

    def test_reads_a_document_and_standard_input(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "report.md"
        path.write_text(DOCUMENT)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(DOCUMENT.encode())))

        for name in (str(path), "-"):
            code, said = self._call(name, "--file")
            assert code == 3
            assert "line 3" in said

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (("INC-999999",), 1, "There is no incident"),
            (("report.md",), 1, "add --file"),
            (("/nowhere/report.md", "--file"), 1, "cannot be read"),
        ],
    )
    def test_says_what_to_do_about_what_cannot_be_read(
        self, arguments: tuple[str, ...], code: int, words: str
    ) -> None:
        assert self._call(*arguments)[0] == code
        assert words in self._call(*arguments)[1]

    def test_asks_for_the_year(self, tmp_path: Path) -> None:
        path = tmp_path / "report.md"
        path.write_text("## Timeline\n\n- March 4 10:00 UTC: down\n- March 4 11:00 UTC: up\n")

        code, said = self._call(str(path), "--file")

        assert code == 2
        assert "--year" in said
        assert self._call(str(path), "--file", "--year", "2024")[0] == 0

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "report.md"
        path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x01")

        assert "no text" in self._call(str(path), "--file")[1]
