"""Every address of the desk that takes an incident, or a row of one: who is no member finds none.

An address of a new room has to be sorted into ``ROWS`` or ``OTHERS``, or the first test here fails.
"""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations
from incidents.models import AlertHook, Incident, Promise
from incidents.values import (
    AlertProvider,
    AlertState,
    CauseKind,
    ImpactKind,
    Phase,
    PromiseKind,
    Severity,
    Visibility,
    When,
)
from tests.factories import HOUR, NOON, ComponentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

SECRET = "A key has leaked"
NOT_FOUND, NO_SUCH_METHOD = 404, 405

# What stands first in an address, and of what kind the row is whose number follows.
ROWS = {
    "incidents/": "incident",
    "entries/": "entry",
    "evidence/": "evidence",
    "updates/": "update",
    "promises/": "promise",
    "impacts/": "impact",
    "causes/": "cause",
    "actions/": "action",
    "roles/": "role",
    "sections/": "section",
    "lint/": "dismissal",
    "desk/preview/incidents/": "incident",
    "desk/preview/updates/": "incident",
    "desk/preview/corrections/": "update",
    "desk/preview/drafts/": "draft",
}
# Rows of their own, which belong to no incident.
OTHERS = (
    "alerts/", "notices/", "components/", "maintenances/", "templates/", "tenants/", "checks/",
    "databases/", "targets/", "restores/", "turns/", "desk/pages/", "desk/targets/",
    "desk/preview/maintenances/", "desk/preview/maintenance", "desk/subscribers/",
    "desk/preview/plans/", "trackers/",
)  # fmt: skip


def _addresses() -> Iterator[tuple[str, str]]:
    """Yield the name and the route of every address that takes a number."""
    for resolver in get_resolver().url_patterns:
        if not isinstance(resolver, URLResolver) or resolver.app_name not in (
            "incidents", "statuspage",
        ):  # fmt: skip
            continue
        for pattern in resolver.url_patterns:
            assert isinstance(pattern, URLPattern)
            if "<int:" in str(pattern.pattern):
                yield f"{resolver.app_name}:{pattern.name}", str(pattern.pattern)


def _kind(route: str) -> str | None:
    found = max((start for start in ROWS if route.startswith(start)), key=len, default="")
    return ROWS.get(found)


OF_INCIDENTS = [(name, route) for name, route in _addresses() if _kind(route)]


def test_every_address_is_sorted() -> None:
    unsorted = [
        route for _name, route in _addresses() if not _kind(route) and not route.startswith(OTHERS)
    ]

    assert unsorted == []
    assert len(OF_INCIDENTS) > 50


@pytest.fixture
def outsider() -> User:
    return ResponderFactory.create(username="outsider")


@pytest.fixture
def private() -> Incident:
    """Give a private incident with a row of every kind."""
    author, now = ResponderFactory.create(), timezone.now()
    tours = ComponentFactory.create()
    incident = operations.declare_incident(
        title=SECRET,
        severity=Severity.SEV1,
        visibility=Visibility.PRIVATE,
        at=now,
        author=author,
        body="Only we know.",
    )
    incident.components.add(tours)
    operations.add_entry(
        incident_id=incident.pk,
        text="looked at the log",
        when=When(at=now),
        at=now,
        author=author,
        evidence_url="https://example.org/log",
    )
    # Of the time before it was private: customers are promised nothing in what they do not see.
    Promise.objects.create(
        incident=incident, kind=PromiseKind.ETA, due_at=now + HOUR, expires_at=now + HOUR,
        made_at=now,
    )  # fmt: skip
    operations.record_impact(
        incident_id=incident.pk, kind=ImpactKind.OUTAGE, began_at=now, at=now, author=author
    )
    operations.record_root_cause(
        incident_id=incident.pk, kind=CauseKind.TRIGGER, text="a mail", at=now, author=author
    )
    operations.add_action_item(incident_id=incident.pk, text="renew keys", at=now, author=author)
    operations.draft_status_update(
        incident_id=incident.pk, body="a draft", phase=Phase.IDENTIFIED, at=now, author=author
    )
    operations.begin_postmortem(incident_id=incident.pk, at=now, author=author)
    operations.dismiss_finding(
        incident_id=incident.pk,
        code="update_gap",
        subject="entry:1",
        reason="known",
        at=now,
        author=author,
    )
    return incident


def _row(incident: Incident, kind: str) -> int:
    entry = incident.entries.get(text="looked at the log")
    rows = {
        "incident": incident.pk,
        "entry": entry.pk,
        "evidence": entry.evidence.get().pk,
        "update": incident.updates.get(body="Only we know.").pk,
        "draft": incident.updates.get(body="a draft").pk,
        "promise": Promise.objects.get(incident=incident, kind=PromiseKind.ETA).pk,
        "impact": incident.impacts.get().pk,
        "cause": incident.causes.get().pk,
        "action": incident.actions.get().pk,
        "role": incident.roles.get().pk,
        "section": incident.postmortem.sections.order_by("pk")[0].pk,
        "dismissal": incident.lint_dismissals.get().pk,
    }
    return int(rows[kind])


def _address(name: str, route: str, incident: Incident) -> str:
    kind = _kind(route)
    assert kind is not None
    values: dict[str, int | str] = {"pk": _row(incident, kind)}
    for other in ("number", "person"):
        if f"<int:{other}>" in route:
            values[other] = incident.members.get().pk
    words = {"form": "md", "name": "remove" if kind == "section" else "approve"}
    values |= {name: word for name, word in words.items() if f"<slug:{name}>" in route}
    return reverse(name, kwargs=values)


@pytest.mark.parametrize(("name", "route"), OF_INCIDENTS, ids=str)
def test_who_is_no_member_finds_nothing(
    client: Client, outsider: User, private: Incident, name: str, route: str
) -> None:
    client.force_login(outsider)
    address = _address(name, route, private)

    answers = [client.get(address), client.post(address, {})]

    codes = [answer.status_code for answer in answers]
    assert set(codes) <= {NOT_FOUND, NO_SUCH_METHOD}
    assert NOT_FOUND in codes
    assert not any(SECRET in answer.content.decode() for answer in answers)


@pytest.mark.parametrize("name", ["incident-detail", "incident-handover", "incident-edit"])
def test_a_member_does(client: Client, private: Incident, name: str) -> None:
    client.force_login(private.members.get())

    answer = client.get(reverse(f"incidents:{name}", args=[private.pk]))

    assert SECRET in answer.content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "/desk/",
        "/desk/?q=key",
        "/desk/search/?q=leaked",
        "/desk/actions/",
        "/desk/actions/?state=any",
        "/desk/components/1/status/",
        "/desk/restores/request/",
        "/desk/restores/",
        "/desk/incidents/declare/?parent=1",
        "/desk/alerts/1/",
        "/desk/notices/",
        "/desk/import/",
    ],
)
def test_no_list_names_it(client: Client, outsider: User, private: Incident, address: str) -> None:
    hook = AlertHook.objects.create(
        name="Prometheus", provider=AlertProvider.ALERTMANAGER, token_digest="0" * 64,
        created_at=NOON,
    )  # fmt: skip
    hook.alerts.create(
        fingerprint="1", dedup_key="1", state=AlertState.FIRING, title="disk full", payload={},
        starts_at=NOON, received_at=NOON, told_at=NOON, incident=private,
    )  # fmt: skip
    client.force_login(outsider)
    tours = private.components.get()
    address = address.replace("components/1", f"components/{tours.pk}")
    address = address.replace("parent=1", f"parent={private.pk}")
    address = address.replace("alerts/1", f"alerts/{hook.pk}")

    page = client.get(address, follow=True).content.decode()

    assert SECRET not in page
    assert "renew keys" not in page
    assert f"{private.ref}<" not in page


def test_the_api_knows_nothing_of_it(outsider: User, private: Incident) -> None:
    api = APIClient()
    api.force_authenticate(outsider)
    address = f"/api/desk/v1/incidents/{private.pk}/"

    listed = api.get("/api/desk/v1/incidents/").json()

    assert listed["results"] == []
    for path in ("", "entries/", "updates/"):
        assert api.get(address + path).status_code == NOT_FOUND
    assert api.post(f"{address}entries/", {"text": "x"}, format="json").status_code == NOT_FOUND
