"""The postmortem at the desk: begun, edited, previewed, reviewed, handed out, brought back."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import operations, queries
from incidents.models import Incident, PostmortemSection

pytestmark = pytest.mark.django_db


@pytest.fixture
def begun(incident: Incident, responder: User) -> Incident:
    operations.begin_postmortem(incident_id=incident.pk, at=timezone.now(), author=responder)
    return incident


def page(desk: Client, incident: Incident) -> str:
    return desk.get(reverse("incidents:postmortem", args=[incident.pk])).content.decode()


def section_of(incident: Incident) -> PostmortemSection:
    return queries.sections(incident.pk)[0]


class TestBegin:
    def test_one_deed_fills_it(self, desk: Client, incident: Incident) -> None:
        assert "Begin the postmortem" in page(desk, incident)

        answer = desk.post(reverse("incidents:postmortem-begin", args=[incident.pk]), follow=True)

        assert "We are looking into it." in answer.content.decode()

    def test_strangers_do_not_learn_of_a_private_one(self, client: Client, begun: Incident) -> None:
        address = reverse("incidents:postmortem", args=[begun.pk])

        assert client.get(address).status_code == 302


class TestSection:
    def test_a_preview_keeps_nothing(self, desk: Client, begun: Incident) -> None:
        section = section_of(begun)

        answer = desk.post(
            reverse("incidents:postmortem-section", args=[section.pk]),
            {"title": "T", "body": "**Loud** <b>", "version": 1, "preview": "1"},
        )

        assert "<strong>Loud</strong> &lt;b&gt;" in answer.content.decode()
        assert section_of(begun).body == "{{summary}}"

    def test_a_conflict_shows_both_and_saves_over_it_when_asked_again(
        self, desk: Client, begun: Incident
    ) -> None:
        section = section_of(begun)
        operations.edit_section(
            section_id=section.pk, title="Summary", body="Theirs", is_public=False,
            at=timezone.now(), author=None,
        )  # fmt: skip
        address = reverse("incidents:postmortem-section", args=[section.pk])

        answer = desk.post(address, {"title": "Summary", "body": "Mine", "version": 1})

        assert answer.status_code == 422
        said = answer.content.decode()
        assert "Theirs" in said
        assert "Mine" in said
        desk.post(address, {"title": "Summary", "body": "Mine", "version": 2})
        assert section_of(begun).body == "Mine"
        assert "<del>Theirs</del>" in desk.get(address).content.decode()

    @pytest.mark.parametrize("name", ["up", "down", "remove", "back", "undo"])
    def test_every_deed_answers(self, desk: Client, begun: Incident, name: str) -> None:
        address = reverse("incidents:postmortem-section-deed", args=[section_of(begun).pk, name])

        assert desk.post(address).status_code == 302

    def test_one_of_your_own(self, desk: Client, begun: Incident) -> None:
        desk.post(reverse("incidents:postmortem-section-add", args=[begun.pk]), {"title": "Money"})

        assert "Money" in page(desk, begun)


class TestReview:
    def test_goes_from_draft_to_published(self, desk: Client, begun: Incident) -> None:
        for name, said in (
            ("ask", "asked to read it"),
            ("return", "a draft again"),
            ("ask", "asked to read it"),
            ("approve", "It is approved"),
            ("publish", "Customers can read"),
            ("withdraw", "off the page"),
        ):
            answer = desk.post(
                reverse("incidents:postmortem-deed", args=[begun.pk, name]),
                {"reason": "Too short"},
                follow=True,
            )

            assert said in answer.content.decode()

    def test_shows_what_customers_will_read(self, desk: Client, begun: Incident) -> None:
        answer = desk.get(reverse("incidents:postmortem-public", args=[begun.pk]))

        assert "We are looking into it." in answer.content.decode()


class TestExport:
    @pytest.mark.parametrize(
        ("form", "begins"), [("md", b"<!-- hw:record"), ("html", b"<!doctype"), ("pdf", b"%PDF")]
    )
    def test_hands_out(self, desk: Client, begun: Incident, form: str, begins: bytes) -> None:
        answer = desk.get(reverse("incidents:postmortem-export", args=[begun.pk, form]))

        assert answer.content.startswith(begins)
        assert answer["Content-Disposition"].startswith(f'attachment; filename="{begun.ref}-')

    def test_comes_back_through_the_import_and_says_that_it_is_here(
        self, desk: Client, begun: Incident
    ) -> None:
        text = desk.get(
            reverse("incidents:postmortem-export", args=[begun.pk, "md"])
        ).content.decode()

        answer = desk.post(reverse("incidents:postmortem-review"), {"text": text})
        assert "on record here already" in answer.content.decode()
        given = {"text": text, "visibility": "internal"}
        desk.post(reverse("incidents:account-confirm"), given)
        assert Incident.objects.count() == 1
        desk.post(reverse("incidents:account-confirm"), given | {"again": "on"})

        assert Incident.objects.count() == 2
