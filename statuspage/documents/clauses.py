"""Words that time alone makes true: a document is rendered once and says them from a moment on.

While a document is rendered, a clause leaves a mark in it. Afterwards the marks are filled in
once for now and once for each moment at which a clause turns: the editions. Whoever serves the
document takes the latest edition whose moment has come; no process needs to be alive for that.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.safestring import SafeString

# Beyond these, the moments are left to the publisher: by then it has rendered anew.
_MOST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What a document says from a moment on, until the next edition's."""

    valid_from: datetime
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """Words until a moment, and other words from then on."""

    turns_at: datetime
    before: SafeString
    after: SafeString


@dataclass(slots=True, kw_only=True)
class Clauses:
    """The clauses of the documents of one revision."""

    at: datetime
    _clauses: list[Clause] = field(default_factory=list)
    # No text of anybody's can look like a mark.
    _nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def turn(self, at: datetime | None, *, before: SafeString, after: SafeString) -> SafeString:
        """Return what to put into the document: ``before`` until the moment, ``after`` from then.

        Either may hold other clauses. Without a moment it stays ``before`` for ever.
        """
        if at is None:
            return before
        if at <= self.at:
            return after
        self._clauses.append(Clause(turns_at=at, before=before, after=after))
        return SafeString(f"\x02{self._nonce}:{len(self._clauses) - 1}\x03")

    def editions(self, text: str) -> list[Edition]:
        """Return the document for now, then for each moment at which something in it turns."""
        moments = sorted(self._moments(text))
        # The last moment is kept at any rate: it is the one at which the copy admits its age.
        kept = moments if len(moments) <= _MOST else [*moments[: _MOST - 1], moments[-1]]
        return [
            Edition(valid_from=moment, body=self._fill(text, moment).encode())
            for moment in [self.at, *kept]
        ]

    def _moments(self, text: str) -> Iterable[datetime]:
        found = {self._clauses[index] for index in self._marks(text)}
        moments = {clause.turns_at for clause in found}
        for clause in found:
            moments.update(self._moments(clause.before))
            moments.update(self._moments(clause.after))
        return moments

    def _marks(self, text: str) -> set[int]:
        return {int(number) for number in self._mark.findall(text)}

    def _fill(self, text: str, at: datetime) -> str:
        def words(mark: re.Match[str]) -> str:
            clause = self._clauses[int(mark[1])]
            return self._fill(clause.after if clause.turns_at <= at else clause.before, at)

        return self._mark.sub(words, text)

    @property
    def _mark(self) -> re.Pattern[str]:
        return re.compile(f"\x02{self._nonce}:([0-9]+)\x03")
