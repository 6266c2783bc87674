"""Alerts: told once, again, higher up, when over; folded, silenced, acknowledged."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from backups import operations, runner
from backups.models import (
    AlertRule,
    BackupAlert,
    BackupCheck,
    BackupCheckChange,
    BackupCheckName,
    CheckState,
    Database,
    Heartbeat,
    Silence,
)
from backups.runner.alerting import declaring
from incidents.models import Incident, NoticeChannel
from incidents.values import EntryKind, Severity, Visibility
from notifications.models import Channel, Delivery, DeliveryState
from tests.backups.factories import DatabaseFactory
from tests.factories import HOUR, NOON, ResponderFactory

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def room(name: str = "backups", **values: Any) -> NoticeChannel:
    return NoticeChannel.objects.create(
        name=name, channel=Channel.EMAIL, address=f"{name}@example.org", created_at=NOON, **values
    )


def rule(**values: Any) -> AlertRule:
    return AlertRule.objects.create(
        **{"name": "grave", "states": [CheckState.CRITICAL], "created_at": NOON, **values}
    )


def found(
    database: Database | None = None,
    name: BackupCheckName = BackupCheckName.FULL_FRESH,
    state: CheckState = CheckState.CRITICAL,
) -> BackupCheck:
    return BackupCheck.objects.create(
        database=database or DatabaseFactory.create(),
        name=name,
        state=state,
        since_at=NOON,
        looked_at=NOON,
        words="There is none.",
        advice="Take one.",
    )


def subjects() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("message__subject", flat=True))


class TestTelling:
    def test_once_with_what_is_so_and_what_to_do(self) -> None:
        rule()
        room()
        check = found()

        for minutes in (0, 1, 2):
            runner.follow_findings(at=NOON + minutes * MINUTE)

        [delivery] = Delivery.objects.all()
        assert delivery.recipient == "backups@example.org"
        assert (
            delivery.message.subject == f"[SEV3] {check.database}: no full backup is fresh enough"
        )
        assert "There is none." in delivery.message.body
        assert "Take one." in delivery.message.body
        assert "/desk/" in delivery.message.body

    def test_only_after_it_has_lasted(self) -> None:
        rule(lasts=10 * MINUTE)
        room()
        found()

        runner.follow_findings(at=NOON + 9 * MINUTE)
        assert subjects() == []
        runner.follow_findings(at=NOON + 10 * MINUTE)
        assert len(subjects()) == 1

    def test_again_until_somebody_knows(self) -> None:
        rule(remind_every=HOUR)
        room()
        found()

        for minutes in (0, 30, 60, 61, 120):
            runner.follow_findings(at=NOON + minutes * MINUTE)
        assert [each.startswith("Still so") for each in subjects()] == [False, True, True]
        BackupAlert.objects.update(acknowledged_at=NOON + 2 * HOUR)
        runner.follow_findings(at=NOON + 9 * HOUR)

        assert len(subjects()) == 3

    def test_higher_up_once_if_nobody_takes_it(self) -> None:
        written = rule(escalate_after=HOUR)
        room("team")
        boss = room("boss", is_enabled=True)
        written.channels.set([NoticeChannel.objects.get(name="team")])
        written.escalate_to.set([boss])
        found()

        for minutes in (0, 59, 60, 61, 300):
            runner.follow_findings(at=NOON + minutes * MINUTE)

        told = Delivery.objects.order_by("pk").values_list("recipient", "message__subject")
        assert [recipient for recipient, _subject in told] == [
            "team@example.org",
            "boss@example.org",
        ]
        assert told[1][1].startswith("Nobody has taken it")

    def test_that_it_is_over_and_anew_when_it_comes_back(self) -> None:
        rule()
        room()
        check = found()
        runner.follow_findings(at=NOON)

        BackupCheck.objects.update(state=CheckState.OK, advice="", looked_at=NOON + HOUR)
        runner.follow_findings(at=NOON + HOUR)
        BackupCheck.objects.update(state=CheckState.CRITICAL, since_at=NOON, advice="Take one.")
        runner.follow_findings(at=NOON + 2 * HOUR)

        first, over, anew = subjects()
        assert over == f"Over: {check.database}: no full backup is fresh enough"
        assert anew == first
        assert BackupAlert.objects.filter(closed_at=NOON + HOUR).count() == 1

    def test_what_becomes_worse_is_told_by_its_rule_and_not_as_over(self) -> None:
        rule(name="lasting", states=[CheckState.WARNING], severity=Severity.SEV4)
        rule(severity=Severity.SEV2)
        room()
        check = found(state=CheckState.WARNING)
        runner.follow_findings(at=NOON)

        later = {"since_at": NOON + HOUR, "looked_at": NOON + HOUR}
        BackupCheck.objects.update(state=CheckState.CRITICAL, **later)
        runner.follow_findings(at=NOON + HOUR)
        runner.follow_findings(at=NOON + HOUR + 10 * MINUTE)

        told = f"{check.database}: no full backup is fresh enough"
        assert subjects() == [f"[SEV4] {told}", f"[SEV2] {told}"]
        assert BackupAlert.objects.get(closed_at=None).rule.name == "grave"

    def test_a_storm_is_one_message(self) -> None:
        rule()
        room()
        for _number in range(30):
            found()

        runner.follow_findings(at=NOON)

        [delivery] = Delivery.objects.all()
        assert "30 findings in 30 databases" in delivery.message.subject
        assert "And 18 more." in delivery.message.body
        assert BackupAlert.objects.filter(closed_at=None).count() == 30

    def test_of_a_storm_the_gravest_is_named(self) -> None:
        rule(states=[CheckState.WARNING, CheckState.CRITICAL])
        room()
        for _number in range(30):
            found(state=CheckState.WARNING)
        grave = found()

        runner.follow_findings(at=NOON)

        [delivery] = Delivery.objects.all()
        assert delivery.message.subject.endswith("31 findings in 31 databases, 1 of them critical")
        assert delivery.message.body.startswith(f"{grave.database}: ")

    def test_rooms_hear_by_severity_where_a_rule_names_none(self) -> None:
        rule(severity=Severity.SEV3)
        room("all")
        room("grave-only", least_severity=Severity.SEV1)
        room("off", is_enabled=False)
        found()

        runner.follow_findings(at=NOON)

        assert Delivery.objects.get().recipient == "all@example.org"


def turn(check: BackupCheck, state: CheckState, *, at: Any) -> None:
    """Let a check have found another state at this moment."""
    BackupCheck.objects.filter(pk=check.pk).update(
        state=state, since_at=at, looked_at=at, advice="" if state == CheckState.OK else "Look."
    )
    BackupCheckChange.objects.create(
        database=check.database, name=check.name, state=state, at=at, words="So it is."
    )


class TestTurns:
    def test_what_cannot_be_looked_at_any_more_is_not_over(self) -> None:
        rule(lasts=5 * MINUTE)
        room()
        check = found()
        runner.follow_findings(at=NOON + 5 * MINUTE)

        turn(check, CheckState.UNKNOWN, at=NOON + 6 * MINUTE)
        runner.follow_findings(at=NOON + 30 * MINUTE)
        turn(check, CheckState.CRITICAL, at=NOON + 31 * MINUTE)
        runner.follow_findings(at=NOON + 32 * MINUTE)

        alert = BackupAlert.objects.get()
        assert (alert.closed_at, alert.state) == (None, CheckState.CRITICAL)
        assert len(subjects()) == 1

    def test_what_can_be_looked_at_every_other_time_is_told_all_the_same(self) -> None:
        rule(lasts=5 * MINUTE)
        room()
        check = found(state=CheckState.OK)
        states = itertools.cycle([CheckState.CRITICAL, CheckState.UNKNOWN])
        for minutes in range(0, 10, 2):
            turn(check, next(states), at=NOON + minutes * MINUTE)
            runner.follow_findings(at=NOON + minutes * MINUTE)

        assert len(subjects()) == 1

    def test_what_nobody_looks_at_any_more_is_not_known_to_be_well(self) -> None:
        rule(states=[CheckState.UNKNOWN], lasts=HOUR)
        room()
        found(state=CheckState.OK)

        runner.follow_findings(at=NOON + 59 * MINUTE)
        assert subjects() == []
        runner.follow_findings(at=NOON + HOUR)

        assert "Nobody has looked for 1 h 00 min" in Delivery.objects.get().message.body

    def test_one_that_is_well_for_a_minute_is_not_told_at_each_turn(self) -> None:
        rule()
        room()
        check = found()
        for minutes in range(0, 20, 2):
            turn(check, CheckState.CRITICAL, at=NOON + minutes * MINUTE)
            runner.follow_findings(at=NOON + minutes * MINUTE)
            turn(check, CheckState.OK, at=NOON + (minutes + 1) * MINUTE)
            runner.follow_findings(at=NOON + (minutes + 1) * MINUTE)
        assert len(subjects()) == 1

        runner.follow_findings(at=NOON + 25 * MINUTE)

        assert subjects()[1].startswith("Over")

    def test_worse_than_what_somebody_knows_of_is_told_anew(self) -> None:
        rule(states=[CheckState.WARNING, CheckState.CRITICAL])
        room()
        check = found(state=CheckState.WARNING)
        runner.follow_findings(at=NOON)
        BackupAlert.objects.update(acknowledged_at=NOON)

        turn(check, CheckState.CRITICAL, at=NOON + HOUR)
        runner.follow_findings(at=NOON + HOUR)

        assert len(subjects()) == 2
        alert = BackupAlert.objects.get(closed_at=None)
        assert (alert.state, alert.acknowledged_at) == (CheckState.CRITICAL, None)

    def test_less_grave_is_not_told_as_over(self) -> None:
        rule()
        room()
        check = found()
        runner.follow_findings(at=NOON)

        turn(check, CheckState.WARNING, at=NOON + HOUR)
        runner.follow_findings(at=NOON + 2 * HOUR)

        assert subjects()[1].startswith("Less grave: ")
        assert "warning now" in Delivery.objects.order_by("pk")[1].message.body

    def test_has_lasted_though_it_went_from_one_state_of_the_rule_to_another(self) -> None:
        rule(states=[CheckState.WARNING, CheckState.CRITICAL], lasts=HOUR)
        room()
        check = found(state=CheckState.OK)
        for minutes, state in (
            (0, CheckState.OK), (10, CheckState.WARNING), (40, CheckState.CRITICAL)
        ):  # fmt: skip
            turn(check, state, at=NOON + minutes * MINUTE)

        runner.follow_findings(at=NOON + 69 * MINUTE)
        assert subjects() == []
        runner.follow_findings(at=NOON + 70 * MINUTE)
        assert len(subjects()) == 1

    def test_a_rule_that_means_another_database_now_says_of_none_that_it_is_over(self) -> None:
        written = rule()
        room()
        found()
        runner.follow_findings(at=NOON)

        written.database = DatabaseFactory.create()
        written.save()
        runner.follow_findings(at=NOON + HOUR)

        assert len(subjects()) == 1
        assert BackupAlert.objects.get().closed_at == NOON + HOUR


class TestLosses:
    def test_without_a_room_nobody_was_told_and_the_first_room_is(self) -> None:
        rule()
        found()
        runner.follow_findings(at=NOON)
        assert BackupAlert.objects.get().told_at is None

        room()
        runner.follow_findings(at=NOON + HOUR)

        assert len(subjects()) == 1

    def test_a_rule_that_stumbles_keeps_no_other_from_telling(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rule(name="broken", declares_incident=True)
        rule(name="whole")
        room()
        found()

        def fail(**_values: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(declaring, "declare_incident", fail)

        runner.follow_findings(at=NOON)

        assert len(subjects()) == 1
        assert BackupAlert.objects.get().rule.name == "whole"

    def test_what_somebody_says_meanwhile_is_not_written_over(self) -> None:
        rule(remind_every=HOUR)
        room()
        check = found()
        runner.follow_findings(at=NOON)
        BackupAlert.objects.update(acknowledged_at=NOON)
        BackupCheck.objects.filter(pk=check.pk).update(words="There is still none.")

        runner.follow_findings(at=NOON + 2 * HOUR)

        alert = BackupAlert.objects.get()
        assert (alert.words, alert.acknowledged_at) == ("There is still none.", NOON)

    def test_of_a_database_that_is_gone_nothing_is_told(self) -> None:
        rule()
        room()
        check = found()
        runner.follow_findings(at=NOON)

        check.database.delete()
        runner.follow_findings(at=NOON + HOUR)

        assert len(subjects()) == 1
        assert not BackupAlert.objects.exists()


class TestSilence:
    def test_holds_back_and_tells_afterwards_what_is_still_so(self) -> None:
        rule()
        room()
        check = found()
        found(database=check.database, name=BackupCheckName.DRILL)
        Silence.objects.create(
            database=check.database, checks=[BackupCheckName.FULL_FRESH], begins_at=NOON,
            ends_at=NOON + HOUR, reason="The vendor works on it",
        )  # fmt: skip

        runner.follow_findings(at=NOON)
        assert len(subjects()) == 1
        assert BackupAlert.objects.filter(told_at=None).count() == 1
        runner.follow_findings(at=NOON + HOUR)

        assert len(subjects()) == 2

    def test_declares_no_incident_and_goes_no_higher_before_it_ends(self) -> None:
        rule(declares_incident=True, escalate_after=HOUR)
        room()
        check = found()
        Silence.objects.create(
            database=check.database, begins_at=NOON, ends_at=NOON + 6 * HOUR, reason="Planned"
        )

        runner.follow_findings(at=NOON)
        assert not Incident.objects.exists()
        for minutes in (0, 1, 59):
            runner.follow_findings(at=NOON + 6 * HOUR + minutes * MINUTE)
        assert Incident.objects.count() == 1
        assert not any(each.startswith("Nobody") for each in subjects())
        runner.follow_findings(at=NOON + 7 * HOUR)

        assert subjects()[-1].startswith("Nobody has taken it")


class TestRules:
    def test_are_there_before_anybody_writes_one(self) -> None:
        room()
        found()

        runner.follow_findings(at=NOON + 6 * MINUTE)

        assert AlertRule.objects.count() == 3
        assert len(subjects()) == 1

    def test_that_are_switched_off_end_their_alerts_in_silence(self) -> None:
        written = rule()
        room()
        found()
        runner.follow_findings(at=NOON)

        written.is_enabled = False
        written.save()
        runner.follow_findings(at=NOON + MINUTE)

        assert len(subjects()) == 1
        assert BackupAlert.objects.get().closed_at is not None

    def test_that_say_so_declare_one_incident_for_staff(self) -> None:
        rule(declares_incident=True, severity=Severity.SEV2)
        check = found()

        runner.follow_findings(at=NOON)
        BackupAlert.objects.update(closed_at=NOON)
        runner.follow_findings(at=NOON + MINUTE)

        incident = Incident.objects.get()
        assert incident.visibility == Visibility.INTERNAL
        assert incident.severity == Severity.SEV2
        assert incident.title == f"{check.database}: no full backup is fresh enough"
        assert set(BackupAlert.objects.values_list("incident", flat=True)) == {incident.pk}

    def test_declare_one_incident_for_all_that_is_wrong_with_a_database(self) -> None:
        rule(declares_incident=True)
        shop = DatabaseFactory.create(name="shop")
        found(shop)
        runner.follow_findings(at=NOON)
        found(shop, BackupCheckName.OBJECTS)
        runner.follow_findings(at=NOON + MINUTE)

        incident = Incident.objects.get()
        assert set(BackupAlert.objects.values_list("incident", flat=True)) == {incident.pk}
        assert incident.entries.filter(kind=EntryKind.ALERT).get().text == (
            "shop: an object is missing or changed. There is none. Take one."
        )

    def test_declare_one_incident_for_a_storm_and_what_follows_belongs_to_it(self) -> None:
        written = rule(declares_incident=True)
        for _one in range(declaring.MOST_APART + 1):
            found()
        runner.follow_findings(at=NOON)
        found()
        runner.follow_findings(at=NOON + MINUTE)

        incident = Incident.objects.get()
        assert incident.title == f"4 databases: {written.name}"
        assert incident.entries.filter(kind=EntryKind.ALERT).count() == 5

    def test_declare_one_incident_each_for_a_few_databases(self) -> None:
        rule(declares_incident=True)
        for _one in range(declaring.MOST_APART):
            found()

        runner.follow_findings(at=NOON)

        assert Incident.objects.count() == declaring.MOST_APART


class TestTitles:
    @pytest.mark.parametrize("name", BackupCheckName)
    def test_never_read_as_if_all_were_well(self, name: BackupCheckName) -> None:
        bad = {name.called(CheckState.CRITICAL), name.called(CheckState.WARNING)}

        assert str(name.label) not in bad
        assert name.called(CheckState.UNKNOWN).startswith("not known: ")
        assert name.called(CheckState.OK) == str(name.label)

    def test_of_messages_say_what_is_wrong(self) -> None:
        rule()
        room()
        shop = DatabaseFactory.create(name="shop")
        found(shop, BackupCheckName.DRILL)
        runner.follow_findings(at=NOON)
        found(shop, BackupCheckName.OBJECTS)
        runner.follow_findings(at=NOON + MINUTE)

        assert subjects() == [
            "[SEV3] shop: the last drill failed",
            "[SEV3] shop: an object is missing or changed",
        ]


class TestOneFindingOfSeveralRules:
    def test_is_told_by_none_once_somebody_knows(self) -> None:
        rule(remind_every=HOUR)
        rule(name="later", lasts=HOUR)
        room()
        check = found()
        runner.follow_findings(at=NOON)

        _known(BackupAlert.objects.get())
        runner.follow_findings(at=NOON + 2 * HOUR)

        assert len(subjects()) == 1
        late = BackupAlert.objects.get(rule__name="later")
        assert late.database == check.database
        assert late.acknowledged_by == BackupAlert.objects.get(rule__name="grave").acknowledged_by

    def test_is_known_to_all_rules_that_have_told_of_it(self) -> None:
        rule(remind_every=HOUR)
        rule(name="own", remind_every=HOUR)
        room()
        found()
        runner.follow_findings(at=NOON)

        _known(BackupAlert.objects.filter(rule__name="own").get())
        runner.follow_findings(at=NOON + 2 * HOUR)

        assert len(subjects()) == 2

    def test_is_told_all_the_same_when_it_is_graver(self) -> None:
        rule(name="lasting", states=[CheckState.WARNING])
        rule()
        room()
        check = found(state=CheckState.WARNING)
        runner.follow_findings(at=NOON)

        _known(BackupAlert.objects.get())
        BackupCheck.objects.filter(pk=check.pk).update(state=CheckState.CRITICAL)
        runner.follow_findings(at=NOON + MINUTE)

        assert len(subjects()) == 2


def _known(alert: BackupAlert) -> None:
    operations.acknowledge_alert(alert_id=alert.pk, by=ResponderFactory.create(), at=NOON)


class TestPulse:
    def test_that_stops_is_told_once_by_whoever_still_runs(self, mailoutbox: list[Any]) -> None:
        room()
        assert not runner.tell_silence(at=NOON)
        runner.beat(at=NOON)

        assert not runner.tell_silence(at=NOON + 4 * MINUTE)
        assert runner.tell_silence(at=NOON + 6 * MINUTE)
        assert not runner.tell_silence(at=NOON + 7 * MINUTE)

        [mail] = mailoutbox
        assert "No worker was heard for 6 min" in mail.body
        runner.beat(at=NOON + HOUR)
        runner.beat(at=NOON + HOUR)
        assert Heartbeat.objects.get().silence_told_at is None
        assert [each.startswith("Over") for each in subjects()] == [False, True]

    def test_that_never_came_is_missed_from_when_somebody_watches(
        self, mailoutbox: list[Any]
    ) -> None:
        room()

        assert not runner.tell_silence(at=NOON + 4 * MINUTE, since=NOON)
        assert runner.tell_silence(at=NOON + 6 * MINUTE, since=NOON)
        assert len(mailoutbox) == 1

    def test_that_stopped_before_there_was_a_room_is_told_to_the_first_one(self) -> None:
        runner.beat(at=NOON)
        assert not runner.tell_silence(at=NOON + 6 * MINUTE)

        room()

        assert runner.tell_silence(at=NOON + 7 * MINUTE)

    def test_that_has_stopped_sends_no_message_so_the_watch_does(
        self, mailoutbox: list[Any]
    ) -> None:
        room()
        runner.beat(at=NOON)
        runner.tell_silence(at=NOON + 6 * MINUTE)
        # It did not get through at first, or another message waits.
        Delivery.objects.update(state=DeliveryState.QUEUED, sent_at=None)

        runner.tell_silence(at=NOON + 7 * MINUTE)

        assert len(mailoutbox) == 2

    def test_is_not_sent_while_no_check_looks(self) -> None:
        check = found()
        Database.objects.update(registered_at=NOON - HOUR)
        runner.beat(at=NOON)
        Heartbeat.objects.update(url="http://127.0.0.1:9/secret-path")

        runner.send_heartbeat(at=NOON)
        assert not Heartbeat.objects.get().last_error.startswith("Not sent")
        runner.send_heartbeat(at=NOON + HOUR)
        assert Heartbeat.objects.get().last_error.startswith("Not sent: no check")
        BackupCheck.objects.filter(pk=check.pk).update(looked_at=NOON + HOUR)
        runner.send_heartbeat(at=NOON + HOUR)
        assert not Heartbeat.objects.get().last_error.startswith("Not sent")

    def test_is_not_held_up_by_a_clock_that_ran_ahead(self) -> None:
        runner.beat(at=NOON)
        Heartbeat.objects.update(url="http://127.0.0.1:9/secret-path", sent_at=NOON + 24 * HOUR)

        runner.send_heartbeat(at=NOON)

        assert Heartbeat.objects.get().failed_at == NOON

    def test_of_an_address_that_does_not_answer_is_told_at_the_desk_and_tried_again(self) -> None:
        runner.beat(at=NOON)
        Heartbeat.objects.update(url="http://127.0.0.1:9/secret-path")

        assert not runner.send_heartbeat(at=NOON)

        row = Heartbeat.objects.get()
        assert (row.sent_at, row.failed_at) == (None, NOON)
        assert row.last_error
        assert "secret-path" not in row.last_error

    def test_is_not_late_by_a_round_where_the_beat_is_early_by_a_moment(self) -> None:
        runner.beat(at=NOON)
        Heartbeat.objects.update(url="http://127.0.0.1:9/secret-path", sent_at=NOON, every=MINUTE)

        runner.send_heartbeat(at=NOON + 0.98 * MINUTE)

        assert Heartbeat.objects.get().failed_at == NOON + 0.98 * MINUTE
