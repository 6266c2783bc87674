"""A night in which an alert finds nobody awake: the team's chat, a mailbox, and who takes over."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import operations, reminders
from incidents.models import Incident
from incidents.values import PromiseKind, Role, Severity, When
from notifications import outbox
from tests.factories import MINUTE, ResponderFactory
from tests.sinks import Chat, Sink, answering

pytestmark = pytest.mark.django_db


def test_a_night_in_which_an_alert_finds_nobody_awake(
    client: Client, chat: Chat, sink: Sink
) -> None:
    ada = ResponderFactory.create(username="ada", first_name="Ada", email="ada@example.org")
    client.force_login(ada)
    now = timezone.now()

    # Ada adds the team's room, and sees that it works.
    client.post(
        reverse("incidents:notice-channel-add"),
        {
            "name": "#incidents",
            "channel": "chat",
            "address": chat.url(),
            "kinds": ["declared", "role_empty", "promise_missed"],
            "least_severity": "sev3",
        },
    )

    # An alert declares an incident. The chat is down just now, and hears a little later.
    chat.answer = answering(503)
    incident = operations.declare_incident(
        title="No full backup for 26 h", severity=Severity.SEV3, at=now, author=None
    )
    assert outbox.send_due(at=now) == 0
    chat.answer = answering(200, b"ok")
    assert outbox.send_due(at=now + MINUTE) == 1
    assert b"Incident declared: No full backup for 26 h" in chat.posts[-1].body

    # Nobody takes it for ten minutes: the room hears that, once.
    for minute in (9, 10, 11):
        reminders.tell_what_is_due(at=now + minute * MINUTE)
        outbox.send_due(at=now + minute * MINUTE)
    assert len(chat.posts) == 3
    assert b"No incident commander" in chat.posts[-1].body

    # Ada takes it, promises an update, and is reminded of it by mail alone.
    operations.assign_role(
        incident_id=incident.pk, role=Role.COMMANDER, holder=ada, at=now + 12 * MINUTE, author=ada
    )
    operations.make_promise(
        incident_id=incident.pk,
        kind=PromiseKind.NEXT_UPDATE,
        due=When(at=now + 42 * MINUTE),
        at=now + 12 * MINUTE,
        author=ada,
    )
    reminders.tell_what_is_due(at=now + 38 * MINUTE)
    outbox.send_due(at=now + 38 * MINUTE)
    assert "Customers expect an update by" in sink.kept[-1]
    assert len(chat.posts) == 3

    # She falls asleep. The promise is missed: she and the room hear of it, and each hears once.
    for minute in (43, 44):
        operations.settle_due_promises(at=now + minute * MINUTE)
        outbox.send_due(at=now + minute * MINUTE)
    assert (len(sink.kept), len(chat.posts)) == (2, 4)
    assert "The promised update is late" in sink.kept[-1]

    # In the morning the desk says what was told, and to whom.
    page = client.get(reverse("incidents:notice-list")).content.decode()
    assert "ada@example.org" in page
    assert "at attempt 2" in page
    assert "secret-token" not in page
    assert Incident.objects.get().ref in page
