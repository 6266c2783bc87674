"""The watchdog in the web process: it tells when no worker does, and never falls over."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from backups import runner
from config import watchdog
from incidents.models import NoticeChannel
from notifications.models import Channel


@pytest.mark.django_db(transaction=True)
def test_tells_rooms_when_no_worker_was_heard(mailoutbox: list[Any]) -> None:
    NoticeChannel.objects.create(
        name="room", channel=Channel.EMAIL, address="room@example.org", created_at=timezone.now()
    )
    assert not watchdog.look()
    runner.beat(at=timezone.now() - timedelta(minutes=7))

    assert watchdog.look()
    assert not watchdog.look()

    assert [mail.to for mail in mailoutbox] == [["room@example.org"]]


def test_outlives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_values: object) -> bool:
        raise DatabaseError

    monkeypatch.setattr(runner, "tell_silence", fail)

    assert not watchdog.look()
