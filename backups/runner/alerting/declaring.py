"""Incidents of findings: one a database, one for a storm; the rest are their entries."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from backups.models import AlertRule, BackupAlert, BackupCheck, BackupCheckName, Database
from incidents.models import Incident
from incidents.operations import AlreadyDeclared, add_entry, declare_incident
from incidents.queries import open_with_key
from incidents.values import EntryKind, IncidentKind, Severity, Source, Visibility, When

# So many databases found bad at one moment, and no more, have an incident each.
MOST_APART = 3


def declare_found(
    rule: AlertRule, findings: Sequence[tuple[BackupAlert, BackupCheck]], *, at: datetime
) -> None:
    """Declare incidents for staff, and keep with each alert which one is about it.

    Customers' page says nothing until somebody decides. While a storm's incident is open, what the
    rule finds belongs to it.
    """
    found_in: dict[int, list[tuple[BackupAlert, BackupCheck]]] = defaultdict(list)
    for alert, found in findings:
        found_in[found.database_id].append((alert, found))
    storm = f"backups-storm:{rule.pk}"
    is_storm = len(found_in) > MOST_APART or (found_in and open_with_key(storm))
    for each in found_in.values():
        for alert, found in each:
            title = f"{found.database}: {BackupCheckName(found.name).called(found.state)}"
            alert.incident = declare_once(
                key=storm if is_storm else key_of(found.database),
                title=f"{len(found_in)} databases: {rule.name}" if is_storm else title,
                about=title,
                words=f"{found.words} {found.advice}",
                severity=Severity(rule.severity),
                at=at,
            )
            alert.save(update_fields=["incident"])


def key_of(database: Database) -> str:
    """Return the key under which a database has one open incident, whatever was found of it."""
    return f"backups:{database.pk}"


def declare_once(
    *,
    key: str,
    title: str,
    about: str,
    words: str,
    severity: Severity,
    at: datetime,
    kind: IncidentKind = IncidentKind.LIVE,
) -> Incident | None:
    """Declare an incident for staff, or add to the one that is open with the key.

    ``about`` and ``words`` say what was found; the title is the same where that is all there is.
    None if the open one was closed at this moment.
    """
    is_one = title == about
    incident: Incident | None
    try:
        incident = declare_incident(
            title=title[:140],
            summary=words if is_one else "",
            severity=severity,
            kind=kind,
            visibility=Visibility.INTERNAL,
            source=Source.JOB,
            dedup_key=key,
            author=None,
            at=at,
        )
    except AlreadyDeclared:
        incident = next(iter(open_with_key(key)), None)
        is_one = False
    if incident is not None and not is_one:
        add_entry(
            incident_id=incident.pk,
            text=f"{about}. {words}",
            when=When(at=at),
            kind=EntryKind.ALERT,
            source=Source.JOB,
            author=None,
            at=at,
        )
    return incident
