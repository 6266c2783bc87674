"""Rows of components: kept while they say the same, and never a moment longer."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from django.template import Template
from django.test.signals import template_rendered
from django.utils import translation
from django.utils.safestring import SafeString

from incidents import operations
from incidents.models import Component
from incidents.operations.history import move_component
from incidents.values import ComponentStatus
from statuspage import publisher
from statuspage.documents import parts
from statuspage.operations import add_page, set_up_page
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("public_root")]

DAY = timedelta(days=1)
LATER = NOON + MINUTE


@pytest.fixture
def europe() -> Component:
    return operations.add_component(name="Europe", is_group=True, at=NOON - 400 * DAY)


@pytest.fixture
def tours(europe: Component) -> Component:
    """Give a component in a group, beside another, that was down on the night before last."""
    tours = operations.add_component(
        name="Tours", group_id=europe.pk, at=NOON - 400 * DAY, description="Where trips are booked."
    )
    operations.add_component(name="Prices", group_id=europe.pk, at=NOON - 400 * DAY)
    tours.refresh_from_db()
    # Before midnight in UTC, and after it to the east.
    move_component(tours, ComponentStatus.MAJOR_OUTAGE, at=NOON - 13.5 * HOUR - DAY)
    move_component(tours, ComponentStatus.OPERATIONAL, at=NOON - 12.5 * HOUR - DAY)
    return tours


def _edit(component: Component, **changes: Any) -> None:
    component.refresh_from_db()
    said: dict[str, Any] = {
        "name": component.name,
        "description": component.description,
        "group_id": component.group_id,
        "is_group": component.is_group,
    }
    operations.edit_component(component_id=component.pk, at=LATER, **said | changes)


def _set_up(**changes: Any) -> None:
    set_up_page(name="Acme", url="https://status.acme.example", at=LATER, **changes)


CHANGES: dict[str, Callable[[Component, Component], object]] = {
    "name": lambda tours, _group: _edit(tours, name="Trips"),
    "description": lambda tours, _group: _edit(tours, description="Where to go."),
    "group": lambda tours, _group: _edit(tours, group_id=None),
    "name of the group": lambda _tours, group: _edit(group, name="Asia"),
    "start": lambda tours, _group: _edit(tours, start_on=date(2026, 1, 9)),
    "hidden": lambda tours, _group: _edit(tours, only_show_if_degraded=True),
    "order": lambda tours, _group: operations.move_among_siblings(component_id=tours.pk, places=1),
    "removed": lambda tours, _group: operations.remove_component(component_id=tours.pk),
    "status": lambda tours, _group: operations.set_component_status(
        component_id=tours.pk, status=ComponentStatus.DEGRADED_PERFORMANCE, at=LATER
    ),
    "history": lambda tours, _group: operations.rewrite_history(
        component_id=tours.pk,
        status=ComponentStatus.PARTIAL_OUTAGE,
        since=NOON - 30 * DAY,
        until=NOON - 29 * DAY,
        at=LATER,
        author=None,
    ),
    "zone of the page": lambda _tours, _group: _set_up(time_zone="Europe/Berlin"),
    "language of the page": lambda _tours, _group: _set_up(language="de"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_a_row_says_changes_it(
    change: Callable[[Component, Component], object],
    tours: Component,
    europe: Component,
    visitor: Visitor,
) -> None:
    _publish()
    before = _rows(visitor)

    change(tours, europe)
    _publish(MINUTE)
    after = _rows(visitor)

    assert after != before
    parts._row.cache_clear()
    _publish(MINUTE)
    assert _rows(visitor) == after


@pytest.mark.usefixtures("tours")
def test_a_new_day_changes_every_drawing(visitor: Visitor) -> None:
    _publish()
    before = _rows(visitor)

    _publish(DAY)

    after = _rows(visitor)
    assert 'd="M87 24h1"' in before
    assert 'd="M86 24h1"' in after
    assert 'd="M87 24h1"' not in after


@pytest.mark.usefixtures("tours")
def test_what_is_as_it_was_is_not_rendered_again() -> None:
    parts._row.cache_clear()
    with _rendered() as first:
        _publish()
    with _rendered() as again:
        _publish(MINUTE)

    # The group and its two members.
    assert first.count("statuspage/_part.html") == 3
    assert again.count("statuspage/_part.html") == 0


def test_of_a_thousand_only_those_that_changed_are_rendered() -> None:
    made = Component.objects.bulk_create(
        Component(name=f"Part {number}", position=number, created_at=NOON, updated_at=NOON)
        for number in range(1000)
    )
    _publish()

    with _rendered() as found:
        operations.set_component_status(
            component_id=made[500].pk, status=ComponentStatus.MAJOR_OUTAGE, at=LATER
        )

    assert found.count("statuspage/_part.html") == 1


@pytest.mark.usefixtures("tours")
def test_pages_in_two_languages_and_zones_keep_their_own(visitor: Visitor) -> None:
    _set_up()
    beta = add_page(slug="beta", name="Beta", url="https://status.beta.example", at=NOON)
    set_up_page(
        page_id=beta.pk,
        name="Beta",
        url="https://status.beta.example",
        language="de",
        time_zone="Europe/Berlin",
        at=LATER,
    )

    for after in (MINUTE, 2 * MINUTE):
        _publish(after)
        english = _rows(visitor, host="status.acme.example")
        german = _rows(visitor, host="status.beta.example")
        assert "Operational" in english
        assert "Operational" not in german
        # To the east it was midnight already.
        assert 'd="M87 24h1"' in english
        assert 'd="M87 24h2"' in german


def test_a_group_speaks_the_language_of_its_page() -> None:
    # Of one that says the same in both but for the words of its template.
    group = parts.Part(
        id="b7qf2m9xk4td",
        name="Europe",
        description="",
        status=ComponentStatus.OPERATIONAL,
        status_words="OK",
        is_group=True,
        bars=SafeString("<svg></svg>"),
        uptime="100",
    )

    with translation.override("en"):
        english = parts.rows([group])
    with translation.override("de"):
        german = parts.rows([group])

    assert "Uptime of Europe" in english
    assert "Uptime of Europe" not in german


def _publish(after: timedelta = timedelta(0)) -> None:
    publisher.publish_now(now=lambda: NOON + after)


def _rows(visitor: Visitor, host: str = "") -> str:
    """Return the part of the front page that lists components."""
    page = visitor.get("/live", host=host).text
    found = re.search(r'<ul class="parts card">.*?</section>', page, re.DOTALL)
    assert found
    return found[0]


@contextmanager
def _rendered() -> Iterator[list[str | None]]:
    """Collect the names of the templates that are rendered inside."""
    names: list[str | None] = []

    def note(template: Template, **_more: object) -> None:
        names.append(template.name)

    template_rendered.connect(note)
    try:
        yield names
    finally:
        template_rendered.disconnect(note)
