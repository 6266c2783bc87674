"""Past incidents that are like one: by what they are about, in words and in components.

Rare words say most. A word that very many incidents have finds none by itself, however large the
record; two that stand side by side in the title may. So the cost does not grow with the record.
"""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.db.models import Q, QuerySet

from accounts.models import User
from incidents.models import Component, Incident, RootCause, TimelineEntry
from incidents.models.fields import words_of
from incidents.queries.words import Words, by_index
from incidents.values import CauseKind, IncidentKind, Milestone, Outcome

MOST = 5
# A word that so many incidents have is common.
_COMMON = 400
# So many words of an incident are looked for, those of its title first; and pairs of them.
_MOST_WORDS, _MOST_PAIRS = 12, 6
# So many are looked at more closely, of those with rare words and of those with the components.
_LOOKED_AT = 60
_SHORTEST = 3
# Who writes more says what it is about in the beginning.
_LONGEST = 2000
# In a sentence to a reader.
_SAID = 6
# The languages whose words without meaning are passed over: those of the status page.
_LANGUAGES = ("english", "dutch", "german", "french")
_WORD = re.compile(r"\w+")
# A component that both have says more than a word that a few have, and less than two of those.
_FOR_A_COMPONENT, _FOR_A_COMMON_WORD = 0.5, 0.05
# Stands for the words that are looked for.
_HERE = "here"
# Below this, incidents have something in common, and are not alike.
_ENOUGH = 0.25
# Which cause is named of several.
_SAYS_MOST = (CauseKind.PRIMARY, CauseKind.TRIGGER, CauseKind.CONTRIBUTING, CauseKind.PROCESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """An incident that is like another, why, what caused it, and what helped."""

    incident: Incident
    components: Sequence[str]
    words: Sequence[str]
    cause: RootCause | None
    helped: TimelineEntry | None


def similar_incidents(incident: Incident, *, user: User) -> list[Similar]:
    """Return up to five incidents that somebody may know of, the likest first.

    Drills and duplicates are left out. The number of queries does not depend on how many there are.
    """
    words = _words(incident)
    own = list(incident.components.values_list("pk", flat=True))
    found = _having(words)
    common = {word for word in words if len(found.get(word, ())) >= _COMMON}
    shared: dict[int, set[str]] = defaultdict(set)
    for term, numbers in found.items():
        if len(numbers) < _COMMON:
            for number in numbers:
                shared[number].update(term.split())
    weights = {term: _weight(len(numbers)) for term, numbers in found.items()}
    best = sorted(shared, key=lambda pk: (-_sum(shared[pk], weights), -pk))[:_LOOKED_AT]
    looked_at = {*best, *_newest_with(own)} - {incident.pk, incident.duplicate_of_id}
    rows = _rows(looked_at, user)
    scored = []
    for row in rows:
        theirs = set(_WORD.findall(f"{row.title} {row.summary}".casefold()))
        alike = shared.get(row.pk, set()) | (common & theirs)
        parts = [part for part in row.components.all() if part.pk in own]
        score = _sum(alike, weights) + _FOR_A_COMPONENT * min(len(parts), 2)
        if score >= _ENOUGH:
            scored.append((score, row.pk, row, parts, alike))
    scored.sort(key=lambda one: one[:2], reverse=True)
    chosen = [(row, parts, alike) for _score, _pk, row, parts, alike in scored[:MOST]]
    return _told(chosen, words, weights)


def _words(incident: Incident) -> list[str]:
    """Return the words of title, summary and causes that mean something, the title's first."""
    causes = incident.causes.live().in_order().values_list("text", flat=True)
    texts = [incident.title, incident.summary, *causes[:_MOST_WORDS]]
    typed = dict.fromkeys(
        word
        for text in texts
        for word in _WORD.findall(text[:_LONGEST].casefold())
        if len(word) >= _SHORTEST and not word.isdecimal()
    )
    means = " AND ".join(
        f"numnode(plainto_tsquery('{language}', word)) > 0" for language in _LANGUAGES
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT word FROM unnest(%s::text[]) WITH ORDINALITY AS w(word, place) "  # noqa: S608
            f"WHERE {means} ORDER BY place LIMIT %s",
            [list(typed), _MOST_WORDS],
        )
        return [word for (word,) in cursor.fetchall()]


def _having(words: Sequence[str]) -> dict[str, set[int]]:
    """Return the incidents that have a word, or two of the title side by side; not all of many."""
    pairs = [f"{one} {other}" for one, other in itertools.pairwise(words)][:_MOST_PAIRS]
    tables = (
        _place_for_words(Incident.objects.alias(words=words_of("title", "summary")), "pk"),
        _place_for_words(RootCause.objects.live().alias(words=words_of("text")), "incident_id"),
    )
    pieces: list[str] = []
    params: list[Any] = []
    for term in [*words, *pairs]:
        query = " & ".join(f"'{word}'" for word in term.split())
        for sql, given in tables:
            # Were the limit inside, PostgreSQL would rather read a whole table for a common word.
            pieces.append(
                f"(WITH found AS MATERIALIZED ({sql}) SELECT %s, * FROM found LIMIT %s)"  # noqa: S608
            )
            params += [*(query if each == _HERE else each for each in given), term, _COMMON]
    found: dict[str, set[int]] = defaultdict(set)
    if pieces:
        with by_index(), connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(pieces), params)
            for term, number in cursor.fetchall():
                found[term].add(number)
    return found


def _place_for_words(rows: QuerySet[Any], column: str) -> tuple[str, Sequence[Any]]:
    """Return the question which of these rows have words that stand for ``_HERE``, made once."""
    found = rows.filter(words=Words(_HERE)).values_list(column)
    sql, given = found.query.sql_with_params()
    return sql, given


def _weight(count: int) -> float:
    """Return what a word says that so many incidents have."""
    return _FOR_A_COMMON_WORD if count >= _COMMON else 1 / (1 + math.log10(max(count, 1)))


def _sum(words: Iterable[str], weights: Mapping[str, float]) -> float:
    return sum(weights.get(word, _FOR_A_COMMON_WORD) for word in words)


def _newest_with(components: Collection[int]) -> list[int]:
    links = Incident.components.through.objects.filter(component__in=components)
    newest = links.order_by("-incident_id").values_list("incident_id", flat=True)
    # One that has several of them stands there as often.
    return list(newest[: _LOOKED_AT * max(len(components), 1)])[:_LOOKED_AT]


def _rows(numbers: Collection[int], user: User) -> QuerySet[Incident]:
    return (
        Incident.objects.seen_by(user)
        .filter(pk__in=numbers, duplicate_of=None)
        .exclude(kind=IncidentKind.DRILL)
        .prefetch_related(models.Prefetch("components", queryset=Component.objects.in_tree()))
    )


def _told(
    chosen: Sequence[tuple[Incident, Sequence[Component], set[str]]],
    words: Sequence[str],
    weights: Mapping[str, float],
) -> list[Similar]:
    over = [row.pk for row, _parts, _alike in chosen if row.is_resolved]
    causes = _causes(over)
    helped = _helped(over)
    return [
        Similar(
            incident=row,
            components=[part.name for part in parts],
            # The rarest first: they say most.
            words=sorted(
                (word for word in words if word in alike),
                key=lambda word: -weights.get(word, 0),
            )[:_SAID],
            cause=causes.get(row.pk),
            helped=helped.get(row.pk),
        )
        for row, parts, alike in chosen
    ]


def _causes(numbers: Collection[int]) -> dict[int, RootCause]:
    """Return of each incident the cause that says most."""
    rank = {kind.value: place for place, kind in enumerate(_SAYS_MOST)}
    rows = RootCause.objects.live().filter(incident__in=numbers, kind__in=rank).in_order()
    found: dict[int, RootCause] = {}
    for cause in sorted(rows, key=lambda row: rank[row.kind]):
        found.setdefault(cause.incident_id, cause)
    return found


def _helped(numbers: Collection[int]) -> dict[int, TimelineEntry]:
    """Return of each incident what mitigated it, or else what worked last."""
    rows = (
        TimelineEntry.objects.live()
        .filter(incident__in=numbers)
        .filter(Q(milestone=Milestone.MITIGATED) | Q(outcome=Outcome.WORKED))
        .order_by("at", "position", "pk")
    )
    found: dict[int, TimelineEntry] = {}
    for entry in rows:
        known = found.get(entry.incident_id)
        if known is None or known.milestone != Milestone.MITIGATED:
            found[entry.incident_id] = entry
    return found
