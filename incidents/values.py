"""Words and values that every floor of this app uses: vocabularies, and a time as people say it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# So many characters has a text that people write, at most: what is longer is a file.
LONGEST_TEXT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was looked at in what came back, and found well: more than this is not claimed.

    ``tables`` were all counted, tables and ``indexes`` all found sound, ``pages`` all compared with
    their checksums; so many of our ``own`` checks passed, of so many.
    """

    tables: bool = False
    indexes: bool = False
    pages: bool = False
    own: int = 0
    own_of: int = 0


class Phase(TextChoices):
    """How far an incident is, in the words of every status page."""

    INVESTIGATING = "investigating", _("Investigating")
    IDENTIFIED = "identified", _("Identified")
    MONITORING = "monitoring", _("Monitoring")
    RESOLVED = "resolved", _("Resolved")


class MaintenanceState(TextChoices):
    """How far planned work is, in the words of every status page; it can also be called off."""

    SCHEDULED = "scheduled", _("Scheduled")
    IN_PROGRESS = "in_progress", _("In progress")
    VERIFYING = "verifying", _("Verifying")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")

    @property
    def is_running(self) -> bool:
        return self in (MaintenanceState.IN_PROGRESS, MaintenanceState.VERIFYING)

    @property
    def is_over(self) -> bool:
        return self in (MaintenanceState.COMPLETED, MaintenanceState.CANCELLED)


class Severity(TextChoices):
    SEV1 = "sev1", _("SEV1: critical")
    SEV2 = "sev2", _("SEV2: major")
    SEV3 = "sev3", _("SEV3: partial")
    SEV4 = "sev4", _("SEV4: minor")


class ImpactLevel(TextChoices):
    """How badly customers are hit, as the public page says it."""

    NONE = "none", _("None")
    MINOR = "minor", _("Minor")
    MAJOR = "major", _("Major")
    CRITICAL = "critical", _("Critical")


class ComponentStatus(TextChoices):
    """What a component does for customers now, from best to worst."""

    OPERATIONAL = "operational", _("Operational")
    UNDER_MAINTENANCE = "under_maintenance", _("Under maintenance")
    DEGRADED_PERFORMANCE = "degraded_performance", _("Degraded performance")
    PARTIAL_OUTAGE = "partial_outage", _("Partial outage")
    MAJOR_OUTAGE = "major_outage", _("Major outage")

    @property
    def rank(self) -> int:
        """0 for the best, 4 for the worst."""
        return list(ComponentStatus).index(self)


class IncidentKind(TextChoices):
    LIVE = "live", _("Live")
    BACKFILLED = "backfilled", _("Written down afterwards")
    DRILL = "drill", _("Drill")


class Visibility(TextChoices):
    PUBLIC = "public", _("Public")
    INTERNAL = "internal", _("Internal")
    PRIVATE = "private", _("Private: its members only")


class EntryKind(TextChoices):
    EVENT = "event", _("Event")
    UPDATE = "update", _("Status update")
    PHASE = "phase", _("Change of phase")
    ROLE = "role", _("Change of role")
    JOB = "job", _("Job")
    ALERT = "alert", _("Alert")
    NOTE = "note", _("Note")


class Outcome(TextChoices):
    WORKED = "worked", _("Worked")
    FAILED = "failed", _("Failed")
    ABANDONED = "abandoned", _("Abandoned")
    UNKNOWN = "unknown", _("Unknown")


# The tag of the end of an incident of which customers were never told.
FALSE_ALARM = "false-alarm"


class Milestone(TextChoices):
    """The moments from which the figures are counted, in their usual order."""

    STARTED = "started", _("Started")
    DETECTED = "detected", _("Detected")
    DECLARED = "declared", _("Declared")
    FIRST_UPDATE = "first_update", _("First update to customers")
    MITIGATED = "mitigated", _("Mitigated")
    RECOVERED = "recovered", _("Recovered")
    RESOLVED = "resolved", _("Resolved")


class Source(TextChoices):
    WEB = "web", _("Desk")
    API = "api", _("API")
    IMPORT = "import", _("Import")
    JOB = "job", _("Job")
    WEBHOOK = "webhook", _("Alert")
    COMMAND = "command", _("Command line")


class UpdateState(TextChoices):
    DRAFT = "draft", _("Draft")
    IN_REVIEW = "in_review", _("Waits for approval")
    PUBLISHED = "published", _("Published")
    DISCARDED = "discarded", _("Discarded")


class TemplateKind(TextChoices):
    """What a prepared message is for."""

    UPDATE = "update", _("An update")
    INCIDENT = "incident", _("A new incident")


class PromiseKind(TextChoices):
    ETA = "eta", _("ETA")
    NEXT_UPDATE = "next_update", _("Next update")


class PromiseOutcome(TextChoices):
    OPEN = "open", _("Open")
    MET = "met", _("Met")
    MISSED = "missed", _("Missed")
    SUPERSEDED = "superseded", _("Replaced")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Confidence(TextChoices):
    """How sure of an estimate whoever gives it is."""

    LOW = "low", _("Low: a rough guess")
    MEDIUM = "medium", _("Medium")
    HIGH = "high", _("High: it has been measured")


class CauseKind(TextChoices):
    TRIGGER = "trigger", _("Trigger")
    PRIMARY = "primary", _("Primary cause")
    CONTRIBUTING = "contributing", _("Contributing factor")
    SCALE = "scale", _("Scale factor")
    PROCESS = "process", _("Process factor")
    MITIGATOR = "mitigator", _("Mitigator")
    RISK = "risk", _("Risk")
    LUCK = "luck", _("Luck")


class ActionKind(TextChoices):
    PREVENT = "prevent", _("Prevent")
    DETECT = "detect", _("Detect")
    MITIGATE = "mitigate", _("Mitigate")
    RECOVER = "recover", _("Recover")
    PROCESS = "process", _("Process")


class ActionState(TextChoices):
    PROPOSED = "proposed", _("Proposed")
    PLANNED = "planned", _("Planned")
    IN_PROGRESS = "in_progress", _("In progress")
    DONE = "done", _("Done")
    DELAYED = "delayed", _("Delayed")
    WONT_DO = "wont_do", _("Will not be done")


class SyncState(TextChoices):
    """How an action item and its issue in a tracker stand to each other."""

    WAITING = "waiting", _("Waiting")
    IN_SYNC = "in_sync", _("In sync")
    FAILED = "failed", _("Failed")
    # Both were moved, and the tracker's word is the older one: a person decides.
    CONFLICT = "conflict", _("Differs")
    GONE = "gone", _("Gone")


class CaseState(TextChoices):
    """Whose turn it is in a case at a vendor's support."""

    OPEN = "open", _("The vendor is at it")
    OURS = "ours", _("Waits for us")
    SOLVED = "solved", _("Solved")
    CLOSED = "closed", _("Closed without a cure")


class Priority(TextChoices):
    HIGH = "high", _("High")
    MEDIUM = "medium", _("Medium")
    LOW = "low", _("Low")


class ImpactKind(TextChoices):
    OUTAGE = "outage", _("Outage")
    DEGRADED = "degraded", _("Degraded")
    DATA_UNAVAILABLE = "data_unavailable", _("Data unavailable")
    DATA_LOST = "data_lost", _("Data lost")


class PostmortemState(TextChoices):
    """How far the review of a postmortem is."""

    DRAFT = "draft", _("Draft")
    IN_REVIEW = "in_review", _("Waits for approval")
    APPROVED = "approved", _("Approved")
    PUBLISHED = "published", _("Published")


class SectionKind(TextChoices):
    """What a section of a postmortem is for, in their usual order."""

    SUMMARY = "summary", _("Summary")
    IMPACT = "impact", _("Impact")
    TIMELINE = "timeline", _("Timeline")
    CAUSES = "causes", _("Causes")
    WENT_WELL = "went_well", _("What went well")
    WENT_WRONG = "went_wrong", _("What went wrong")
    LUCK = "luck", _("Where we were lucky")
    ACTIONS = "actions", _("Action items")
    CUSTOMER = "customer", _("For customers")
    OTHER = "other", _("Other")


class Role(TextChoices):
    COMMANDER = "commander", _("Incident commander")
    COMMUNICATIONS = "communications", _("Communications lead")
    SCRIBE = "scribe", _("Scribe")
    OPERATIONS = "operations", _("Operations lead")
    DEPUTY = "deputy", _("Deputy")


class RoleReason(TextChoices):
    """Why a role changes hands."""

    DECLARED = "declared", _("Declared the incident")
    SHIFT = "shift", _("End of a shift")
    FATIGUE = "fatigue", _("Rest")
    SKILL = "skill", _("Somebody knows it better")
    ESCALATION = "escalation", _("It has grown")
    EMERGENCY = "emergency", _("Cannot be reached")


class AlertProvider(TextChoices):
    """Who speaks at a hook, and so which shape and which proof is expected of it."""

    ALERTMANAGER = "alertmanager", "Alertmanager, Grafana"
    PAGERDUTY = "pagerduty", "PagerDuty"
    GENERIC = "generic", _("Anything that posts JSON")


class AlertState(TextChoices):
    FIRING = "firing", _("Firing")
    RESOLVED = "resolved", _("Resolved")


class NoticeKind(TextChoices):
    """What staff are told of, by mail and in their chat."""

    DECLARED = "declared", _("An incident is declared")
    APPROVAL_WANTED = "approval_wanted", _("An update waits for approval")
    UPDATE_RETURNED = "update_returned", _("Your update is given back")
    UPDATE_DUE = "update_due", _("The next update is almost due")
    PROMISE_MISSED = "promise_missed", _("A promise to customers is missed")
    ROLE_EMPTY = "role_empty", _("Nobody holds a role that is needed")
    DUTY_LONG = "duty_long", _("Somebody has been on duty for long")
    ACTION_OVERDUE = "action_overdue", _("An action item is overdue")
    POSTMORTEM_DUE = "postmortem_due", _("A postmortem is due")
    REVIEW_WANTED = "review_wanted", _("A postmortem waits for approval")
    REVIEW_RETURNED = "review_returned", _("Your postmortem is given back")
    TRACKER_STUCK = "tracker_stuck", _("Action items do not reach their tracker")


class ProgressPolicy(TextChoices):
    """What happens to the customer updates that a job proposes."""

    AUTOMATIC = "automatic", _("Publish them at once")
    DRAFT = "draft", _("Keep them as drafts for approval")


class ProgressState(TextChoices):
    RUNNING = "running", _("Running")
    WAITING = "waiting", _("Waiting for the storage")
    HELD = "held", _("Held up")
    PAUSED = "paused", _("Paused")
    FAILED = "failed", _("Stopped")
    SUCCEEDED = "succeeded", _("Finished")
    CANCELLED = "cancelled", _("Ended early")


class ProgressPhase(TextChoices):
    """The part of a restore that is under way, in words for customers."""

    PREPARING = "preparing", _("Preparing the recovery")
    FETCHING = "fetching", _("Copying the backup")
    UNPACKING = "unpacking", _("Unpacking the backup")
    REPLAYING = "replaying", _("Bringing back later changes")
    VERIFYING = "verifying", _("Checking what came back")
    TENANTS = "tenants", _("Bringing back each customer's data")
    READY = "ready", _("Finished")


class TenantState(TextChoices):
    """How far one tenant's data is in a restore, in words for the tenant."""

    WAITING = "waiting", _("Waiting")
    RESTORING = "restoring", _("Being restored")
    RESTORED = "restored", _("Restored, not checked yet")
    VERIFIED = "verified", _("Restored and checked")
    # Where tenants come back one by one: open up to an earlier moment, in its turn, and done.
    REOPENED = "reopened", _("Open again, what was written later follows")
    OWN_TURN = "own_turn", _("Being brought back now")
    BACK = "back", _("Back and checked")
    # It came into being after the moment up to which the restore goes.
    ABSENT = "absent", _("Not in this backup")


class ProvenHow(TextChoices):
    """By what it was proven that backups can be restored."""

    RESTORE = "restore", _("a restore")
    DRILL = "drill", _("a restore drill")
    CHECK = "check", _("a check")


class Precision(TextChoices):
    MINUTE = "minute", _("to the minute")
    HOUR = "hour", _("to the hour")
    DAY = "day", _("to the day")
    MONTH = "month", _("to the month")
    QUARTER = "quarter", _("to the quarter")
    YEAR = "year", _("to the year")
    UNKNOWN = "unknown", _("not known")


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A time as people say it: to the minute or coarse, a range, approximate, or not known.

    For coarse precision ``at`` is the first instant of the day, month, quarter or year, in the
    zone that was meant. ``until`` is the end of a stated range. ``said`` keeps the words.
    """

    at: datetime | None = None
    until: datetime | None = None
    precision: str = Precision.MINUTE
    approx: bool = False
    tz: str = ""
    said: str = ""

    @classmethod
    def of(cls, row: Any, prefix: str = "") -> Self:
        """Read the time that a row keeps in its fields ``{prefix}at`` and so on."""
        return cls(**{name: getattr(row, prefix + name) for name in cls.__slots__})

    @classmethod
    def unknown(cls, said: str = "") -> Self:
        return cls(precision=Precision.UNKNOWN, said=said)

    def fields(self, prefix: str = "") -> dict[str, Any]:
        """Return the values for a row's fields with this prefix."""
        return {prefix + name: getattr(self, name) for name in self.__slots__}

    @property
    def latest(self) -> datetime | None:
        """The first instant at which this time has certainly passed; None if it cannot be told.

        A day, month, quarter or year ends in the zone that was meant.
        """
        last = self.until or self.at
        if last is None or self.precision == Precision.UNKNOWN:
            return None
        try:
            if self.precision == Precision.HOUR:
                return last + timedelta(hours=1)
            if self.precision == Precision.MINUTE:
                return last
            return _end_of(self.precision, last.astimezone(zone(self.tz))).astimezone(UTC)
        except (OverflowError, ValueError):
            # Beyond the calendar's last year.
            return None


_MONTHS = {str(Precision.MONTH): 1, str(Precision.QUARTER): 3, str(Precision.YEAR): 12}


def _end_of(precision: str, first: datetime) -> datetime:
    """Return the first instant behind the day, month, quarter or year that begins here."""
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if precision == Precision.DAY:
        # Wall-clock arithmetic: a day of 25 hours is a day.
        return midnight + timedelta(days=1)
    year, month = divmod(midnight.year * 12 + midnight.month - 1 + _MONTHS[precision], 12)
    return midnight.replace(year=year, month=month + 1, day=1)


def local(at: datetime, zone: tzinfo) -> datetime:
    """Return a moment as the clocks of a zone show it.

    At both ends of the calendar, where a zone may have no such day, the same figures do.
    """
    try:
        return at.astimezone(zone)
    except (OverflowError, ValueError):
        return at.replace(tzinfo=zone)


def zone(name: str) -> tzinfo:
    """Return the zone of an IANA name or of an offset such as +01:00; UTC for an empty name.

    :raises ValueError: if there is no such zone
    """
    if not name:
        return UTC
    if name[0] in "+-":
        return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo or UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as fault:
        raise ValueError(f"There is no time zone {name!r}.") from fault
