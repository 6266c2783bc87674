"""Components and groups as rows of the page: a row that says what it said is not rendered again."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from incidents.models import Component
from incidents.values import ComponentStatus
from statuspage.documents.bars import KEPT, bars, percent
from statuspage.documents.facts import Facts
from statuspage.documents.messages import status_words
from statuspage.documents.uptime import DRAWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A component or a group, as a row of the page: everything that the row says, and no more."""

    id: str
    name: str
    description: str
    status: str
    status_words: str
    is_group: bool
    # The last days as a drawing, and their figure; empty while there is no history.
    bars: SafeString
    uptime: str
    members: "tuple[Part, ...]" = ()

    @property
    def is_troubled(self) -> bool:
        return self.status != ComponentStatus.OPERATIONAL


def parts(facts: Facts) -> list[Part]:
    """Return components and groups as rows, members inside their groups."""
    members: dict[int | None, list[Component]] = {}
    for component in facts.components:
        if facts.is_hidden(component):
            continue
        members.setdefault(component.group_id, []).append(component)
    words = {status.value: status_words(status) for status in ComponentStatus}
    return [_part(facts, component, members, words) for component in members.get(None, [])]


def rows(shown: Iterable[Part]) -> SafeString:
    """Return rows as HTML, in the language that is active."""
    language = get_language()
    # Safe: each of them comes from its template.
    return mark_safe("".join(_row(part, language) for part in shown))  # noqa: S308


@functools.lru_cache(maxsize=KEPT)
def _row(part: Part, _language: str | None) -> SafeString:
    # A row is made of its part and of the language alone, and both are its key: whatever changes
    # makes another row, and pages that show the same share it.
    return render_to_string("statuspage/_part.html", {"part": part, "rows": rows(part.members)})


def _part(
    facts: Facts,
    component: Component,
    members: Mapping[int | None, Sequence[Component]],
    words: Mapping[str, str],
) -> Part:
    status = facts.status_of(component)
    history = facts.histories.get(component.pk)
    is_drawn = history is not None and not history.is_empty
    return Part(
        id=component.public_id,
        name=component.name,
        description=component.description,
        status=status,
        status_words=words[status],
        is_group=component.is_group,
        bars=bars(history) if history and is_drawn else SafeString(""),
        uptime=percent(history.uptime[DRAWN]) if history and is_drawn else "",
        members=(
            tuple(_part(facts, member, {}, words) for member in members.get(component.pk, []))
            if component.is_group
            else ()
        ),
    )
