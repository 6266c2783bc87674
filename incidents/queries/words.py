"""Words that somebody types to find something, as PostgreSQL reads them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _
from psycopg.errors import QueryCanceled

from incidents.errors import Refused

# Only a phrase of common words that is itself rare, in very many postmortems, comes near it.
PATIENCE_MS = 3000
# What is still being typed finds what begins so, once it is long enough to narrow anything.
_UNFINISHED = re.compile(r"(?:^|\s)\w{3,}$")


class NothingToFind(Refused):
    """What was typed names no word that has to be there."""

    code = "nothing-to-find"
    message = _("Write at least one word that is to be found, letters or figures.")


class TooCommon(Refused):
    """What was typed stands nearly everywhere, and to sort it out takes too long."""

    code = "too-common"
    message = _("These words stand nearly everywhere. Add one that is rarer, or choose where.")


class Words(SearchQuery):
    """Words that have been read: a query as PostgreSQL wrote it down."""

    template = "%(expressions)s::tsquery"


def read_words(typed: str) -> Words:
    """Read words as search boxes everywhere do: "a phrase", one or other, -without.

    The last word may be unfinished: ``rest`` finds ``restore``.

    :raises NothingToFind: if no row could be told from another by an index: nothing but signs, or
        nothing but words that are not to be there
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT q::text, querytree(q) FROM websearch_to_tsquery('simple', %s) AS q", [typed]
        )
        query, findable = cursor.fetchone()
    if findable in ("", "T"):
        raise NothingToFind
    if query.endswith("'") and typed.count('"') % 2 == 0 and _UNFINISHED.search(typed):
        query += ":*"
    return Words(query)


@contextmanager
def by_index() -> Iterator[None]:
    """Let PostgreSQL find words by their index alone, on one processor.

    It takes the words of a long text for as cheap as those of a short one, and would rather read
    five thousand postmortems anew, a second and a half of work, than ask the index.

    :raises TooCommon: if one question takes longer than anybody waits
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('enable_seqscan', 'off', true), "
                "set_config('max_parallel_workers_per_gather', '0', true), "
                # To compile a plan takes longer than what comes of it here.
                "set_config('jit', 'off', true), "
                "set_config('statement_timeout', %s, true)",
                [str(PATIENCE_MS)],
            )
            yield
    except OperationalError as fault:
        if isinstance(fault.__cause__, QueryCanceled):
            raise TooCommon from fault
        raise


def newest_found(rows: Any, *, most: int, reading: int) -> tuple[list[tuple[int, int]], bool]:
    """Return the newest of these rows, and whether they are: not where more than ``reading`` fit.

    ``rows`` is a query of two numbers, the first of which tells the age, that asks for words. Its
    plan is that for all rows, by the index of words, and the reading stops early. Were the limit
    inside, PostgreSQL would rather read the table from one end where it takes the words for common,
    and would read it to the other if no row has all of them.
    """
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        # The inner query is Django's own, with its parameters.
        cursor.execute(
            f"WITH found AS MATERIALIZED ({sql}), "  # noqa: S608
            "seen AS MATERIALIZED (SELECT * FROM found LIMIT %s) "
            "SELECT *, (SELECT count(*) FROM seen) FROM seen ORDER BY 1 DESC LIMIT %s",
            [*params, reading + 1, most],
        )
        found = cursor.fetchall()
    return [(pk, number) for pk, number, _count in found], not found or found[0][2] <= reading
