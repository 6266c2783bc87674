"""Causes at the desk: their order, their links from both sides, removal, cases at vendors."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import operations
from incidents.models import Incident, RootCause, VendorCase
from incidents.values import CauseKind
from tests.factories import NOON

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


@pytest.fixture
def cause(incident: Incident) -> RootCause:
    return operations.record_root_cause(
        incident_id=incident.pk, kind=CauseKind.SCALE, text="One by one", at=NOON, author=None
    )


def _page(desk: Client, incident: Incident, query: str = "") -> str:
    return desk.get(incident.get_absolute_url() + query).content.decode()


def test_both_sides_show_and_change_the_link(
    desk: Client, incident: Incident, cause: RootCause
) -> None:
    desk.post(_url("action-add", incident.pk), {
        "text": "Run them side by side", "priority": "high", "addresses": [cause.pk],
    })  # fmt: skip
    action = incident.actions.get()

    page = _page(desk, incident)
    assert f'<a href="#a{action.pk}">Run them side by side</a> (Proposed)' in page
    assert f'Addresses <a href="#c{cause.pk}">One by one</a>' in page
    desk.post(_url("cause-edit", cause.pk), {"kind": "scale", "text": "One by one", "version": "1"})
    assert not action.addresses.exists()
    desk.post(_url("action-edit", action.pk), {
        "text": "Run them side by side", "priority": "high", "addresses": [cause.pk],
        "version": str(action.version),
    })  # fmt: skip
    assert list(action.addresses.all()) == [cause]
    history = desk.get(_url("cause-edit", cause.pk)).content.decode()
    assert "action items that addressed it: 1" in history


def test_the_order_is_changed_from_the_page(
    desk: Client, incident: Incident, cause: RootCause
) -> None:
    desk.post(_url("cause-add", incident.pk), {"kind": "luck", "text": "It was night"})
    second = incident.causes.get(kind="luck")

    desk.post(_url("cause-move", second.pk), {"direction": "up"})

    page = _page(desk, incident)
    assert page.index('<p class="prose">It was night') < page.index('<p class="prose">One by one')


def test_removed_it_can_be_undone(desk: Client, incident: Incident, cause: RootCause) -> None:
    answer = desk.post(_url("cause-remove", cause.pk))

    page = desk.get(answer["Location"]).content.decode()
    assert "Taken off the record: One by one" in page
    assert f'id="c{cause.pk}"' not in page
    found = desk.get(reverse("incidents:search"), {"q": "one by one"}).content.decode()
    assert "Nothing" in found or "mark>" not in found
    refused = desk.post(_url("cause-edit", cause.pk), {"kind": "luck", "text": "y"})
    assert "Bring it back first" in refused.content.decode()
    desk.post(_url("cause-restore", cause.pk))
    assert f'id="c{cause.pk}"' in _page(desk, incident)


def test_what_somebody_else_changed_is_shown_before_it_is_overwritten(
    desk: Client, cause: RootCause
) -> None:
    operations.edit_root_cause(cause_id=cause.pk, at=NOON, author=None, text="Theirs")
    mine = {"kind": "risk", "text": "Mine", "version": "1"}

    refused = desk.post(_url("cause-edit", cause.pk), mine)
    assert refused.status_code == INVALID
    assert 'name="version" value="2"' in refused.content.decode()
    desk.post(_url("cause-edit", cause.pk), mine | {"version": "2"})

    cause.refresh_from_db()
    assert (cause.kind, cause.text) == ("risk", "Mine")


def test_a_case_at_a_vendor_is_written_shown_late_and_taken_off(
    desk: Client, incident: Incident, cause: RootCause
) -> None:
    url = _url("cause-case", cause.pk)
    form = {
        "provider": "Nimbus", "reference": "C-17", "url": "https://nimbus.example/C-17",
        "state": "open", "opened": "2026-01-09", "promised": "January 2026", "note": "<b>slow</b>",
        "version": "0",
    }  # fmt: skip

    assert desk.post(url, form | {"promised": "soon"}).status_code == INVALID
    desk.post(url, form)
    case = VendorCase.objects.get()
    page = _page(desk, incident)

    assert case.promised_precision == "month"
    assert '<a href="https://nimbus.example/C-17" rel="noopener">Nimbus C-17</a>' in page
    assert ("The vendor is late" in page) == case.is_late(at=timezone.now())
    assert "&lt;b&gt;slow" in page
    stale = desk.post(url, form | {"state": "solved"})
    assert "Somebody else has changed this meanwhile" in stale.content.decode()
    desk.post(url, form | {"state": "solved", "version": "1"})
    assert "The vendor is at it" in desk.get(url).content.decode()
    desk.post(_url("cause-case-remove", cause.pk), {"version": "2"})
    assert not VendorCase.objects.exists()
