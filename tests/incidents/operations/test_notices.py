"""Staff are told what waits for somebody: those whom it concerns, and once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from incidents import operations
from incidents.models import DeskRules, Incident, Notice, NoticeChannel, SeverityRule
from incidents.operations.notices.telling import tell_approval_wanted
from incidents.values import (
    IncidentKind,
    NoticeKind,
    Phase,
    PromiseKind,
    Role,
    Severity,
    UpdateState,
    Visibility,
    When,
)
from notifications.models import Channel, Delivery
from tests.factories import (
    HOUR,
    MINUTE,
    NOON,
    StatusUpdateFactory,
)
from tests.incidents.noticing import channel, person, told

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


class TestDeclared:
    def test_channels_hear_and_who_declares_knows(self, declare: Callable[..., Incident]) -> None:
        row = channel()

        incident = declare()

        (delivery,) = Delivery.objects.filter(message__about__startswith="notice-")
        assert delivery.recipient == row.address
        assert (
            delivery.message.subject
            == f"[{incident.ref} SEV2] Incident declared: Tours do not open"
        )
        assert f"https://desk.example.org/desk/incidents/{incident.pk}/" in delivery.message.body
        assert "Cara commands it" in delivery.message.body

    def test_is_not_told_if_it_is_not_declared(self, declare: Callable[..., Incident]) -> None:
        channel()
        with transaction.atomic():
            declare()
            transaction.set_rollback(True)

        assert Notice.objects.count() == Delivery.objects.count() == 0

    def test_a_drill_says_so(self, declare: Callable[..., Incident]) -> None:
        channel()
        declare(kind=IncidentKind.DRILL)

        delivery = Delivery.objects.get()
        assert delivery.message.subject.startswith("Drill: [INC-")
        assert delivery.message.body.startswith("This is a drill.")

    def test_a_channel_hears_its_kinds_and_severities(
        self, declare: Callable[..., Incident]
    ) -> None:
        channel("all")
        channel("off", is_enabled=False)
        channel("others", kinds=[NoticeKind.POSTMORTEM_DUE])
        channel("grave", least_severity=Severity.SEV1)
        channel("just", least_severity=Severity.SEV2)
        channel("mailbox", channel=Channel.EMAIL, address="oncall@example.org")

        declare()

        assert sorted(told()) == [
            "https://chat.example.org/hooks/all",
            "https://chat.example.org/hooks/just",
            "oncall@example.org",
        ]

    def test_one_address_is_told_once(self, declare: Callable[..., Incident]) -> None:
        channel("one", channel=Channel.EMAIL, address="colin@example.org")
        channel("two", channel=Channel.EMAIL, address="colin@example.org")

        declare()

        assert told() == ["colin@example.org"]

    def test_nobody_is_said_to_have_heard_if_nobody_did(
        self, declare: Callable[..., Incident]
    ) -> None:
        declare(author=None)

        assert Notice.objects.get().recipients == 0


class TestPrivate:
    def test_members_and_who_holds_a_role_are_told_and_no_channel(
        self, declare: Callable[..., Incident], colin: User
    ) -> None:
        channel()
        person("olga")
        incident = declare(visibility=Visibility.PRIVATE)
        incident.members.add(colin)
        update = StatusUpdateFactory.create(
            incident=incident, entry=None, published_at=None, state=UpdateState.DRAFT
        )

        tell_approval_wanted(update, at=NOON)

        assert sorted(told(NoticeKind.APPROVAL_WANTED)) == [
            "cara@example.org", "colin@example.org",
        ]  # fmt: skip

    def test_its_subject_is_its_number(self, declare: Callable[..., Incident], colin: User) -> None:
        incident = declare(visibility=Visibility.PRIVATE)
        incident.members.add(colin)
        update = StatusUpdateFactory.create(
            incident=incident, entry=None, published_at=None, state=UpdateState.DRAFT
        )

        tell_approval_wanted(update, at=NOON)

        for delivery in Delivery.objects.all():
            assert delivery.message.subject == f"[{incident.ref}] An update waits for approval"
            assert incident.title not in delivery.message.body


class TestApprovalWanted:
    def test_others_at_the_desk_are_told(self, cara: User, colin: User) -> None:
        person("away", is_active=False)
        person("outsider", is_staff=False)
        person("without", email="")
        update = StatusUpdateFactory.create(
            author=cara, entry=None, published_at=None, state=UpdateState.DRAFT
        )

        tell_approval_wanted(update, at=NOON, asked_by=cara)

        assert told() == ["colin@example.org"]
        assert "Cara asks somebody else" in Delivery.objects.get().message.body

    def test_who_rests_is_left_to_rest(
        self, declare: Callable[..., Incident], cara: User, colin: User
    ) -> None:
        incident = declare()
        incident.roles.create(
            role=Role.SCRIBE,
            holder=colin,
            from_at=NOON,
            until_at=NOON + HOUR,
            resting_until_at=NOON + 8 * HOUR,
        )
        update = StatusUpdateFactory.create(
            incident=incident, author=cara, entry=None, published_at=None, state=UpdateState.DRAFT
        )

        tell_approval_wanted(update, at=NOON + 2 * HOUR)
        assert told(NoticeKind.APPROVAL_WANTED) == []
        tell_approval_wanted(update, at=NOON + 9 * HOUR)
        assert told(NoticeKind.APPROVAL_WANTED) == ["colin@example.org"]

    def test_is_told_when_an_update_is_handed_in(
        self, declare: Callable[..., Incident], cara: User, colin: User
    ) -> None:
        SeverityRule.objects.create(severity=Severity.SEV2, needs_approval=True)
        incident = declare()

        operations.post_status_update(
            incident_id=incident.pk,
            body="We found it.",
            phase=Phase.IDENTIFIED,
            at=NOON + MINUTE,
            author=cara,
        )

        assert told(NoticeKind.APPROVAL_WANTED) == ["colin@example.org"]


def _promise(incident: Incident, *, minutes: int, kind: PromiseKind, at: datetime = NOON) -> None:
    operations.make_promise(
        incident_id=incident.pk,
        kind=kind,
        due=When(at=at + minutes * MINUTE),
        at=at,
        author=None,
    )


class TestPromises:
    def test_the_speaker_is_reminded_once_before_it_falls_due(
        self, declare: Callable[..., Incident], colin: User
    ) -> None:
        incident = declare(tz="Europe/Amsterdam")
        incident.roles.create(role=Role.COMMUNICATIONS, holder=colin, from_at=NOON)
        _promise(incident, minutes=30, kind=PromiseKind.NEXT_UPDATE)

        assert operations.remind_of_promises(at=NOON + 24 * MINUTE) == 0
        assert operations.remind_of_promises(at=NOON + 25 * MINUTE) == 1
        assert operations.remind_of_promises(at=NOON + 26 * MINUTE) == 0

        assert told(NoticeKind.UPDATE_DUE) == ["colin@example.org"]
        subject = Notice.objects.get(kind=NoticeKind.UPDATE_DUE).subject
        assert "Customers expect an update by 13:30 CET" in subject
        assert incident.promises.get().reminded_at == NOON + 25 * MINUTE

    def test_without_a_speaker_the_commander_is(self, declare: Callable[..., Incident]) -> None:
        _promise(declare(), minutes=30, kind=PromiseKind.NEXT_UPDATE)

        operations.remind_of_promises(at=NOON + 26 * MINUTE)

        assert told(NoticeKind.UPDATE_DUE) == ["cara@example.org"]

    def test_another_promise_is_reminded_of_anew(self, declare: Callable[..., Incident]) -> None:
        incident = declare()
        _promise(incident, minutes=30, kind=PromiseKind.NEXT_UPDATE)
        operations.remind_of_promises(at=NOON + 26 * MINUTE)
        _promise(incident, minutes=30, kind=PromiseKind.NEXT_UPDATE, at=NOON + 27 * MINUTE)

        assert operations.remind_of_promises(at=NOON + 28 * MINUTE) == 0
        assert operations.remind_of_promises(at=NOON + 53 * MINUTE) == 1

    def test_a_promise_just_made_is_not_reminded_of_at_once(
        self, declare: Callable[..., Incident]
    ) -> None:
        _promise(declare(), minutes=4, kind=PromiseKind.NEXT_UPDATE)

        assert operations.remind_of_promises(at=NOON + MINUTE) == 0
        assert operations.remind_of_promises(at=NOON + 2 * MINUTE) == 1

    def test_a_job_keeps_its_own(self, declare: Callable[..., Incident]) -> None:
        operations.make_promise(
            incident_id=declare().pk,
            kind=PromiseKind.ETA,
            due=When(at=NOON + 10 * MINUTE),
            at=NOON,
            author=None,
            made_by_job="restore-1",
        )

        assert operations.remind_of_promises(at=NOON + 8 * MINUTE) == 0

    def test_how_long_before_is_staffs_to_say(self, declare: Callable[..., Incident]) -> None:
        DeskRules.objects.create(pk=1, reminder_lead=timedelta(minutes=15))
        _promise(declare(), minutes=60, kind=PromiseKind.ETA)

        assert operations.remind_of_promises(at=NOON + 44 * MINUTE) == 0
        assert operations.remind_of_promises(at=NOON + 46 * MINUTE) == 1
        assert "ETA runs out at 13:00 UTC" in Notice.objects.get(kind=NoticeKind.UPDATE_DUE).subject

    def test_a_missed_update_is_told_to_the_speaker_and_the_commander(
        self, declare: Callable[..., Incident], colin: User
    ) -> None:
        incident = declare()
        incident.roles.create(role=Role.COMMUNICATIONS, holder=colin, from_at=NOON)
        _promise(incident, minutes=30, kind=PromiseKind.NEXT_UPDATE)

        assert operations.settle_due_promises(at=NOON + 31 * MINUTE) == 1
        assert operations.settle_due_promises(at=NOON + 32 * MINUTE) == 0

        assert told(NoticeKind.PROMISE_MISSED) == ["colin@example.org", "cara@example.org"]

    def test_a_missed_eta_is_told_to_all_who_hold_a_role(
        self, declare: Callable[..., Incident], colin: User
    ) -> None:
        incident = declare()
        incident.roles.create(role=Role.SCRIBE, holder=colin, from_at=NOON)
        _promise(incident, minutes=30, kind=PromiseKind.ETA)

        operations.settle_due_promises(at=NOON + 31 * MINUTE)

        assert sorted(told(NoticeKind.PROMISE_MISSED)) == ["cara@example.org", "colin@example.org"]


class TestGivenBack:
    def _given_back(self, incident: Incident, *, writer: User, reader: User) -> None:
        SeverityRule.objects.create(severity=Severity.SEV2, needs_approval=True)
        update = operations.post_status_update(
            incident_id=incident.pk, body="We know.", phase=Phase.IDENTIFIED, at=NOON, author=writer
        )
        operations.return_update(
            update_id=update.pk, reason="Name the tours.", at=NOON + MINUTE, author=reader
        )

    def test_its_author_is_told_with_the_reason(
        self, declare: Callable[..., Incident], cara: User, colin: User
    ) -> None:
        channel()
        self._given_back(declare(), writer=colin, reader=cara)

        assert told(NoticeKind.UPDATE_RETURNED) == ["colin@example.org"]
        (mail,) = Delivery.objects.filter(
            recipient="colin@example.org", message__body__contains="back"
        )
        assert "did not approve it: “Name the tours.”" in mail.message.body

    def test_who_takes_it_back_knows(self, declare: Callable[..., Incident], colin: User) -> None:
        channel()
        self._given_back(declare(), writer=colin, reader=colin)

        assert not Notice.objects.filter(kind=NoticeKind.UPDATE_RETURNED).exists()


class TestChannels:
    def _add(self, **fields: Any) -> NoticeChannel:
        named = {
            "name": "#incidents",
            "channel": Channel.CHAT,
            "address": "https://chat.example.org/hooks/secret",
            "kinds": list(NoticeKind),
            "least_severity": Severity.SEV4,
            "at": NOON,
            "author": None,
        }
        return operations.add_notice_channel(**{**named, **fields})

    def test_a_name_is_taken_once(self) -> None:
        self._add()

        with pytest.raises(operations.ChannelNameTaken):
            self._add()

    @pytest.mark.parametrize(
        "address", ["http://", "https://10.0.0.1/hook", "chat", "https://a b/"]
    )
    def test_an_address_that_can_never_do_is_refused(self, address: str) -> None:
        with pytest.raises(operations.UnfitAddress):
            self._add(address=address)

    def test_an_edit_keeps_the_address_unless_told_another(self) -> None:
        row = self._add()
        changes: dict[str, Any] = {
            "channel_id": row.pk,
            "name": "#night",
            "kinds": [NoticeKind.DECLARED],
            "least_severity": Severity.SEV1,
            "is_enabled": False,
        }
        operations.edit_notice_channel(**changes)
        row.refresh_from_db()
        assert (row.name, row.address) == ("#night", "https://chat.example.org/hooks/secret")
        assert (row.kinds, row.is_enabled) == (["declared"], False)

        operations.edit_notice_channel(**changes, address="https://chat.example.org/hooks/other")
        row.refresh_from_db()
        assert row.address == "https://chat.example.org/hooks/other"

    @pytest.mark.parametrize(
        "fields", [{"channel": "pigeon"}, {"least_severity": "sev9"}, {"address": ""}]
    )
    def test_the_table_holds_no_nonsense(self, fields: dict[str, Any]) -> None:
        row = self._add()
        with pytest.raises(IntegrityError), transaction.atomic():
            NoticeChannel.objects.filter(pk=row.pk).update(**fields)
