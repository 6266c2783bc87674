"""A postmortem is begun, written, reviewed, published, exported, and imported to an equal one."""

from dataclasses import replace
from typing import Any

import pytest

from accounts.models import User
from incidents import account, operations, queries
from incidents.models import Incident, Notice, Postmortem, SeverityRule
from incidents.values import (
    CauseKind,
    IncidentKind,
    Milestone,
    NoticeKind,
    PostmortemState,
    Severity,
    Visibility,
    When,
)
from tests.factories import HOUR, NOON, ResponderFactory

DAY = 24 * HOUR

pytestmark = pytest.mark.django_db


@pytest.fixture
def writer() -> User:
    return ResponderFactory.create(username="writer", email="writer@example.org")


@pytest.fixture
def reader() -> User:
    return ResponderFactory.create(username="reader", email="reader@example.org")


@pytest.fixture
def incident(writer: User) -> Incident:
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=NOON, author=writer,
        body="We are looking into it.", tz="Europe/Amsterdam",
    )  # fmt: skip
    entry = operations.add_entry(
        incident_id=incident.pk, text="The proxy died", when=When(at=NOON + HOUR), at=NOON + HOUR,
        author=writer,
    )  # fmt: skip
    cause = operations.record_root_cause(
        incident_id=incident.pk, kind=CauseKind.LUCK, text="It was night", at=NOON + HOUR,
        author=writer, evidence=[entry.pk],
    )  # fmt: skip
    operations.add_action_item(
        incident_id=incident.pk, text="Two proxies", at=NOON + HOUR, author=writer, owner=writer,
        addresses=[cause.pk], is_public=True,
    )  # fmt: skip
    operations.resolve_incident(
        incident_id=incident.pk, at=NOON + 2 * HOUR, author=writer, body="It is over."
    )
    incident.refresh_from_db()
    return incident


def first(incident: Incident) -> int:
    return queries.sections(incident.pk)[0].pk


def approve(incident: Incident, writer: User, reader: User) -> None:
    operations.ask_for_review(incident_id=incident.pk, at=NOON + DAY, author=writer)
    operations.approve_postmortem(incident_id=incident.pk, at=NOON + DAY, approver=reader)


class TestBegin:
    def test_is_half_written_from_the_record(self, incident: Incident) -> None:
        text = account.write_plain(queries.record_of(incident.pk))

        for words in ("The proxy died", "It was night", "Two proxies", "Time to resolve"):
            assert words in text

    @pytest.mark.parametrize(
        ("severity", "kind", "ends", "count"),
        [
            (Severity.SEV1, IncidentKind.LIVE, operations.resolve_incident, 1),
            (Severity.SEV3, IncidentKind.LIVE, operations.resolve_incident, 0),
            (Severity.SEV1, IncidentKind.DRILL, operations.resolve_incident, 0),
            (Severity.SEV1, IncidentKind.LIVE, operations.close_untold, 0),
        ],
    )
    def test_begins_with_the_end_where_one_is_asked_for(
        self, severity: Severity, kind: IncidentKind, ends: Any, count: int
    ) -> None:
        incident = operations.declare_incident(
            title="x", severity=severity, kind=kind, at=NOON, author=None,
            visibility=Visibility.INTERNAL,
        )  # fmt: skip
        said = {"reason": "A typo"} if ends == operations.close_untold else {"body": "Over."}

        ends(incident_id=incident.pk, at=NOON + HOUR, author=None, **said)

        assert Postmortem.objects.filter(incident=incident).count() == count

    def test_is_begun_once(self, incident: Incident) -> None:
        with pytest.raises(operations.PostmortemBegun):
            operations.begin_postmortem(incident_id=incident.pk, at=NOON, author=None)


class TestSections:
    def test_an_edit_keeps_what_was_said_and_can_be_undone(
        self, incident: Incident, writer: User
    ) -> None:
        section = operations.edit_section(
            section_id=first(incident), title="In short", body="It was the proxy.",
            is_public=True, at=NOON + DAY, author=writer, version=1,
        )  # fmt: skip
        back = operations.undo_section(
            section_id=section.pk, at=NOON + DAY, author=writer, version=2
        )

        assert (back.title, back.body, back.is_public) == ("Summary", "{{summary}}", False)
        assert [row.data["body"] for row in queries.revisions(back)] == [
            "It was the proxy.", "{{summary}}",
        ]  # fmt: skip

    def test_nobody_overwrites_what_they_have_not_read(self, incident: Incident) -> None:
        fields = {"section_id": first(incident), "title": "T", "is_public": False, "at": NOON}
        operations.edit_section(**fields, body="Mine", author=None, version=1)  # type: ignore[arg-type]

        with pytest.raises(operations.EditedMeanwhile):
            operations.edit_section(**fields, body="Yours", author=None, version=1)  # type: ignore[arg-type]

    def test_change_places_go_and_come_back(self, incident: Incident) -> None:
        rows = list(queries.sections(incident.pk))

        operations.move_section(section_id=rows[1].pk, is_up=True, at=NOON, author=None)
        operations.remove_section(section_id=rows[2].pk, at=NOON, author=None)
        now = [row.pk for row in queries.sections(incident.pk)]
        operations.bring_section_back(section_id=rows[2].pk, at=NOON, author=None)

        assert now[:2] == [rows[1].pk, rows[0].pk]
        assert rows[2].pk not in now
        assert queries.sections(incident.pk)[2].pk == rows[2].pk


class TestReview:
    def test_others_are_told_and_may_give_it_back(
        self, incident: Incident, writer: User, reader: User
    ) -> None:
        operations.ask_for_review(incident_id=incident.pk, at=NOON + DAY, author=writer)
        back = operations.return_postmortem(
            incident_id=incident.pk, reason="Why so late?", at=NOON + DAY, author=reader
        )

        assert (back.state, back.returned_reason) == (PostmortemState.DRAFT, "Why so late?")
        told = {notice.kind for notice in Notice.objects.filter(incident=incident)}
        assert {NoticeKind.REVIEW_WANTED, NoticeKind.REVIEW_RETURNED} <= told

    def test_its_writer_does_not_approve_where_another_is_asked_for(
        self, incident: Incident, writer: User
    ) -> None:
        SeverityRule.objects.create(severity=Severity.SEV2, needs_approval=True)

        with pytest.raises(operations.PostmortemApprovesOwn):
            approve(incident, writer, writer)

    def test_contradictions_hold_it_up(
        self, incident: Incident, writer: User, reader: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queries, "lint_errors_left", lambda _incident_id: 1)

        with pytest.raises(operations.FindingsLeft):
            approve(incident, writer, reader)

    def test_an_edit_takes_the_approval_back(
        self, incident: Incident, writer: User, reader: User
    ) -> None:
        approve(incident, writer, reader)

        operations.edit_section(
            section_id=first(incident), title="Summary", body="Other words", is_public=False,
            at=NOON + DAY, author=writer,
        )  # fmt: skip

        incident.postmortem.refresh_from_db()
        assert incident.postmortem.state == PostmortemState.DRAFT
        assert "edited after" in incident.postmortem.returned_reason


class TestPublish:
    def test_customers_read_public_parts_alone_until_it_is_withdrawn(
        self, incident: Incident, writer: User, reader: User
    ) -> None:
        approve(incident, writer, reader)
        published = operations.publish_postmortem(
            incident_id=incident.pk, at=NOON + DAY, author=writer
        )

        assert "Two proxies" in published.public_body
        assert "The proxy died" not in published.public_body
        assert "writer" not in published.public_body
        gone = operations.withdraw_postmortem(incident_id=incident.pk, at=NOON, author=writer)
        assert (gone.public_body, gone.state) == ("", PostmortemState.APPROVED)

    def test_refuses_what_customers_cannot_see(
        self, incident: Incident, writer: User, reader: User
    ) -> None:
        entry = incident.entries.get(text="The proxy died")
        operations.edit_section(
            section_id=first(incident), title="Summary", body=f"{{{{entry {entry.pk}}}}}",
            is_public=True, at=NOON + DAY, author=writer,
        )  # fmt: skip
        approve(incident, writer, reader)

        with pytest.raises(operations.ReferencesUnknown):
            operations.publish_postmortem(incident_id=incident.pk, at=NOON, author=writer)


class TestRoundTrip:
    def test_comes_back_equal(self, incident: Incident, writer: User) -> None:
        entry = incident.entries.get(milestone=Milestone.RESOLVED)
        operations.edit_section(
            section_id=first(incident), title="In short", body=f"See {{{{entry {entry.pk}}}}}.",
            is_public=False, at=NOON + DAY, author=writer,
        )  # fmt: skip
        before = account.numbered(queries.record_of(incident.pk))
        text = account.write_markdown(before)

        with pytest.raises(operations.AlreadyOnRecord):
            operations.import_account(
                record=account.read_account(text), text=text, source_name="", at=NOON, author=None
            )
        again = operations.import_account(
            record=account.read_account(text), text=text, source_name="x.md", at=NOON + 2 * DAY,
            author=writer, again=True,
        )  # fmt: skip

        after = account.numbered(queries.record_of(again.pk))
        assert again.pk != incident.pk
        assert replace(after, public_id=before.public_id) == before

    def test_what_no_record_can_hold_is_refused(self, incident: Incident) -> None:
        whole = account.numbered(queries.record_of(incident.pk))

        for broken in (replace(whole, severity="worst"), replace(whole, tz="Mars/Base")):
            with pytest.raises(account.NotAnAccount):
                operations.import_account(
                    record=broken, text="", source_name="", at=NOON, author=None, again=True
                )
        assert Incident.objects.count() == 1
