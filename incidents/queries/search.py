"""Search of the whole record: words in, incidents with what was found in each out.

However many rows hold the words, only so many are looked at: the newest. So a search costs about
the same in a record of a million entries as in one of a thousand.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchHeadline
from django.db.models import F, Max, QuerySet, TextChoices
from django.db.models.functions import Left
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.models import (
    ActionItem,
    Incident,
    Postmortem,
    PostmortemSection,
    RootCause,
    TimelineEntry,
)
from incidents.models.fields import SEARCHED, words_of
from incidents.queries.words import Words, by_index, newest_found, read_words
from incidents.values import EntryKind

# So many rows of each table are looked at, the newest.
MOST = 500
# How many hits of each kind stand under one incident of many, and under the only one.
_FEW, _MANY = 3, 100
# Signs that nobody types, where a word that was found begins and ends.
_BEGIN, _END = "\ue000", "\ue001"
_MARKED = re.compile(f"{_BEGIN}(.*?){_END}", re.DOTALL)
# Signs of markup in words for customers and in postmortems: an excerpt shows the words alone.
_SIGNS = re.compile(r"\*\*|`|\b__|__\b|\[([^\[\]\n]*)\]\([^()\s]*\)?")
# What was learned says more in a line than what happened meanwhile.
_SHOWN = ("section", "postmortem", "cause", "action", "entry", "update")


class Part(TextChoices):
    """In what the words were found."""

    TITLE = "title", _("Titles and summaries")
    ENTRY = "entry", _("Timeline")
    UPDATE = "update", _("Status updates")
    CAUSE = "cause", _("Causes")
    ACTION = "action", _("Action items")
    POSTMORTEM = "postmortem", _("Imported postmortems")
    SECTION = "section", _("Sections of postmortems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One row that holds the words, and what it says about them, marked."""

    part: Part
    row: Any
    words: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One incident, and what was found in it. ``more`` hits are not shown."""

    incident: Incident
    title: SafeString
    # Only if the words are in it.
    summary: SafeString
    hits: Sequence[Hit]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of what was found, the number of incidents in all, and whether there may be more.

    ``is_partial``: more rows hold the words than were looked at, and only the newest are here.
    """

    groups: Sequence[Group]
    incident_count: int
    has_more: bool
    is_partial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table that is searched: which column names the incident, and which hold the words."""

    rows: Any
    incident: str
    columns: tuple[str, ...]
    # So many are read by the index of words before they count as common: one in fifty of a million.
    reading: int = 20_000
    # Those that have a common word are looked for among so many rows, the last of the table.
    recent: int = 25_000


_TABLES: Mapping[Part, _Table] = {
    Part.TITLE: _Table(rows=Incident.objects, incident="id", columns=("title", "summary")),
    Part.ENTRY: _Table(rows=TimelineEntry.objects, incident="incident_id", columns=("text",)),
    Part.CAUSE: _Table(rows=RootCause.objects, incident="incident_id", columns=("text",)),
    Part.ACTION: _Table(rows=ActionItem.objects, incident="incident_id", columns=("text",)),
    # Of a phrase the index knows the words alone, and each of these long texts is read for it.
    Part.POSTMORTEM: _Table(
        rows=Postmortem.objects,
        incident="incident_id",
        columns=("document",),
        reading=MOST,
        recent=2 * MOST,
    ),
    Part.SECTION: _Table(
        rows=PostmortemSection.objects.live().annotate(incident_id=F("postmortem__incident")),
        incident="incident_id",
        columns=("title", "body"),
        reading=MOST,
        recent=2 * MOST,
    ),
}


def search_record(
    typed: str,
    *,
    user: User,
    part: Part | None = None,
    incident_id: int | None = None,
    page: int = 1,
    size: int = 10,
) -> Found:
    """Return a page of the incidents in which somebody may find these words.

    Those whose title or summary has them stand first, then the newest. The number of queries does
    not depend on how much is found, but for two more of a table in which the words are common.

    :raises NothingToFind: if what was typed holds no word that is to be found
    """
    words = read_words(typed)
    hits: dict[int, dict[Part, list[int]]] = defaultdict(dict)
    is_partial = False
    # Updates stand on the timeline.
    parts = [part] if part else [part for part in Part if part is not Part.UPDATE]
    with by_index():
        for each in parts:
            found = matching(words, user=user, part=each, incident_id=incident_id)
            newest, cut = _newest(found, _table(each))
            is_partial |= cut
            for pk, number in newest:
                hits[number].setdefault(each, []).append(pk)
    # An entry is a sentence: it has the words or has not, and how often says nothing. What tells
    # incidents apart is whether the words are what it is about, and how long ago it was.
    order = sorted(hits, key=lambda number: (Part.TITLE in hits[number], number), reverse=True)
    shown = order[(page - 1) * size : page * size]
    return Found(
        groups=list(_groups({number: hits[number] for number in shown}, words)),
        incident_count=len(order),
        has_more=len(order) > page * size,
        is_partial=is_partial,
    )


def matching(
    words: Words, *, user: User, part: Part, incident_id: int | None = None
) -> QuerySet[Any]:
    """Return the rows that hold these words and that somebody may see."""
    table = _table(part)
    rows = table.rows.alias(words=words_of(*table.columns)).filter(words=words)
    if incident_id is not None:
        rows = rows.filter(**{table.incident: incident_id})
    if part in (Part.ENTRY, Part.UPDATE, Part.CAUSE):
        rows = rows.live()
    if part is Part.UPDATE:
        rows = rows.filter(kind=EntryKind.UPDATE)
    hidden = Incident.objects.hidden_from(user).values("pk")
    found: QuerySet[Any] = rows.exclude(**{f"{table.incident}__in": hidden})
    return found


def _table(part: Part) -> _Table:
    return _TABLES[Part.ENTRY if part is Part.UPDATE else part]


def _newest(rows: QuerySet[Any], table: _Table) -> tuple[list[tuple[int, int]], bool]:
    """Return row and incident of the newest of these rows, and whether there are others.

    To sort all rows that have a common word would cost as much as there are rows. Few enough are
    read by the index of words, and sorted. Of more, those among the last rows of the table are
    read, which is bounded, too; if these are fewer than wanted, others fill up.
    """
    places = rows.values_list("pk", table.incident)
    found, is_newest = newest_found(places, most=MOST + 1, reading=table.reading)
    if not is_newest:
        last = table.rows.aggregate(last=Max("pk"))["last"]
        found += places.filter(pk__gt=last - table.recent).order_by("-pk")[:MOST]
    return sorted(dict(found).items(), reverse=True)[:MOST], len(found) > MOST


def _groups(hits: Mapping[int, Mapping[Part, list[int]]], words: Words) -> Iterator[Group]:
    """Yield what is shown of these incidents, in their order."""
    incidents = _read(Part.TITLE, list(hits), words)
    most = _MANY if len(hits) == 1 else _FEW
    shown: dict[int, list[Hit]] = defaultdict(list)
    for part in map(Part, _SHOWN):
        few = [pk for found in hits.values() for pk in found.get(part, [])[:most]]
        rows = _read(part, few, words)
        for row in (rows[pk] for pk in few if pk in rows):
            is_marked = (
                part in (Part.POSTMORTEM, Part.SECTION)
                or getattr(row, "kind", "") == EntryKind.UPDATE
            )
            excerpt = _SIGNS.sub(r"\1", row.excerpt) if is_marked else row.excerpt
            shown[row.incident_id].append(Hit(part=part, row=row, words=_marked(excerpt)))
    for number in hits:
        if (incident := incidents.get(number)) is None:
            # Gone since it was found.
            continue
        count = sum(len(rows) for part, rows in hits[number].items() if part is not Part.TITLE)
        summary = _marked(incident.excerpt) if _BEGIN in incident.excerpt else SafeString()
        yield Group(
            incident=incident,
            title=_marked(incident.marked_title),
            summary=summary,
            hits=shown[number],
            more=count - len(shown[number]),
        )


def _read(part: Part, numbers: Collection[int], words: Words) -> dict[int, Any]:
    """Return these rows by their number, each with an excerpt around the words."""
    table = _table(part)
    column = table.columns[-1]
    # The whole of it is not shown: a postmortem is long.
    rows = table.rows.filter(pk__in=numbers).defer(column)
    excerpt = _headline(column, words, max_fragments=2, fragment_delimiter=" … ", max_words=30)
    rows = rows.annotate(excerpt=excerpt)
    if part is Part.TITLE:
        rows = rows.annotate(marked_title=_headline("title", words, highlight_all=True))
    return {row.pk: row for row in rows}


def _headline(column: str, words: Words, **shape: Any) -> SearchHeadline:
    text = Left(column, SEARCHED)
    return SearchHeadline(text, words, config="simple", start_sel=_BEGIN, stop_sel=_END, **shape)


def _marked(excerpt: str) -> SafeString:
    """Return an excerpt for a page: what was found is marked, and nothing in it is markup."""
    # Between the splits stand, by turns, what was not found and what was.
    pieces = _MARKED.split(excerpt)
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<mark>{}</mark>", piece) if number % 2 else piece,)
            for number, piece in enumerate(pieces)
        ),
    )
