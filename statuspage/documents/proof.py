"""The proof of backups: when they were last taken and last proven, never better than is known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from incidents.models import BackupProof
from incidents.values import ProvenHow
from statuspage.documents.clauses import Clauses
from statuspage.documents.facts import Facts
from statuspage.documents.moments import iso_or_none, when

_HOW = {
    ProvenHow.RESTORE: _lazy("by a restore to {}"),
    ProvenHow.DRILL: _lazy("by a restore drill to {}"),
    ProvenHow.CHECK: _lazy("by a check of the backup of {}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """One source's backups, as customers read of them."""

    name: str
    state: SafeString
    taken: SafeString
    proven: SafeString
    how: SafeString


def proof_block(facts: Facts, clauses: Clauses) -> SafeString:
    """Return the block of the front page; empty where the page has none, or nothing is known."""
    if not facts.proofs:
        return SafeString("")
    proofs = [_proven(facts, proof, clauses) for proof in facts.proofs]
    return render_to_string("statuspage/_proof.html", {"proofs": proofs})


def proof_objects(facts: Facts, now: datetime) -> list[dict[str, Any]]:
    """Return the same for programs."""
    return [
        {
            "name": proof.name,
            "taken_at": iso_or_none(proof.taken_at, facts.zone),
            "taken_is_old": _is_old(taken_until(proof), now),
            "proven_at": iso_or_none(proof.proven_at, facts.zone),
            "proven_is_old": _is_old(proven_until(proof), now),
            "proven_by": proof.proven_how or None,
            "proven_until": iso_or_none(proof.proven_until_at, facts.zone),
        }
        for proof in facts.proofs
    ]


def proof_moments(facts: Facts) -> set[datetime | None]:
    """Return the moments at which a proof grows too old."""
    return {until(proof) for proof in facts.proofs for until in (taken_until, proven_until)}


def taken_until(proof: BackupProof) -> datetime | None:
    """Return until when the last backup is young enough; None if there is none."""
    return proof.taken_at and proof.taken_at + proof.taken_stale_after


def proven_until(proof: BackupProof) -> datetime | None:
    """Return until when the last proof counts; None if there is none."""
    return proof.proven_at and proof.proven_at + proof.proven_stale_after


def _is_old(until: datetime | None, now: datetime) -> bool:
    # What is not known is no better than what is old.
    return until is None or until <= now


def _proven(facts: Facts, proof: BackupProof, clauses: Clauses) -> Proven:
    until = [taken_until(proof), proven_until(proof)]
    known = [each for each in until if each is not None]
    old = _state("degraded_performance", _("Older than it should be"))
    if len(known) < len(until):
        state = _state("unknown", _("Not proven"))
    else:
        fine = _state("operational", _("Up to date"))
        state = clauses.turn(min(known), before=fine, after=old)
    return Proven(
        name=proof.name,
        state=state,
        taken=_moment(facts, clauses, proof.taken_at, until[0], never=_("No backup is on record.")),
        proven=_moment(
            facts, clauses, proof.proven_at, until[1], never=_("Never, as far as is on record.")
        ),
        how=_how(facts, proof),
    )


def _moment(
    facts: Facts, clauses: Clauses, at: datetime | None, until: datetime | None, *, never: str
) -> SafeString:
    if at is None:
        return format_html('<span class="late">{}</span>', never)
    words = when(at, facts.zone, year=True)
    old = format_html(
        _('{} <span class="late">That is longer ago than it should be.</span>'), words
    )
    return clauses.turn(until, before=words, after=old)


def _how(facts: Facts, proof: BackupProof) -> SafeString:
    if not proof.proven_how or proof.proven_until_at is None:
        return SafeString("")
    sentence = str(_HOW[ProvenHow(proof.proven_how)])
    return format_html(sentence, when(proof.proven_until_at, facts.zone, year=True))


def _state(state: str, words: str) -> SafeString:
    return SafeString(
        render_to_string("components/_pill.html", {"state": state, "words": words}).strip()
    )
