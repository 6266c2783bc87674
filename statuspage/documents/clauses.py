"""Words that time alone makes true: a document is rendered once and says them from a moment on.

While a document is rendered, a clause leaves a mark in it. Afterwards the marks are filled in
once for now and once for each moment at which a clause turns: the editions. Whoever serves the
document takes the latest edition whose moment has come; no process needs to be alive for that.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.safestring import SafeString

# Beyond these, the moments are left to the publisher: by then it has rendered anew.
_MOST = 12


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
    is_kept: bool


@dataclass(slots=True, kw_only=True)
class Clauses:
    """The clauses of the documents of one revision."""

    at: datetime
    _clauses: list[Clause] = field(default_factory=list)
    # No text of anybody's can look like a mark.
    _nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def turn(
        self,
        at: datetime | None,
        *,
        before: SafeString,
        after: SafeString,
        is_kept: bool = False,
    ) -> SafeString:
        """Return what to put into the document: ``before`` until the moment, ``after`` from then.

        Either may hold other clauses. Without a moment it stays ``before`` for ever. Where there
        are more moments than editions, those that are ``is_kept`` stay, and the earliest.
        """
        if at is None:
            return before
        if at <= self.at:
            return after
        self._clauses.append(Clause(turns_at=at, before=before, after=after, is_kept=is_kept))
        return SafeString(f"\x02{self._nonce}:{len(self._clauses) - 1}\x03")

    def editions(self, text: str) -> list[Edition]:
        """Return the document for now, then for each moment at which something in it turns."""
        clauses = self._within(text)
        kept = {clause.turns_at for clause in clauses if clause.is_kept}
        others = sorted({clause.turns_at for clause in clauses} - kept)
        moments = [self.at, *sorted([*kept, *others[: max(_MOST - len(kept), 0)]])]
        return [
            Edition(valid_from=moment, body=self._fill(text, moment).encode()) for moment in moments
        ]

    def _within(self, text: str) -> set[Clause]:
        """Return the clauses of a text, and those that stand in them."""
        found = {self._clauses[index] for index in self._marks(text)}
        for clause in list(found):
            found |= self._within(clause.before) | self._within(clause.after)
        return found

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
