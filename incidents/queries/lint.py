"""What does not hold together in the record of an incident, and what was decided about it."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.importer import Reading
from incidents.lint import Finding, Level, lint
from incidents.lint.findings import clock
from incidents.models import LintDismissal
from incidents.queries.lint_record import reading_of
from incidents.queries.lint_rows import rows_of

_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finding, and the decision about it if a person has taken one.

    ``about`` has a few words for each of the finding's objects.
    """

    finding: Finding
    dismissal: LintDismissal | None = None
    about: tuple[str, ...] = ()


class FindingGone(Refused):
    code = "finding-gone"
    message = _("The lint does not find this any more. Look at what it finds now.")


def lint_findings(incident_id: int) -> tuple[Judged, ...]:
    """Return everything that the lint finds in the record, errors first.

    A decision about some rows holds as long as the same is found about them or fewer of them;
    about others it is a new finding. As many queries, whatever there is.

    :raises Incident.DoesNotExist: if there is none
    """
    reading = reading_of(rows_of(incident_id))
    labels = _labels(reading)
    decided = list(
        LintDismissal.objects.filter(incident_id=incident_id)
        .select_related("dismissed_by")
        .order_by("-dismissed_at", "-pk")
    )
    return tuple(
        Judged(
            finding=finding,
            dismissal=_decision(finding, decided),
            about=tuple(labels.get(name, name.replace(":", " ")) for name in finding.objects),
        )
        for finding in lint(reading)
    )


def lint_finding(incident_id: int, *, code: str, subject: str) -> Finding:
    """Return what the lint finds under this code about these rows, to decide about it.

    :raises FindingGone: if it finds no such thing any more
    """
    for judged in lint_findings(incident_id):
        if judged.finding.code == code and judged.finding.subject == subject:
            return judged.finding
    raise FindingGone


def lint_errors_left(incident_id: int) -> int:
    """Return how many errors nobody has decided about: they hold up a postmortem's approval.

    :raises Incident.DoesNotExist: if there is none
    """
    return sum(
        judged.finding.level == Level.ERROR and judged.dismissal is None
        for judged in lint_findings(incident_id)
    )


def _decision(finding: Finding, decided: list[LintDismissal]) -> LintDismissal | None:
    about = set(finding.objects)
    return next(
        (
            dismissal
            for dismissal in decided
            if dismissal.code == finding.code and about <= set(dismissal.subject.split())
        ),
        None,
    )


def _labels(reading: Reading) -> dict[str, str]:
    """Return a few words for each thing that has a place on the page."""
    labels = {entry.row: f"{clock(entry.start)} {entry.text60}" for entry in reading.entries}
    labels |= {cause.row: cause.text[:_SHOWN] for cause in reading.causes}
    return labels | {action.row: action.text[:_SHOWN] for action in reading.actions}
