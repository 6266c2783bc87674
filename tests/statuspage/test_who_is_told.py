"""Each subscriber is told what it asked for, once, with its own way to leave."""

import pytest

from incidents import operations
from incidents.models import Component, Incident
from incidents.values import ComponentStatus, Phase, Severity
from notifications import outbox
from notifications.models import Channel, Delivery, DeliveryState
from statuspage.deliveries import queue_deliveries
from statuspage.models import Pace, Subscriber
from statuspage.subscribing import Wish, add_subscriber
from tests.factories import MINUTE, NOON, ComponentFactory

pytestmark = pytest.mark.django_db

ROOM = "https://hooks.example.com/services/T1/B2/room"


def declare(*parts: Component) -> Incident:
    return operations.declare_incident(
        title="Tours", severity=Severity.SEV2, at=NOON, author=None, body="Looking.",
        components={part.pk: ComponentStatus.MAJOR_OUTAGE for part in parts},
    )  # fmt: skip


def told() -> list[str]:
    queue_deliveries(at=NOON + MINUTE)
    return sorted(Delivery.objects.values_list("recipient", flat=True))


def follow(name: str, **wish: object) -> Subscriber:
    return add_subscriber(wish=Wish(email=f"{name}@example.com", **wish), at=NOON)  # type: ignore[arg-type]


def test_components_and_groups_choose() -> None:
    group = ComponentFactory.create(name="Europe", is_group=True)
    booking = ComponentFactory.create(name="Booking", group=group)
    other = ComponentFactory.create(name="Mail")
    follow("all")
    follow("booking", component_ids=[booking.pk, other.pk])
    follow("europe", component_ids=[group.pk])
    follow("mail", component_ids=[other.pk])

    declare(booking)

    assert told() == ["all@example.com", "booking@example.com", "europe@example.com"]


def test_one_incident_is_followed_alone_and_nobody_is_told_twice() -> None:
    incident = declare()
    follow("one", incident_id=incident.pk)
    follow("both")
    follow("both", incident_id=incident.pk)
    operations.declare_incident(
        title="Mail", severity=Severity.SEV2, at=NOON, author=None, body="Looking."
    )

    assert told() == ["both@example.com", "both@example.com", "one@example.com"]
    titles = Delivery.objects.filter(recipient="one@example.com").values_list(
        "message__subject", flat=True
    )
    assert list(titles) == ["[Highwater] Investigating: Tours"]


def test_turning_points_alone() -> None:
    follow("every")
    follow("turns", pace=Pace.MILESTONES)
    incident = declare()
    for minutes, phase in ((1, Phase.INVESTIGATING), (2, Phase.IDENTIFIED)):
        operations.post_status_update(
            incident_id=incident.pk, body=f"{minutes}", phase=phase, at=NOON + minutes * MINUTE,
            author=None,
        )  # fmt: skip

    queue_deliveries(at=NOON + 3 * MINUTE)

    turns = Delivery.objects.filter(recipient="turns@example.com").order_by("pk")
    assert [row.message.subject.split(":")[0] for row in turns] == [
        "[Highwater] Investigating",
        "[Highwater] Identified",
    ]
    assert Delivery.objects.filter(recipient="every@example.com").count() == 3


def test_the_words_are_written_once_a_language() -> None:
    for name in ("ada", "bob"):
        follow(name)
    follow("cees", language="nl")
    declare()

    told()

    rows = Delivery.objects.select_related("message").order_by("recipient")
    assert len({row.message_id for row in rows}) == 2
    ada, bob, cees = (row.filled(row.message.body) for row in rows)
    assert f"/unsubscribe/{Subscriber.objects.get(email='ada@example.com').token}" in ada
    assert outbox.TOKEN not in ada + bob + cees
    assert ada != bob
    assert "Het hele verhaal" in cees


def test_rooms_and_programs_are_told_too() -> None:
    add_subscriber(wish=Wish(channel=Channel.CHAT, endpoint=ROOM), at=NOON)
    add_subscriber(wish=Wish(channel=Channel.WEBHOOK, endpoint=ROOM), at=NOON)
    declare()

    assert told() == [ROOM, ROOM]
    assert Delivery.objects.exclude(signing_key=None).get().channel == Channel.WEBHOOK


def test_whose_messages_come_back_for_good_is_told_nothing_more() -> None:
    # As if its name led into a network of ours by now.
    hook = "https://10.0.0.1/gone"
    room = add_subscriber(wish=Wish(channel=Channel.CHAT, endpoint=ROOM), at=NOON)
    Subscriber.objects.filter(pk=room.pk).update(endpoint=hook)
    declare()
    told()

    outbox.send_due(at=NOON + MINUTE)

    room.refresh_from_db()
    assert Delivery.objects.get().state == DeliveryState.FAILED
    assert room.state == "quarantined"
    assert "OUTGOING_NETWORKS" in room.quarantine_reason
