"""What staff have agreed on: written down, kept when it changes, and set back."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from incidents import operations, queries
from incidents.cadence import LONG
from incidents.models import Cadence, DeskRules, SeverityRule
from incidents.values import Phase, Severity
from tests.factories import HOUR, MINUTE, NOON, ResponderFactory

pytestmark = pytest.mark.django_db

DESK: dict[str, Any] = {
    "reminder_lead": 5 * MINUTE,
    "duty_limit": 8 * HOUR,
    "long_after": 2 * HOUR,
    "empty_role_after": 10 * MINUTE,
    "night_begins": time(22),
    "night_ends": time(8),
}


@pytest.fixture
def author() -> User:
    return ResponderFactory.create()


def _set(author: User, **more: Any) -> DeskRules:
    asked: dict[str, Any] = {"cadence": {}, "approval": [], "postmortem_days": {}} | DESK
    return operations.set_rules(at=NOON, author=author, **asked | more)


class TestAgreed:
    def test_without_a_row_what_is_usual_holds(self) -> None:
        agreed = queries.agreed()

        assert agreed.minutes[Severity.SEV1, Phase.INVESTIGATING] == 10
        assert agreed.minutes[Severity.SEV3, LONG] == 240
        assert not any(rule.needs_approval for rule in agreed.severities.values())
        assert agreed.severities[Severity.SEV1].postmortem_days == 3
        assert agreed.severities[Severity.SEV4].postmortem_days is None
        assert agreed.desk.night_begins == time(22)


class TestSetRules:
    def test_holds_from_now_on(self, author: User) -> None:
        _set(
            author,
            cadence={(Severity.SEV1, Phase.IDENTIFIED): 20, (Severity.SEV2, LONG): 300},
            approval=[Severity.SEV1],
            postmortem_days={Severity.SEV1: 5},
            reminder_lead=7 * MINUTE,
            night_ends=time(7, 30),
        )

        agreed = queries.agreed()
        assert agreed.minutes[Severity.SEV1, Phase.IDENTIFIED] == 20
        assert agreed.minutes[Severity.SEV2, LONG] == 300
        assert [str(row) for row, rule in agreed.severities.items() if rule.needs_approval] == [
            "sev1"
        ]
        assert agreed.severities[Severity.SEV1].postmortem_days == 5
        assert agreed.severities[Severity.SEV2].postmortem_days is None
        assert (agreed.desk.reminder_lead, agreed.desk.night_ends) == (
            timedelta(minutes=7),
            time(7, 30),
        )

    def test_what_is_as_usual_needs_no_row(self, author: User) -> None:
        _set(author, cadence={(Severity.SEV1, Phase.IDENTIFIED): 10})

        assert not Cadence.objects.exists()

    def test_keeps_what_held_before_and_who_changed_it(self, author: User) -> None:
        _set(author, cadence={(Severity.SEV1, Phase.IDENTIFIED): 20}, approval=[Severity.SEV1])
        rules = _set(author, night_begins=time(23))

        newest, first = queries.revisions(rules)
        assert first.data["cadence"]["sev1:identified"] == 10
        assert newest.data["cadence"]["sev1:identified"] == 20
        assert newest.data["approval"] == ["sev1"]
        assert newest.data["night_begins"] == "22:00:00"
        assert newest.replaced_by == author

    def test_nobodys_rules_are_overwritten_unread(self, author: User) -> None:
        _set(author, revision=0)

        with pytest.raises(operations.EditedMeanwhile):
            _set(author, revision=0)


class TestResetRules:
    def test_goes_back_to_the_usual_and_keeps_what_held(self, author: User) -> None:
        _set(author, approval=[Severity.SEV1], duty_limit=HOUR)

        rules = operations.reset_rules(at=NOON, author=author)

        assert queries.agreed().desk.duty_limit == timedelta(hours=8)
        assert not SeverityRule.objects.in_force(Severity.SEV1).needs_approval
        assert queries.revisions(rules)[0].data["approval"] == ["sev1"]


class TestConstraints:
    @pytest.mark.parametrize("broken", [{"pk": 2}, {"pk": 1, "duty_limit": timedelta()}])
    def test_the_database_refuses(self, broken: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            DeskRules.objects.create(**broken)
