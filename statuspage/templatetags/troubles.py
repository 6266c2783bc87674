"""For every page of the desk: what of publishing does not work."""

from dataclasses import dataclass
from datetime import datetime

from django import template
from django.db.models import CharField, F, Value

from statuspage.models import Publication, PublishTarget

register = template.Library()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that does not work, since when, and why."""

    page: str
    slug: str
    target: str
    since: datetime
    failure: str


@register.inclusion_tag("statuspage/desk/_troubles.html")
def troubles() -> dict[str, object]:
    """Say which pages cannot be published and which copies of them are behind. One query."""
    names = ("page__name", "page__slug", "target", "failing_since", "failure")
    pages = Publication.objects.filter(failing_since__isnull=False)
    copies = PublishTarget.objects.filter(is_on=True, failing_since__isnull=False)
    rows = (
        pages.annotate(target=Value("", output_field=CharField()))
        .values_list(*names)
        .union(copies.annotate(target=F("name")).values_list(*names))
        .order_by("failing_since")
    )
    return {
        "troubles": [
            Trouble(page=page, slug=slug, target=target, since=since, failure=failure)
            for page, slug, target, since, failure in rows
        ]
    }
