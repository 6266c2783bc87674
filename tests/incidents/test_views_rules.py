"""The rules at the desk: read, changed, set back, and nobody's overwritten unread."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from incidents import operations, queries
from incidents.cadence import LONG
from incidents.models import SeverityRule
from incidents.values import Phase, Severity
from tests.factories import NOON

pytestmark = pytest.mark.django_db

INVALID = 422
URL = "incidents:rules"


def _form(page: str, **changes: Any) -> dict[str, Any]:
    """Return what a browser would send of the form that a page shows."""
    fields = dict(
        re.findall(r'<input type="(?:number|time|hidden)" name="(\w+)" value="([^"]*)"', page)
    )
    fields |= dict.fromkeys(re.findall(r'name="(approval_\w+)"[^>]* checked', page), "on")
    fields.pop("csrfmiddlewaretoken", None)
    return fields | changes


class TestRules:
    def test_shows_what_is_usual(self, desk: Client) -> None:
        page = desk.get(reverse(URL)).content.decode()

        assert re.search(r'name="minutes_sev1_investigating" value="10"', page)
        assert re.search(r'name="minutes_sev3_long" value="240"', page)
        assert re.search(r'name="night_begins" value="22:00"', page)

    def test_writes_down_others_and_says_who(self, desk: Client) -> None:
        form = _form(
            desk.get(reverse(URL)).content.decode(),
            minutes_sev1_identified="20",
            approval_sev1="on",
            days_sev2="",
            night_ends="07:30",
        )

        page = desk.post(reverse(URL), form, follow=True).content.decode()

        agreed = queries.agreed()
        assert agreed.minutes[Severity.SEV1, Phase.IDENTIFIED] == 20
        assert agreed.minutes[Severity.SEV1, LONG] == 240
        assert agreed.severities[Severity.SEV1].needs_approval
        assert agreed.severities[Severity.SEV2].postmortem_days is None
        assert "when Robin Responder changed it" in page
        assert "SEV1 10, 10, 30, 240 min" in page

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"minutes_sev1_identified": "0"}, "greater than or equal to 1"),
            ({"duty_limit_minutes": ""}, "This field is required"),
            ({"duty_limit_minutes": "1"}, "A duty lasts an hour at least. Write 60 or more"),
            ({"duty_limit_minutes": "59"}, "480 are eight hours."),
            ({"night_ends": "25:00"}, "Enter a valid time"),
        ],
    )
    def test_asks_again_for_what_cannot_be_meant(
        self, desk: Client, changes: dict[str, str], sentence: str
    ) -> None:
        form = _form(desk.get(reverse(URL)).content.decode(), **changes)

        answer = desk.post(reverse(URL), form)

        assert answer.status_code == INVALID
        assert sentence in answer.content.decode()

    def test_each_severity_is_named_once(self, desk: Client) -> None:
        page = desk.get(reverse(URL)).content.decode()

        for severity in Severity:
            assert page.count(f'role="rowheader">{severity.label}</th>') == 1
            # Else only for those who hear them: 3 phases, long, approval, postmortem, actions.
            assert page.count(f">{severity.upper()}") == 1 + 7
        assert 'class="unseen" for="rules_approval_sev1">SEV1: updates are approved' in page

    def test_nobodys_rules_are_overwritten_unread(self, desk: Client) -> None:
        form = _form(desk.get(reverse(URL)).content.decode(), minutes_sev1_identified="20")
        operations.reset_rules(at=NOON, author=None)

        answer = desk.post(reverse(URL), form)

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "Somebody else has changed this meanwhile" in page
        assert re.search(r'name="minutes_sev1_identified" value="20"', page)
        assert desk.post(reverse(URL), _form(page)).status_code == 302

    def test_are_set_back(self, desk: Client) -> None:
        form = _form(desk.get(reverse(URL)).content.decode(), approval_sev1="on")
        desk.post(reverse(URL), form)

        desk.post(reverse("incidents:rules-reset"))

        assert not SeverityRule.objects.in_force(Severity.SEV1).needs_approval
