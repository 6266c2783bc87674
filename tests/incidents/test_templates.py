"""Messages that are prepared: kept, chosen, filled in, and watched for blanks."""

from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from incidents import operations
from incidents.forms.messages import blanks_in
from incidents.models import Incident, MessageTemplate, StatusUpdate
from incidents.values import ComponentStatus, Phase, Severity, TemplateKind
from tests.factories import ComponentFactory

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


@pytest.fixture
def slow() -> MessageTemplate:
    return operations.add_message_template(
        kind=TemplateKind.UPDATE,
        name="Storage is slow",
        body="The storage is slow since [time].",
        phase=Phase.IDENTIFIED,
        components=[ComponentFactory.create().pk],
        component_status=ComponentStatus.DEGRADED_PERFORMANCE,
    )


class TestBlanks:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("Since [time], {component} is slow. Since [time].", ["[time]", "{component}"]),
            ("Read [the terms](https://example.org).", []),
            ("An empty [] pair, and one [\nover lines].", []),
        ],
    )
    def test_are_brackets_that_are_no_links(self, text: str, found: list[str]) -> None:
        assert blanks_in(text) == found


class TestMessageTemplate:
    def test_has_a_name_of_its_own_among_its_kind(self, slow: MessageTemplate) -> None:
        operations.add_message_template(kind=TemplateKind.INCIDENT, name=slow.name, title="Slow")

        with pytest.raises(operations.TemplateNameTaken):
            operations.add_message_template(kind=TemplateKind.UPDATE, name=slow.name, body="Slow")

    def test_says_something(self) -> None:
        with pytest.raises(operations.TemplateIsEmpty):
            operations.add_message_template(kind=TemplateKind.UPDATE, name="Nothing")
        with pytest.raises(IntegrityError, match="says_something"):
            MessageTemplate.objects.create(kind=TemplateKind.UPDATE, name="Nothing")

    def test_is_kept_changed_and_removed_at_the_desk(self, desk: Client) -> None:
        tours = ComponentFactory.create()
        words = {"name": "Down", "title": "Tours do not open", "body": "", "severity": "sev1",
                 "components": [tours.pk], "component_status": "major_outage"}  # fmt: skip

        desk.post(_url("ready-add", "incident"), words)
        template = MessageTemplate.objects.get()
        desk.post(_url("ready-edit", template.pk), words | {"body": "We are on it."})
        template.refresh_from_db()

        assert (template.title, template.severity) == ("Tours do not open", Severity.SEV1)
        assert template.body == "We are on it."
        assert list(template.components.all()) == [tours]
        assert "We are on it." in desk.get(_url("ready-list")).content.decode()
        desk.post(_url("ready-remove", template.pk))
        assert not MessageTemplate.objects.exists()

    def test_that_names_components_says_how_they_suffer(self, desk: Client) -> None:
        words = {"name": "Down", "body": "Down", "components": [ComponentFactory.create().pk]}

        answer = desk.post(_url("ready-add", "update"), words)

        assert answer.status_code == INVALID
        assert "Say how these components suffer." in answer.content.decode()


class TestFillingIn:
    def test_by_the_address_fills_the_form(
        self, desk: Client, incident: Incident, slow: MessageTemplate
    ) -> None:
        page = desk.get(f"{incident.get_absolute_url()}?template={slow.pk}")

        form = page.context["telling"].form
        assert form["body"].value() == slow.body
        assert form["phase"].value() == Phase.IDENTIFIED
        assert form[f"component_{slow.components.get().pk}"].value() == "degraded_performance"

    def test_leaves_what_was_typed(
        self, desk: Client, incident: Incident, slow: MessageTemplate
    ) -> None:
        typed = {"template": slow.pk, "body": "My own words.", "next_minutes": "7", "quiet": "on"}

        page = desk.post(_url("update-fill", incident.pk), typed)

        form = page.context["telling"].form
        assert form["body"].value() == "My own words."
        assert form["next_minutes"].value() == "7"
        assert form["quiet"].value() is True
        assert "What you had written stands." in page.content.decode()
        assert StatusUpdate.objects.count() == 1

    def test_replaces_the_words_of_another_template(
        self, desk: Client, incident: Incident, slow: MessageTemplate
    ) -> None:
        other = operations.add_message_template(
            kind=TemplateKind.UPDATE, name="Back", body="It is back since [time]."
        )

        page = desk.post(
            _url("update-fill", incident.pk), {"template": other.pk, "body": slow.body}
        )

        assert page.context["telling"].form["body"].value() == other.body

    def test_of_a_new_incident_opens_none(self, desk: Client) -> None:
        template = operations.add_message_template(
            kind=TemplateKind.INCIDENT, name="Down", title="Tours do not open",
            severity=Severity.SEV1,
        )  # fmt: skip

        page = desk.post(
            _url("incident-declare"), {"fill": "1", "template": template.pk, "tz": "Europe/Oslo"}
        )

        form = page.context["form"]
        assert form["title"].value() == "Tours do not open"
        assert form["severity"].value() == Severity.SEV1
        assert form["tz"].value() == "Europe/Oslo"
        assert not Incident.objects.exists()

    def test_of_a_last_word_resolves_nothing(
        self, desk: Client, incident: Incident, slow: MessageTemplate
    ) -> None:
        page = desk.post(
            _url("incident-resolve", incident.pk), {"fill": "1", "template": slow.pk, "body": ""}
        )

        assert page.context["form"]["body"].value() == slow.body
        incident.refresh_from_db()
        assert not incident.is_resolved


class TestPosting:
    def test_asks_about_a_blank_once(self, desk: Client, incident: Incident) -> None:
        words = {"phase": "identified", "body": "Slow since [time]."}

        refused = desk.post(_url("update-post", incident.pk), words)
        asked = refused.content.decode()
        sent = desk.post(_url("update-post", incident.pk), words | {"as_it_is": "on"})

        assert refused.status_code == INVALID
        assert "This still holds [time]." in asked
        assert "Send it with the brackets as they are" in asked
        assert sent.status_code == 302
        assert StatusUpdate.objects.newest_first()[0].body == "Slow since [time]."

    @pytest.mark.parametrize(("ticked", "sends"), [({"quiet": "on"}, False), ({}, True)])
    def test_may_send_no_messages(
        self, desk: Client, incident: Incident, ticked: dict[str, str], *, sends: bool
    ) -> None:
        desk.post(
            _url("update-post", incident.pk), {"phase": "identified", "body": "Small."} | ticked
        )
        desk.post(_url("incident-resolve", incident.pk), {"body": "Over."} | ticked)
        desk.post(
            _url("incident-declare"),
            {"title": "Another", "severity": "sev3", "body": "Seen.", "tz": "UTC",
             "visibility": "public"} | ticked,
        )  # fmt: skip

        sent = dict(StatusUpdate.objects.values_list("body", "deliver_notifications"))
        assert {sent["Small."], sent["Over."], sent["Seen."]} == {sends}
