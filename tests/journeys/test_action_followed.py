"""An action item is followed until it is done: each reminder really arrives, once, and stops."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_string

import pytest
from django.test import Client
from django.urls import reverse

from incidents import operations, reminders
from incidents.models import ActionItem, Notice, SeverityRule
from incidents.values import CauseKind, NoticeKind, Severity
from notifications import outbox
from tests.factories import HOUR, MINUTE, NOON
from tests.incidents.noticing import channel, person
from tests.sinks import Chat, Sink

DAY = timedelta(days=1)


def _arrived(sink: Sink) -> Counter[str]:
    """Count the mails of overdue action items by who got them."""
    mails = [message_from_string(mail) for mail in sink.kept]
    return Counter(mail["To"] for mail in mails if "action item" in mail["Subject"])


@pytest.mark.django_db(transaction=True)
def test_from_agreed_on_to_late_to_done(client: Client, sink: Sink, chat: Chat) -> None:
    cara, colin = person("cara"), person("colin")
    channel(address=chat.url())
    SeverityRule.objects.create(severity=Severity.SEV3, action_days=29)
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV3, at=NOON, author=cara
    )
    cause = operations.record_root_cause(
        incident_id=incident.pk,
        kind=CauseKind.PROCESS,
        text="Nobody tries restores",
        at=NOON,
        author=cara,
    )
    outbox.send_due(at=NOON + MINUTE)
    sink.kept.clear()
    chat.posts.clear()

    # The morning after, Colin takes it. Nobody types a day: what is agreed on holds.
    client.force_login(colin)
    added = client.post(
        reverse("incidents:action-add", args=[incident.pk]),
        {"text": "Try a restore every week", "priority": "high", "owner": colin.pk,
         "check_by": "The desk lists the drills", "addresses": [cause.pk]},
        follow=True,
    )  # fmt: skip
    action = ActionItem.objects.get()
    assert f"due {action.due_said} as agreed on" in added.content.decode()
    assert list(action.addresses.all()) == [cause]

    # It is looked at every three hours for four weeks from the day on which it is due.
    last_day = datetime.fromisoformat(action.due_said).replace(tzinfo=UTC)
    nine = last_day + 9 * HOUR
    seen: dict[int, Counter[str]] = {}
    for hours in range(-30, 28 * 24, 3):
        at = nine + hours * HOUR
        reminders.tell_what_is_overdue(at=at)
        outbox.send_due(at=at)
        seen[hours] = _arrived(sink)

    mine, hers = "colin@example.org", "cara@example.org"
    assert seen[-3] == Counter()
    # On its day, its owner alone; a week later the commander and the team as well, then weekly.
    assert seen[0] == seen[7 * 24 - 3] == Counter({mine: 1})
    assert seen[7 * 24] == seen[14 * 24 - 3] == Counter({mine: 2, hers: 1})
    assert seen[28 * 24 - 3] == Counter({mine: 4, hers: 3})
    assert chat.subjects() == [
        f"[INC-{incident.pk} SEV3] An action item is {days} days overdue: Tours do not open"
        for days in (7, 14, 21)
    ]
    assert Notice.objects.filter(kind=NoticeKind.ACTION_OVERDUE).count() == 4
    assert any("21 days overdue" in mail for mail in sink.kept)

    # It is done, with proof: nobody hears of it again. Moved back, it is late at once.
    move = reverse("incidents:action-move", args=[action.pk])
    done = {"state": "done", "done": f"{last_day + 27 * DAY:%Y-%m-%d}", "proof": "Drill 7"}
    client.post(move, done)
    for weeks in (4, 5, 6):
        reminders.tell_what_is_overdue(at=nine + weeks * 7 * DAY)
        outbox.send_due(at=nine + weeks * 7 * DAY)
    assert _arrived(sink) == seen[28 * 24 - 3]
    page = client.get(incident.get_absolute_url()).content.decode()
    assert "shown by: Drill 7" in page

    action.refresh_from_db()
    undo = reverse("incidents:action-undo", args=[action.pk])
    client.post(undo, {"version": action.version})
    reminders.tell_what_is_overdue(at=nine + 42 * DAY)
    outbox.send_due(at=nine + 42 * DAY)
    assert _arrived(sink) == Counter({mine: 5, hers: 4})
