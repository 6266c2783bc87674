"""For pages that lie above: a message, and a time, as customers read them."""

from collections.abc import Sequence
from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from incidents.models import Promise
from incidents.values import ComponentStatus, Phase, When, zone
from statuspage.documents.bodies import as_html
from statuspage.documents.moments import due, when
from statuspage.documents.pages import Message
from statuspage.models import Page

register = template.Library()


@register.filter
def as_customers_read(body: str) -> SafeString:
    """Return a body as the page renders it."""
    return as_html(body)


@register.simple_tag
def customers_time(stated: When, now: datetime) -> SafeString:
    """Write a time that is given to customers, in the page's zone."""
    given = Promise(**stated.fields("due_"), expires_at=stated.latest)
    return due(given, zone(Page.objects.the_one(at=now).time_zone))


@register.inclusion_tag("statuspage/_messages.html")
def customers_message(
    phase: str, body: str, at: datetime, changes: Sequence[tuple[str, ComponentStatus]]
) -> dict[str, object]:
    """Show an update that has not been sent, by the template that the page has for those sent."""
    message = Message(
        label=str(Phase(phase).label),
        phase=phase,
        at=when(at, zone(Page.objects.the_one(at=at).time_zone)),
        body=as_html(body),
        author="",
        edited=SafeString(""),
        earlier=[],
        changes=[(name, status, str(status.label)) for name, status in changes],
    )
    return {"messages": [message], "link": False}
