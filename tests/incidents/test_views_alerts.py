"""The desk's pages on hooks and alerts."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from incidents import operations, queries
from incidents.inbound import NotJson
from incidents.models import AlertHook, Incident
from incidents.values import AlertProvider, Severity, Visibility
from tests.factories import NOON, ComponentFactory, ResponderFactory
from tests.incidents.payloads import alert, event, group, told

pytestmark = pytest.mark.django_db

INVALID = 422
LIST = "/desk/alerts/"


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:alert-hook-{name}", args=args)


def _add(name: str = "Prometheus", **changes: Any) -> AlertHook:
    said: dict[str, Any] = {
        "provider": AlertProvider.ALERTMANAGER,
        "severity": Severity.SEV2,
        "visibility": Visibility.INTERNAL,
    }
    return operations.add_hook(name=name, **said | changes, at=NOON, author=None)[0]


def _fire(hook: AlertHook, *names: str) -> Incident:
    payload = group(*(alert(name) for name in names or ("BackupTooOld",)))
    alerts = told(AlertProvider.ALERTMANAGER, payload)
    taken = operations.take_in(hook_id=hook.pk, alerts=alerts, at=NOON)
    assert taken[0].incident
    return taken[0].incident


def _typed(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Prometheus",
        "provider": "alertmanager",
        "severity": "sev3",
        "visibility": "internal",
    } | changes


@pytest.fixture
def hook() -> AlertHook:
    return _add()


class TestTheList:
    def test_says_what_to_do_while_it_is_empty(self, desk: Client) -> None:
        page = desk.get(LIST).content.decode()

        assert "Nothing speaks to the desk yet" in page
        assert _url("add") in page

    def test_shows_each_hook_and_what_it_needs(self, desk: Client, hook: AlertHook) -> None:
        _fire(hook, "A", "B")
        _add("Pager", provider=AlertProvider.PAGERDUTY)
        operations.switch_hook(hook_id=_add("Off").pk, is_enabled=False)

        page = desk.get(LIST).content.decode()

        assert "2 firing" in page
        assert "Needs its secret" in page
        assert "nothing heard yet" in page
        assert ">Off</span>" in page

    def test_tells_of_addresses_that_do_not_exist(self, desk: Client) -> None:
        desk.post("/api/alerts/nobodys/", b"{}", content_type="application/json")

        assert "an address that does not exist" in desk.get(LIST).content.decode()

    def test_is_for_staff(self, client: Client) -> None:
        assert client.get(LIST).status_code == 302
        client.force_login(ResponderFactory.create(is_staff=False))
        assert client.get(LIST).status_code == 403

    def test_costs_the_same_for_one_or_ten(self, desk: Client, hook: AlertHook) -> None:
        with CaptureQueriesContext(connection) as one:
            desk.get(LIST)
        for number in range(9):
            _add(f"Hook {number}")

        with CaptureQueriesContext(connection) as ten:
            desk.get(LIST)

        assert len(ten) == len(one)


class TestAdding:
    def test_shows_the_address_once(self, desk: Client) -> None:
        component = ComponentFactory.create()

        answer = desk.post(_url("add"), _typed(components=[component.pk]))
        hook = AlertHook.objects.get()
        first = desk.get(answer["Location"])
        second = desk.get(answer["Location"])

        token = first.context["token"]
        assert queries.hook_of(token) == hook
        assert f"http://testserver/api/alerts/{token}/" in first.content.decode()
        assert f"credentials: {token}" in first.content.decode()
        assert first["Cache-Control"] == "no-store"
        assert token not in second.content.decode()
        assert list(hook.components.all()) == [component]

    def test_says_what_is_wrong(self, desk: Client, hook: AlertHook) -> None:
        taken = desk.post(_url("add"), _typed())
        lonely = desk.post(_url("add"), _typed(name="Other", visibility="private"))
        signed = desk.post(_url("add"), _typed(name="Other", signing_secret="x"))

        assert [answer.status_code for answer in (taken, lonely, signed)] == [INVALID] * 3
        assert "Another hook has this name." in taken.content.decode()
        assert "say who may know of them" in lonely.content.decode()
        assert "sign nothing" in signed.content.decode()
        assert AlertHook.objects.count() == 1

    def test_never_shows_a_secret_again(self, desk: Client) -> None:
        typed = _typed(provider="pagerduty", signing_secret="very-secret")

        refused = desk.post(_url("add"), typed | {"severity": "?"})
        desk.post(_url("add"), typed)
        hook = AlertHook.objects.get()
        pages = [refused, desk.get(_url("edit", hook.pk)), desk.get(hook.get_absolute_url())]

        assert hook.signing_secret == "very-secret"
        assert all("very-secret" not in page.content.decode() for page in pages)

    @pytest.mark.parametrize(
        ("provider", "words"),
        [
            ("alertmanager", "webhook_configs:"),
            ("pagerduty", "Generic Webhooks (v3)"),
            ("generic", "curl http://testserver/api/alerts/"),
        ],
    )
    def test_shows_how_to_send(self, desk: Client, provider: str, words: str) -> None:
        desk.post(_url("add"), _typed(provider=provider))

        assert words in desk.get(AlertHook.objects.get().get_absolute_url()).content.decode()


class TestAHook:
    def test_shows_what_came_in_and_what_was_refused(self, desk: Client, hook: AlertHook) -> None:
        incident = _fire(hook)
        operations.note_refusal(
            hook_id=hook.pk, code="x", reason=str(NotJson()), excerpt="<b>{", at=NOON
        )

        page = desk.get(hook.get_absolute_url()).content.decode()

        assert "No full backup for 26 h" in page
        assert incident.ref in page
        assert "This is not JSON." in page
        assert "&lt;b&gt;{" in page
        assert "Token" in page

    def test_has_words_for_nothing(self, desk: Client, hook: AlertHook) -> None:
        page = desk.get(hook.get_absolute_url()).content.decode()

        assert "None came in so far." in page
        assert "Nothing was refused." in page

    def test_of_pagerduty_says_that_its_secret_is_missing(self, desk: Client) -> None:
        hook = _add("Pager", provider=AlertProvider.PAGERDUTY)

        assert "Everything is refused until" in desk.get(hook.get_absolute_url()).content.decode()

    def test_costs_the_same_for_one_alert_or_ten(self, desk: Client, hook: AlertHook) -> None:
        _fire(hook, "A")
        with CaptureQueriesContext(connection) as one:
            desk.get(hook.get_absolute_url())
        _fire(hook, *"BCDEFGHIJ")

        with CaptureQueriesContext(connection) as ten:
            desk.get(hook.get_absolute_url())

        assert len(ten) == len(one)

    def test_is_edited(self, desk: Client) -> None:
        hook = _add("Pager", provider=AlertProvider.PAGERDUTY, signing_secret="old")
        typed = {"name": "Night", "severity": "sev1", "visibility": "public"}

        desk.post(_url("edit", hook.pk), typed)
        hook.refresh_from_db()
        assert (hook.name, hook.severity, hook.signing_secret) == ("Night", "sev1", "old")

        desk.post(_url("edit", hook.pk), typed | {"signing_secret": "new"})
        hook.refresh_from_db()
        assert hook.signing_secret == "new"

        desk.post(_url("edit", hook.pk), typed | {"forget_secret": "on"})
        hook.refresh_from_db()
        assert hook.signing_secret == ""

    def test_has_its_token_renewed_after_asking(self, desk: Client, hook: AlertHook) -> None:
        before = hook.token_digest

        asked = desk.get(_url("renew", hook.pk)).content.decode()
        answer = desk.post(_url("renew", hook.pk))

        hook.refresh_from_db()
        assert "stops to work at once" in asked
        assert hook.token_digest != before
        assert queries.hook_of(desk.get(answer["Location"]).context["token"]) == hook

    def test_is_switched_off_and_on(self, desk: Client, hook: AlertHook) -> None:
        page = desk.post(_url("switch", hook.pk), {"off": "1"}, follow=True).content.decode()
        hook.refresh_from_db()
        assert not hook.is_enabled
        assert "It is switched off" in page

        desk.post(_url("switch", hook.pk), {"on": "1"})
        hook.refresh_from_db()
        assert hook.is_enabled

    def test_is_removed_after_asking_unless_alerts_came(
        self, desk: Client, hook: AlertHook
    ) -> None:
        used = _add("Used")
        _fire(used)

        assert "Remove Prometheus?" in desk.get(_url("remove", hook.pk)).content.decode()
        desk.post(_url("remove", hook.pk))
        refused = desk.post(_url("remove", used.pk))

        assert refused.status_code == INVALID
        assert "Switch it off instead." in refused.content.decode()
        assert list(AlertHook.objects.all()) == [used]


class TestAPrivateHook:
    @pytest.fixture
    def private(self) -> AlertHook:
        member = ResponderFactory.create(username="member")
        return _add("Intrusions", visibility=Visibility.PRIVATE, members=[member.pk])

    @pytest.mark.parametrize("name", ["detail", "edit", "renew", "remove"])
    def test_is_not_there_for_others(self, desk: Client, private: AlertHook, name: str) -> None:
        assert desk.get(_url(name, private.pk)).status_code == 404
        assert "Intrusions" not in desk.get(LIST).content.decode()
        assert desk.post(_url("switch", private.pk)).status_code == 404

    def test_is_there_for_its_members(self, client: Client, private: AlertHook) -> None:
        client.force_login(User.objects.get(username="member"))
        _fire(private)

        page = client.get(private.get_absolute_url()).content.decode()

        assert "No full backup for 26 h" in page

    def test_alerts_of_what_became_private_are_not_shown(
        self, desk: Client, hook: AlertHook
    ) -> None:
        incident = _fire(hook)
        Incident.objects.filter(pk=incident.pk).update(visibility=Visibility.PRIVATE)

        assert "No full backup" not in desk.get(hook.get_absolute_url()).content.decode()


class TestTheIncident:
    def test_shows_its_alerts(self, desk: Client, hook: AlertHook) -> None:
        incident = _fire(hook)

        page = desk.get(incident.get_absolute_url()).content.decode()

        assert 'id="alerts"' in page
        assert "Firing" in page
        assert "http://prometheus.example.org:9090/graph" in page

    def test_shows_what_tells_them_apart(self, desk: Client, hook: AlertHook) -> None:
        incident = _fire(hook, "A", "B")

        page = desk.get(incident.get_absolute_url()).content.decode()

        assert page.count("alertname: A") == page.count("alertname: B") == 1
        assert "severity: critical" not in page

    def test_of_very_many_shows_twenty(self, desk: Client, hook: AlertHook) -> None:
        incident = _fire(hook, *map(str, range(25)))

        page = desk.get(f"/desk/incidents/{incident.pk}/alerts/").content.decode()

        assert page.count("Firing") == 20
        assert "There are more" in page

    def test_renews_them_alone(self, desk: Client, hook: AlertHook) -> None:
        incident = _fire(hook)

        part = desk.get(f"/desk/incidents/{incident.pk}/alerts/").content.decode()

        assert part.lstrip().startswith('<section class="card stack" id="alerts"')
        assert f'hx-get="/desk/incidents/{incident.pk}/alerts/"' in part

    def test_that_is_private_shows_them_to_members_alone(
        self, desk: Client, hook: AlertHook
    ) -> None:
        incident = _fire(hook)
        Incident.objects.filter(pk=incident.pk).update(visibility=Visibility.PRIVATE)

        assert desk.get(f"/desk/incidents/{incident.pk}/alerts/").status_code == 404

    def test_without_alerts_has_no_room_for_them(self, desk: Client, incident: Incident) -> None:
        assert 'id="alerts"' not in desk.get(incident.get_absolute_url()).content.decode()

    def test_of_pagerduty_links_to_it(self, desk: Client) -> None:
        hook = _add("Pager", provider=AlertProvider.PAGERDUTY, signing_secret="x")
        alerts = told(AlertProvider.PAGERDUTY, event())
        (taken,) = operations.take_in(hook_id=hook.pk, alerts=alerts, at=NOON)
        assert taken.incident

        page = desk.get(taken.incident.get_absolute_url()).content.decode()

        assert "https://subdomain.pagerduty.com/incidents/PT4KHLK" in page
