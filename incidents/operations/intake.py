"""What taking alerts in rests on: what is known of them, their incident, and what is written."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from incidents.inbound import Told, severity_of
from incidents.models import Alert, AlertHook, Incident, TimelineEntry
from incidents.operations.figures import keep_figures
from incidents.operations.incident import AlreadyDeclared, declare_incident
from incidents.operations.record import lock_incident, note
from incidents.values import AlertState, EntryKind, Severity, Source, Visibility, When

_TITLE_LENGTH = Incident._meta.get_field("title").max_length or 0
_TEXT_LENGTH = 1000
_PLACES = ("instance", "pod", "host", "node", "service")
_PLACE_LENGTH = 100


@dataclass(slots=True)
class Intake:
    """One message at its hook."""

    hook: AlertHook
    at: datetime
    # In which the incidents that it declares are read.
    tz: str
    # What is known of its alerts, by fingerprint, the newest start first.
    rows: dict[str, list[Alert]]
    # The messages that have left an entry.
    heard: Collection[str] = ()
    # Incidents of which an alert has ended.
    eased: set[int] = field(default_factory=set)
    # Those that are locked, and the open ones among them by dedup key: they stay so until the end.
    locked: set[int] = field(default_factory=set)
    standing: dict[str, Incident] = field(default_factory=dict)
    # On which incident the last alert of each key stands, by dedup key.
    last: dict[str, int] = field(default_factory=dict)

    def external_id(self, told: Told) -> str:
        if not told.event_id:
            return ""
        return f"hook-{self.hook.pk}:{told.event_id}"


def begin_intake(hook: AlertHook, alerts: Sequence[Told], *, at: datetime, tz: str) -> Intake:
    """Gather what is known of the alerts of a message, in six questions. The hook is locked."""
    intake = Intake(hook=hook, at=at, tz=tz, rows=_rows(hook, alerts), last=_last(hook, alerts))
    intake.heard = _heard(intake, alerts)
    intake.locked = _lock_incidents(intake, alerts)
    return intake


def _rows(hook: AlertHook, alerts: Sequence[Told]) -> dict[str, list[Alert]]:
    """Return the newest alert of each fingerprint, those that fire, and all that may be told of.

    Of what has come and gone for months, nothing else is read.
    """
    found: dict[str, list[Alert]] = {told.fingerprint: [] for told in alerts}
    starts = [told.starts_at for told in alerts if told.starts_at is not None]
    known = hook.alerts.filter(fingerprint__in=list(found)).defer("payload")
    known = known.select_related("incident__duplicate_of").order_by("fingerprint", "-starts_at")
    wanted = Q(state=AlertState.FIRING)
    if starts:
        wanted |= Q(starts_at__gte=min(starts))
    rows = {row.pk: row for row in [*known.distinct("fingerprint"), *known.filter(wanted)]}
    for row in sorted(rows.values(), key=lambda one: (one.starts_at, one.pk), reverse=True):
        found[row.fingerprint].append(row)
    return found


def _last(hook: AlertHook, alerts: Sequence[Told]) -> dict[str, int]:
    """Return the incident on which the last alert of each key stands, or the original of that."""
    same = hook.alerts.filter(
        dedup_key__in={told.dedup_key for told in alerts}, incident__isnull=False
    )
    newest = same.order_by("dedup_key", "-pk").distinct("dedup_key")
    named = newest.values_list("dedup_key", "incident_id", "incident__duplicate_of_id")
    return {key: original or incident for key, incident, original in named}


def _lock_incidents(intake: Intake, alerts: Sequence[Told]) -> set[int]:
    """Lock what the message may write to, all at once and in one order, as everywhere."""
    keys = {_key(intake.hook, told) for told in alerts}
    wanted = set(Incident.objects.open().filter(dedup_key__in=keys).values_list("pk", flat=True))
    for row in itertools.chain.from_iterable(intake.rows.values()):
        if row.incident is not None:
            wanted.add(row.incident.duplicate_of_id or row.incident.pk)
    wanted.update(intake.last.values())
    rows = Incident.objects.select_for_update().filter(pk__in=sorted(wanted)).order_by("pk")
    return set(rows.values_list("pk", flat=True))


def _heard(intake: Intake, alerts: Sequence[Told]) -> set[str]:
    named = list(filter(None, map(intake.external_id, alerts)))
    if not named:
        return set()
    entries = TimelineEntry.objects.filter(source=Source.WEBHOOK, external_id__in=named)
    return set(entries.values_list("external_id", flat=True))


def follow(row: Alert) -> None:
    """Let an alert stand with the original, where its incident was marked as a duplicate."""
    if row.incident is not None and row.incident.duplicate_of is not None:
        row.incident = row.incident.duplicate_of
        row.save(update_fields=["incident"])


def keep_alert(
    intake: Intake,
    told: Told,
    *,
    starts_at: datetime,
    ends_at: datetime | None,
    incident: Incident | None,
    entry: TimelineEntry | None,
) -> Alert:
    """Keep an alert that was not known; without an end, it fires."""
    row = Alert(
        hook=intake.hook,
        fingerprint=told.fingerprint,
        dedup_key=told.dedup_key,
        state=AlertState.RESOLVED if ends_at else AlertState.FIRING,
        title=told.title,
        link=told.link,
        payload=told.payload,
        starts_at=starts_at,
        ends_at=ends_at,
        received_at=intake.at,
        told_at=told.told_at or intake.at,
        incident=incident,
        entry=entry,
    )
    row.save(force_insert=True)
    rows = intake.rows[told.fingerprint]
    rows.append(row)
    rows.sort(key=lambda one: (one.starts_at, one.pk), reverse=True)
    return row


def let_end(intake: Intake, rows: Sequence[Alert], *, at: datetime) -> None:
    """End alerts of which no end was told: each was over when the next one began."""
    for row in rows:
        if row.state == AlertState.FIRING and row.starts_at < at:
            end_alert(intake, row, at=at)


def end_alert(intake: Intake, row: Alert, *, at: datetime) -> datetime:
    """End an alert, and return when: not before it began, and not after now."""
    row.state = AlertState.RESOLVED
    row.ends_at = ends_at = max(min(at, intake.at), row.starts_at)
    row.save(update_fields=["state", "ends_at"])
    if row.incident_id is not None:
        intake.eased.add(row.incident_id)
    return ends_at


def hear(row: Alert, told: Told, *, at: datetime) -> None:
    """Remember when an alert was told of last: what is older changes nothing."""
    row.told_at = max(row.told_at, told.told_at or at)
    row.save(update_fields=["told_at"])


def incident_for(intake: Intake, told: Told, *, starts_at: datetime) -> tuple[Incident, bool]:
    """Return the open incident of the alert's key, and whether it was declared for it."""
    if standing := open_incident(intake, told):
        return standing, False
    try:
        incident = _declare(intake, told, starts_at=starts_at)
    except AlreadyDeclared:
        # By somebody who named the very key at the desk's API, just now.
        found = open_incident(intake, told)
        assert found is not None
        return found, False
    intake.standing[told.dedup_key] = incident
    return incident, True


def open_incident(intake: Intake, told: Told) -> Incident | None:
    """Return the open incident of the alert's key, or the one that this was a duplicate of."""
    if known := intake.standing.get(told.dedup_key):
        return known
    if found := _find_open(intake, told):
        intake.locked.add(found.pk)
        intake.standing[told.dedup_key] = found
    return found


def _find_open(intake: Intake, told: Told) -> Incident | None:
    # Locked, so that nobody resolves it before the entry stands.
    found = Incident.objects.open().select_for_update()
    if standing := found.filter(dedup_key=_key(intake.hook, told)).first():
        return standing
    # Among those that are locked already: all were taken in one order, so that nobody waits for us
    # while we wait for them.
    last = intake.last.get(told.dedup_key)
    return found.filter(pk=last).first() if last in intake.locked else None


def _declare(intake: Intake, told: Told, *, starts_at: datetime) -> Incident:
    hook = intake.hook
    incident = declare_incident(
        title=_cut(told.title, _TITLE_LENGTH),
        severity=severity_of(told.severity) or Severity(hook.severity),
        at=intake.at,
        author=None,
        started=When(at=min(starts_at, intake.at)),
        visibility=Visibility(hook.visibility),
        tz=intake.tz,
        source=Source.WEBHOOK,
        dedup_key=_key(hook, told),
        members=hook.members.values_list("pk", flat=True),
    )
    incident.entries.update(source=Source.WEBHOOK, actor_label=hook.name)
    # Named, and not set to anything: what customers read of them is for people to say.
    incident.components.set(hook.components.all())
    return incident


def note_recovery(intake: Intake, incident_id: int) -> None:
    """Say that monitoring sees the incident recovered, once none of its alerts fires."""
    incident = lock_incident(incident_id)
    alerts = list(incident.alerts.values_list("state", "ends_at"))
    ends = [ends_at for state, ends_at in alerts if state == AlertState.RESOLVED and ends_at]
    if incident.is_resolved or len(ends) < len(alerts):
        return
    count = f"all {len(ends)} alerts of this incident have" if len(ends) > 1 else "its alert has"
    words = f"Monitoring sees it recovered: {count} ended. Look, and resolve the incident if so."
    write(intake, incident, words, when=max(ends), told=None)


def write(
    intake: Intake,
    incident: Incident,
    words: str,
    *,
    when: datetime,
    until: datetime | None = None,
    told: Told | None,
    milestone: str = "",
) -> TimelineEntry:
    """Write the entry. By the sender's clock it may be ahead of ours: then it is now."""
    if incident.pk not in intake.locked:
        lock_incident(incident.pk)
        intake.locked.add(incident.pk)
    entry = note(
        incident,
        words,
        at=intake.at,
        author=None,
        kind=EntryKind.ALERT,
        when=When(at=min(when, intake.at), until=until),
        milestone=milestone,
        source=Source.WEBHOOK,
        actor_label=intake.hook.name,
        external_id=intake.external_id(told) if told else "",
    )
    if told is not None and told.link:
        entry.evidence.create(url=told.link, caption="Monitoring", created_at=intake.at)
    if milestone:
        keep_figures(incident.pk)
    return entry


def _key(hook: AlertHook, told: Told) -> str:
    # A key counts within its hook: who may speak at one cannot join the incidents of another.
    return f"hook-{hook.pk}:{told.dedup_key}"


def words_of(deed: str, told: Told) -> str:
    """Say what an alert did, how grave it is by its own word, and what it says of itself."""
    grave = f" ({told.severity})" if told.severity else ""
    place = next((told.labels[name] for name in _PLACES if told.labels.get(name)), "")
    # Several of one title are told apart by where they are.
    where = f", {_cut(place, _PLACE_LENGTH)}" if place and place not in told.title else ""
    first = f"{deed}: {told.title}{where}{grave}"
    return f"{first}\n\n{_cut(told.text, _TEXT_LENGTH)}" if told.text else first


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"
