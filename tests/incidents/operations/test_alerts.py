"""What becomes of alerts: whatever their order, and however often they arrive."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from incidents import operations
from incidents.models import Alert, AlertHook, Incident, TimelineEntry
from incidents.operations import Taken
from incidents.operations.intake import begin_intake
from incidents.values import (
    AlertProvider,
    AlertState,
    EntryKind,
    Milestone,
    Severity,
    Source,
    Visibility,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, IncidentFactory, ResponderFactory
from tests.incidents.payloads import alert, aside, ended, event, group, moment, news, told

pytestmark = pytest.mark.django_db

RECOVERED = (
    "Monitoring sees it recovered: its alert has ended. Look, and resolve the incident if so."
)
AM, PD, OWN = AlertProvider.ALERTMANAGER, AlertProvider.PAGERDUTY, AlertProvider.GENERIC


def _hook(provider: AlertProvider = AM, **changes: Any) -> AlertHook:
    said = {"name": str(provider), "severity": Severity.SEV3, "visibility": Visibility.INTERNAL}
    return operations.add_hook(**said | changes, provider=provider, at=NOON, author=None)[0]


def _send(hook: AlertHook, payload: Any, *, at: datetime = NOON) -> list[Taken]:
    alerts = told(AlertProvider(hook.provider), payload, at=at)
    return operations.take_in(hook_id=hook.pk, alerts=alerts, at=at)


def _did(hook: AlertHook, payload: Any, *, at: datetime = NOON) -> list[str]:
    return [one.did for one in _send(hook, payload, at=at)]


def _resolve(incident: Incident, at: datetime) -> None:
    operations.resolve_incident(incident_id=incident.pk, body="Over.", at=at, author=None)


def _told(incident: Incident | None = None) -> list[str]:
    """Return the timeline's entries of alerts, oldest first."""
    entries = TimelineEntry.objects.live().filter(kind=EntryKind.ALERT)
    if incident is not None:
        entries = entries.filter(incident=incident)
    return list(entries.order_by("at", "position", "pk").values_list("text", flat=True))


class TestTheFirstAlert:
    def test_declares_an_incident(self) -> None:
        component = ComponentFactory.create()
        hook = _hook(components=[component.pk])

        (taken,) = _send(hook, group())

        incident = Incident.objects.get()
        assert (taken.did, taken.incident) == ("declared", incident)
        assert incident.title == "No full backup for 26 h"
        assert (incident.severity, incident.visibility) == (Severity.SEV1, Visibility.INTERNAL)
        assert incident.source == Source.WEBHOOK
        assert incident.started_at == incident.detected_at
        assert incident.started_at == datetime.fromisoformat("2026-01-12T11:50:00.123456+00:00")
        assert incident.declared_at == NOON
        assert list(incident.components.all()) == [component]
        hook.refresh_from_db()
        assert hook.last_received_at == NOON

    def test_is_an_entry_at_its_own_time_with_a_link(self) -> None:
        _send(_hook(), group())

        entry = TimelineEntry.objects.get(kind=EntryKind.ALERT)
        assert entry.text == "Alert: No full backup for 26 h (critical)"
        assert (entry.at, entry.recorded_at) == (Alert.objects.get().starts_at, NOON)
        assert (entry.source, entry.actor_label) == (Source.WEBHOOK, "alertmanager")
        assert entry.milestone == Milestone.DETECTED
        assert entry.evidence.get().url.startswith("http://prometheus.example.org")
        assert not entry.is_public

    def test_speaks_in_every_entry_of_the_beginning(self) -> None:
        _send(_hook(), group())

        speakers = set(TimelineEntry.objects.values_list("source", "actor_label"))
        assert speakers == {(Source.WEBHOOK, "alertmanager")}

    def test_says_where_it_is_unless_its_title_does(self) -> None:
        placed = alert("A", labels={"instance": "db-1:9100"})
        named = alert("B", labels={"instance": "26 h"})

        _send(_hook(), group(placed, named))

        assert sorted(_told()) == [
            "Alert: No full backup for 26 h (critical)",
            "Alert: No full backup for 26 h, db-1:9100 (critical)",
        ]

    def test_tells_customers_nothing(self) -> None:
        component = ComponentFactory.create()
        _send(_hook(visibility=Visibility.PUBLIC, components=[component.pk]), group())

        incident = Incident.objects.get()
        component.refresh_from_db()
        assert not incident.is_public
        assert not incident.updates.exists()
        assert component.status == "operational"

    def test_without_a_severity_gets_the_hooks(self) -> None:
        _send(_hook(), group(commonLabels={}))

        assert Incident.objects.get().severity == Severity.SEV3

    def test_of_a_group_is_its_gravest(self) -> None:
        mild = alert("A", labels={"severity": "info"}, annotations={"summary": "Mild"})
        grave = alert("B", labels={"severity": "critical"}, annotations={"summary": "Grave"})

        assert _did(_hook(), group(mild, grave, commonLabels={})) == ["declared", "added"]

        assert Incident.objects.get().title == "Grave"
        assert Incident.objects.get().severity == Severity.SEV1

    def test_of_a_private_hook_is_for_its_members(self) -> None:
        member = ResponderFactory.create()
        outsider = ResponderFactory.create(username="outsider")
        _send(_hook(visibility=Visibility.PRIVATE, members=[member.pk]), group())

        assert Incident.objects.seen_by(member).exists()
        assert not Incident.objects.seen_by(outsider).exists()
        assert Alert.objects.all().seen_by(member).exists()
        assert not Alert.objects.all().seen_by(outsider).exists()

    def test_with_a_clock_ahead_of_ours_is_now(self) -> None:
        _send(_hook(), group(alert(startsAt="2026-01-12T12:20:00Z")))

        assert Incident.objects.get().started_at == NOON
        assert TimelineEntry.objects.get(kind=EntryKind.ALERT).at == NOON


class TestRepeats:
    def test_change_nothing(self) -> None:
        hook = _hook()
        _send(hook, group())
        before = _told()

        assert _did(hook, group(), at=NOON + 4 * HOUR) == ["repeated"]

        assert _told() == before
        assert (Incident.objects.count(), Alert.objects.count()) == (1, 1)

    def test_in_one_message_change_nothing(self) -> None:
        assert _did(_hook(), group(alert(), alert())) == ["declared", "repeated"]

    def test_from_a_second_monitor_are_the_same_alert(self) -> None:
        hook = _hook()
        _send(hook, group())

        skewed = alert(startsAt="2026-01-12T11:50:07Z")

        assert _did(hook, group(skewed)) == ["repeated"]
        assert _did(hook, group(skewed | {"status": "resolved"})) == ["ended"]
        assert Alert.objects.count() == 1

    def test_cost_no_more_the_more_they_are_but_a_write_each(self) -> None:
        hook = _hook()
        counts = []
        for many in (2, 12):
            payload = group(*(alert(str(number)) for number in range(many)))
            _send(hook, payload)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                _send(hook, payload)
            counts.append(len(queries) - many)

        assert counts[0] == counts[1]

    def test_of_an_event_by_its_id_change_nothing(self) -> None:
        hook = _hook(PD)
        note = aside("incident.annotated", content="We are on it")
        _send(hook, event())

        assert _did(hook, note) == ["noted"]
        assert _did(hook, note) == ["repeated"]
        assert _did(hook, event()) == ["repeated"]
        assert len(_told()) == 2


class TestOthers:
    def test_of_what_was_a_duplicate_lock_the_original_with_the_rest(self) -> None:
        hook = _hook(OWN)
        _send(hook, news())
        declared = Incident.objects.get()
        original = IncidentFactory.create()
        operations.mark_duplicate(
            incident_id=declared.pk, original_id=original.pk, at=NOON, author=None
        )
        # Nothing is known of this very alert; of its key, that it stands on the duplicate.
        other = [replace(one, fingerprint="other") for one in told(OWN, news(), at=NOON + HOUR)]

        with transaction.atomic():
            intake = begin_intake(hook, other, at=NOON + HOUR, tz="UTC")
        (taken,) = operations.take_in(hook_id=hook.pk, alerts=other, at=NOON + HOUR)

        assert original.pk in intake.locked
        assert (taken.did, taken.incident) == ("added", original)

    def test_of_the_same_key_join_the_incident(self) -> None:
        hook = _hook()
        _send(hook, group(alert("A")))

        assert _did(hook, group(alert("A"), alert("B"))) == ["repeated", "added"]

        assert Incident.objects.get().alerts.count() == 2

    def test_of_another_key_or_hook_declare_their_own(self) -> None:
        first, second = _hook(), _hook(name="Staging")
        _send(first, group())

        assert _did(first, group(groupKey="other")) == ["repeated"]
        assert _did(first, group(alert("B"), groupKey="other")) == ["declared"]
        assert _did(second, group()) == ["declared"]

    def test_join_the_original_of_a_duplicate(self) -> None:
        hook = _hook()
        _send(hook, group(alert("A")))
        duplicate = Incident.objects.get()
        original = operations.declare_incident(
            title="The database is gone", severity=Severity.SEV1, at=NOON, author=None
        )
        operations.mark_duplicate(
            incident_id=duplicate.pk, original_id=original.pk, at=NOON, author=None
        )

        assert _did(hook, group(alert("B"), ended(fingerprint=alert("A")["fingerprint"]))) == [
            "added",
            "ended",
        ]

        assert Incident.objects.count() == 2
        assert original.alerts.count() == 2
        assert len(_told(original)) == 2


class TestTheEnd:
    def test_is_an_entry_and_ends_no_incident(self) -> None:
        hook = _hook()
        _send(hook, group())

        assert _did(hook, group(ended())) == ["ended"]

        incident = Incident.objects.get()
        assert not incident.is_resolved
        assert _told()[1:] == [
            "Alert ended: No full backup for 26 h (critical)",
            RECOVERED,
        ]
        row = Alert.objects.get()
        assert (row.state, row.ends_at) == (AlertState.RESOLVED, moment("11:55"))

    def test_is_told_by_the_name_of_the_beginning(self) -> None:
        hook = _hook(OWN)
        _send(hook, news())

        _send(hook, {"key": "nightly-backup", "state": "resolved"})

        assert _told()[1] == "Alert ended: The nightly backup failed"

    def test_of_one_of_several_is_no_recovery(self) -> None:
        hook = _hook()
        _send(hook, group(alert("A"), alert("B")))

        _send(hook, group(alert("A"), ended(fingerprint=alert("B")["fingerprint"])))
        assert not [text for text in _told() if "recovered" in text]

        _send(hook, group(ended(fingerprint=alert("A")["fingerprint"])))
        assert [text for text in _told() if "all 2 alerts of this incident have ended" in text]

    def test_told_again_changes_nothing(self) -> None:
        hook = _hook()
        _send(hook, group())
        _send(hook, group(ended()))
        before = _told()

        assert _did(hook, group(ended())) == ["repeated"]
        assert _told() == before

    def test_after_the_incident_is_resolved_is_still_written_down(self) -> None:
        hook = _hook()
        _send(hook, group())
        _resolve(Incident.objects.get(), NOON)

        assert _did(hook, group(ended())) == ["ended"]
        assert len(_told()) == 2

    def test_before_the_start_is_at_the_start(self) -> None:
        hook = _hook()
        _send(hook, group())

        _send(hook, group(ended("2026-01-12T11:00:00Z")))

        row = Alert.objects.get()
        assert row.ends_at == row.starts_at

    def test_of_what_was_never_heard_of_is_kept_without_an_incident(self) -> None:
        hook = _hook()

        assert _did(hook, group(ended())) == ["kept"]
        assert _did(hook, group(alert())) == ["outdated"]
        assert not Incident.objects.exists()

    def test_of_a_key_that_was_never_heard_of_is_nothing(self) -> None:
        assert _did(_hook(OWN), {"key": "x", "state": "resolved"}) == ["unknown"]
        assert not Alert.objects.exists()

    def test_heard_alone_stands_on_the_open_incident_of_its_key(self) -> None:
        hook = _hook()
        _send(hook, group(alert("A")))

        assert _did(hook, group(ended(fingerprint="b"))) == ["kept"]

        entry = TimelineEntry.objects.get(text__startswith="Alert, over when it was heard of")
        assert entry.until == moment("11:55")


class TestOlderNews:
    def test_of_the_same_alert_changes_nothing(self) -> None:
        hook = _hook(PD)
        _send(hook, event("resolved", at="2026-01-12T11:58:00Z"))

        assert _did(hook, event("triggered")) == ["outdated"]
        assert _did(hook, event("acknowledged", at="2026-01-12T11:52:00Z")) == ["outdated"]
        assert not Incident.objects.exists()

    def test_of_an_end_before_a_return_changes_nothing(self) -> None:
        hook = _hook(PD)
        _send(hook, event())
        _send(hook, event("reopened", at="2026-01-12T11:59:00Z"))

        assert _did(hook, event("resolved", at="2026-01-12T11:58:00Z")) == ["outdated"]
        assert Alert.objects.get().state == AlertState.FIRING

    def test_that_fires_right_after_the_end_is_late_and_not_a_return(self) -> None:
        hook = _hook()
        _send(hook, group())
        _send(hook, group(ended()), at=NOON)

        assert _did(hook, group(), at=NOON + MINUTE) == ["outdated"]
        assert Alert.objects.get().state == AlertState.RESOLVED

    def test_of_an_earlier_alert_is_kept_at_its_own_time(self) -> None:
        hook = _hook()
        _send(hook, group())
        earlier = alert(startsAt="2026-01-12T10:00:00Z")

        assert _did(hook, group(earlier)) == ["kept"]

        old = Alert.objects.get(starts_at=moment("10:00"))
        assert (old.state, old.incident) == (AlertState.RESOLVED, Incident.objects.get())
        assert old.entry
        assert old.entry.at == moment("10:00")
        assert Incident.objects.get().started_at == Alert.objects.latest("starts_at").starts_at

    def test_by_the_senders_own_word_changes_nothing(self) -> None:
        hook = _hook(OWN)
        _send(hook, news(told_at="2026-01-12T11:50:00Z"))
        _send(hook, news(state="resolved", told_at="2026-01-12T11:58:00Z"))

        assert _did(hook, news(told_at="2026-01-12T11:55:00Z")) == ["outdated"]
        assert _did(hook, news(told_at="2026-01-12T11:59:00Z")) == ["added"]


class TestAReturn:
    def test_while_the_incident_is_open_joins_it(self) -> None:
        hook = _hook()
        _send(hook, group())
        _send(hook, group(ended()))

        again = alert(startsAt="2026-01-12T11:57:30Z")
        assert _did(hook, group(again)) == ["added"]

        assert Incident.objects.get().alerts.count() == 2
        assert _told()[-1] == "Alert again: No full backup for 26 h (critical)"

    def test_after_the_incident_is_resolved_opens_a_new_one(self) -> None:
        hook = _hook()
        _send(hook, group())
        _send(hook, group(ended()))
        first = Incident.objects.get()
        _resolve(first, NOON)

        again = alert(startsAt="2026-01-12T11:57:30Z")
        assert _did(hook, group(again), at=NOON + MINUTE) == ["declared"]

        assert Incident.objects.open().get() != first
        first.refresh_from_db()
        assert first.is_resolved

    def test_with_the_same_start_once_it_was_lost_sight_of(self) -> None:
        hook = _hook()
        _send(hook, group())
        _send(hook, group(ended()))

        assert _did(hook, group(), at=NOON + 6 * MINUTE) == ["added"]
        row = Alert.objects.get()
        assert (row.state, row.ends_at) == (AlertState.FIRING, None)

    def test_of_what_pagerduty_reopens(self) -> None:
        hook = _hook(PD)
        _send(hook, event())
        _send(hook, event("resolved", at="2026-01-12T11:58:00Z"))

        assert _did(hook, event("reopened", at="2026-01-12T11:59:00Z")) == ["added"]

    def test_ends_what_was_never_told_to_have_ended(self) -> None:
        hook = _hook()
        _send(hook, group())

        later = NOON + 2 * HOUR
        _send(hook, group(alert(startsAt="2026-01-12T13:30:00Z")), at=later)

        old, new = Alert.objects.order_by("starts_at")
        assert (old.state, old.ends_at) == (AlertState.RESOLVED, new.starts_at)
        assert new.state == AlertState.FIRING
        assert not [text for text in _told() if "recovered" in text]


class TestAResolvedIncident:
    def test_gets_no_successor_while_its_alerts_lag_behind(self) -> None:
        hook = _hook()
        _send(hook, group())
        _resolve(Incident.objects.get(), NOON)

        assert _did(hook, group(), at=NOON + 10 * MINUTE) == ["repeated"]
        assert Incident.objects.count() == 1

    def test_gets_one_when_an_alert_goes_on_for_longer(self) -> None:
        hook = _hook()
        _send(hook, group())
        _resolve(Incident.objects.get(), NOON)

        assert _did(hook, group(), at=NOON + 16 * MINUTE) == ["declared"]

        incident = Incident.objects.open().get()
        assert _told(incident) == ["Alert still there: No full backup for 26 h (critical)"]
        assert Alert.objects.get().incident == incident

    def test_gets_one_at_once_from_who_names_no_start(self) -> None:
        hook = _hook(OWN)
        _send(hook, news())
        _resolve(Incident.objects.get(), NOON)

        assert _did(hook, news(), at=NOON + MINUTE) == ["declared"]

    def test_gets_none_by_a_remark(self) -> None:
        hook = _hook(PD)
        _send(hook, event())
        _resolve(Incident.objects.get(), NOON)

        payload = event("acknowledged", at="2026-01-12T13:00:00Z")

        assert _did(hook, payload, at=NOON + 2 * HOUR) == ["noted"]
        assert Incident.objects.count() == 1


class TestRemarks:
    def test_are_entries_at_their_time(self) -> None:
        hook = _hook(PD)
        _send(hook, event())

        assert _did(hook, event("acknowledged", at="2026-01-12T11:53:00Z")) == ["noted"]

        entry = TimelineEntry.objects.get(text="Acknowledged in PagerDuty by Earline Greenholt")
        assert entry.at == moment("11:53")

    def test_on_what_was_missed_declare_it(self) -> None:
        assert _did(_hook(PD), event("escalated")) == ["declared"]
        assert len(_told()) == 2

    def test_on_what_nobody_knows_are_nothing(self) -> None:
        assert _did(_hook(PD), aside("incident.annotated", content="x")) == ["unknown"]
        assert not TimelineEntry.objects.exists()


class TestTheHook:
    def test_that_is_off_takes_nothing(self) -> None:
        hook = _hook()
        operations.switch_hook(hook_id=hook.pk, is_enabled=False)

        with pytest.raises(operations.HookDisabled):
            _send(hook, group())

        assert not Alert.objects.exists()

    def test_is_heard_of_without_alerts(self) -> None:
        hook = _hook(PD)

        operations.take_in(hook_id=hook.pk, alerts=[], at=NOON)

        hook.refresh_from_db()
        assert hook.last_received_at == NOON

    def test_takes_all_of_a_message_or_nothing(self) -> None:
        hook = _hook()
        alerts = told(AM, group(alert("A"), alert("B")))
        broken = [alerts[0], replace(alerts[1], title="x" * 301)]

        with pytest.raises(Exception, match="too long"):
            operations.take_in(hook_id=hook.pk, alerts=broken, at=NOON)

        assert not Incident.objects.exists()

    def test_a_title_of_any_length_fits(self) -> None:
        _send(_hook(), group(alert(annotations={"summary": "word " * 200})))

        assert len(Incident.objects.get().title) == 255

    def test_a_key_of_any_length_is_one_incident(self) -> None:
        hook = _hook()
        _send(hook, group(groupKey="k" * 3000))

        assert _did(hook, group(alert("B"), groupKey="k" * 3000)) == ["added"]


def test_all_incidents_of_a_message_are_locked_at_once_and_in_order() -> None:
    hook = _hook()
    older, newer = (
        _send(hook, group(alert(name), groupKey=name))[0].incident for name in ("Disk", "Tours")
    )
    assert older is not None
    assert newer is not None

    with CaptureQueriesContext(connection) as asked:
        operations.take_in(
            hook_id=hook.pk,
            alerts=[
                *told(AM, group(alert("Queue"), groupKey="Tours")),
                *told(AM, group(ended(name="Disk"), groupKey="Disk")),
            ],
            at=NOON + HOUR,
        )

    locks = [
        query["sql"]
        for query in asked
        if "FOR UPDATE" in query["sql"] and "incidents_incident" in query["sql"]
    ]
    assert f"IN ({older.pk}, {newer.pk})" in locks[0]
    assert "ORDER BY" in locks[0]


def test_a_lag_is_shorter_than_a_repeat_interval() -> None:
    # What Alertmanager repeats after four hours must not be taken for what lags behind.
    hook = _hook()
    _send(hook, group())
    _resolve(Incident.objects.get(), NOON)

    assert _did(hook, group(), at=NOON + timedelta(hours=4)) == ["declared"]


@pytest.mark.django_db(transaction=True)
def test_of_a_message_delivered_four_times_at_once_one_declares() -> None:
    hook = _hook()
    alerts = told(AM, group())
    answers: list[str] = []
    start = threading.Barrier(4)

    def deliver() -> None:
        try:
            start.wait(timeout=10)
            taken = operations.take_in(hook_id=hook.pk, alerts=alerts, at=NOON)
            answers.extend(one.did for one in taken)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert sorted(answers) == ["declared", "repeated", "repeated", "repeated"]
    assert (Incident.objects.count(), Alert.objects.count()) == (1, 1)
