"""Deeds on what staff have agreed on: how often customers hear, what is approved, when to nudge."""

from collections.abc import Collection, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Literal

from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from accounts.models import User
from incidents.cadence import LONG, PHASES, usual_minutes
from incidents.models import Cadence, DeskRules, Revision, SeverityRule
from incidents.operations.record import keep_revision, refuse_outdated
from incidents.values import Phase, Severity

_MINUTE = timedelta(minutes=1)


def set_rules(
    *,
    cadence: Mapping[tuple[Severity, Phase | Literal[""]], int],
    approval: Collection[Severity],
    postmortem_days: Mapping[Severity, int | None],
    action_days: Mapping[Severity, int | None] | None = None,
    reminder_lead: timedelta,
    duty_limit: timedelta,
    long_after: timedelta,
    empty_role_after: timedelta,
    night_begins: time,
    night_ends: time,
    at: datetime,
    author: User | None,
    revision: int | None = None,
) -> DeskRules:
    """Write down what holds from now on. What held before is kept as a revision, with who said so.

    ``cadence``: minutes by severity and phase, "" for long incidents; what is not named is as
    usual. ``approval``: the severities that ask for it. ``revision``: how many there were when the
    rules were read; None to replace whatever holds. ``action_days``: within how many an action
    item is done. Promises that are made already stand.

    :raises EditedMeanwhile: if somebody else has changed them since they were read
    """
    with transaction.atomic():
        rules = _locked()
        refuse_outdated(_revisions(rules), revision)
        keep_revision(rules, at=at, author=author, also=_tables())
        Cadence.objects.all().delete()
        Cadence.objects.bulk_create(
            Cadence(severity=severity, phase=phase, minutes=minutes)
            for (severity, phase), minutes in cadence.items()
            if minutes != usual_minutes(severity, phase)
        )
        for severity in Severity:
            SeverityRule.objects.update_or_create(
                severity=severity,
                defaults={
                    "needs_approval": severity in approval,
                    "postmortem_days": postmortem_days.get(severity),
                    "action_days": (action_days or {}).get(severity),
                },
            )
        rules.reminder_lead, rules.duty_limit = reminder_lead, duty_limit
        rules.long_after, rules.empty_role_after = long_after, empty_role_after
        rules.night_begins, rules.night_ends = night_begins, night_ends
        rules.save()
    return rules


def reset_rules(*, at: datetime, author: User | None) -> DeskRules:
    """Go back to what holds where nobody has agreed on anything else. It is kept what did."""
    with transaction.atomic():
        before = _locked()
        keep_revision(before, at=at, author=author, reason="reset", also=_tables())
        Cadence.objects.all().delete()
        SeverityRule.objects.all().delete()
        rules = DeskRules(pk=before.pk)
        rules.save(force_update=True)
    return rules


def _locked() -> DeskRules:
    DeskRules.objects.get_or_create(pk=1)
    return DeskRules.objects.select_for_update().get(pk=1)


def _revisions(rules: DeskRules) -> int:
    kind = ContentType.objects.get_for_model(rules)
    return Revision.objects.filter(content_type=kind, object_id=rules.pk).count()


def _tables() -> dict[str, Any]:
    """Return what the other tables say, as a revision keeps it."""
    rules = [SeverityRule.objects.in_force(severity) for severity in Severity]
    return {
        "cadence": {
            f"{severity}:{phase}": Cadence.objects.in_force(severity, phase) // _MINUTE
            for severity in Severity
            for phase in (*PHASES, LONG)
        },
        "approval": [str(rule.severity) for rule in rules if rule.needs_approval],
        "postmortem_days": {str(rule.severity): rule.postmortem_days for rule in rules},
        "action_days": {str(rule.severity): rule.action_days for rule in rules},
    }
