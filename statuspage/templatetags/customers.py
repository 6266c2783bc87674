"""For pages that lie above: a message, and a time, as customers read them."""

import re
from collections.abc import Sequence
from datetime import datetime

from django import template
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe

from incidents.models import Component, Maintenance, MaintenanceUpdate, Promise
from incidents.values import ComponentStatus, Phase, When, zone
from statuspage.documents.bodies import as_html
from statuspage.documents.clauses import Clauses
from statuspage.documents.facts import Facts, Limits
from statuspage.documents.maintenance import planned
from statuspage.documents.moments import due, when
from statuspage.documents.pages import Message
from statuspage.documents.scope import Scope
from statuspage.models import Page

register = template.Library()

# The characters that set or override the direction of what follows.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


@register.filter
def isolated(text: str) -> str:
    """Return text for where no element keeps it apart: what turns words in it ends with it."""
    return f"\u2068{text}\u2069" if _TURNS.search(text) else text


@register.filter
def as_customers_read(body: str) -> SafeString:
    """Return a body as the page renders it."""
    return as_html(body)


@register.simple_tag
def customers_time(stated: When, now: datetime) -> SafeString:
    """Write a time that is given to customers, in the page's zone."""
    given = Promise(**stated.fields("due_"), expires_at=stated.latest)
    return due(given, zone(Page.objects.first_page(at=now).time_zone))


@register.simple_tag
def customers_maintenance(
    maintenance: Maintenance, body: str, components: Sequence[Component], now: datetime
) -> SafeString:
    """Show a maintenance that is not scheduled yet, as the first page will show it now."""
    update = MaintenanceUpdate(state=maintenance.state, body=body, published_at=now)
    update.changes = []  # type: ignore[attr-defined]
    maintenance.told = [update]  # type: ignore[attr-defined]
    maintenance.affected = components  # type: ignore[attr-defined]
    page, clauses = Page.objects.first_page(at=now), Clauses(at=now)
    facts = Facts(
        page=page,
        scope=Scope(components=list(components), touching=None),
        incidents=[],
        at=now,
        revision=0,
        assets={},
        limits=Limits(),
    )
    with translation.override(page.language):
        shown = render_to_string(
            "statuspage/_maintenance.html",
            {"planned": planned(facts, maintenance, clauses, {}), "link": False},
        )
    return mark_safe(clauses.editions(shown)[0].body.decode())  # noqa: S308 - a template's


@register.inclusion_tag("statuspage/_messages.html")
def customers_message(
    phase: str, body: str, at: datetime, changes: Sequence[tuple[str, ComponentStatus]]
) -> dict[str, object]:
    """Show an update that has not been sent, by the template that the page has for those sent."""
    message = Message(
        label=str(Phase(phase).label),
        phase=phase,
        at=when(at, zone(Page.objects.first_page(at=at).time_zone)),
        body=as_html(body),
        author="",
        edited=SafeString(""),
        earlier=[],
        changes=[(name, status, str(status.label)) for name, status in changes],
    )
    return {"messages": [message], "link": False}
