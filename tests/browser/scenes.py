"""What a status page may have to show, put on record by the operations that staff use.

Times are told from the moment of the call, because the page is looked at in real time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from incidents import operations
from incidents.models import Incident
from incidents.values import ComponentStatus, Phase, ProgressPhase, ProgressState, Severity, When

MINUTE = timedelta(minutes=1)
GIGABYTE = 10**9
KEY = "restore-1"
LONG_NAME = "Virtual tours of houses, flats and offices " * 3 + "عربي"
LONG_BODY = "Every tour that was made before nine is back, and so are its pictures. " * 140


@dataclass(frozen=True, slots=True)
class Parts:
    """The components that every scene has."""

    europe: int
    america: int
    uploads: int


def components(at: datetime) -> Parts:
    group = operations.add_component(name="Virtual tours", is_group=True, at=at)
    europe = operations.add_component(name="Europe", group_id=group.pk, at=at)
    america = operations.add_component(name="America", group_id=group.pk, at=at)
    uploads = operations.add_component(
        name="Uploads", description="New pictures and panoramas", at=at
    )
    return Parts(europe.pk, america.pk, uploads.pk)


def past_incident(parts: Parts, at: datetime) -> Incident:
    """Put an incident on record that is over; one of its updates was corrected."""
    began = at - timedelta(days=2)
    incident = operations.declare_incident(
        title="Uploads are slow",
        severity=Severity.SEV3,
        at=began,
        author=None,
        body="Uploads take longer than they should. We are looking into it.",
        components={parts.uploads: ComponentStatus.DEGRADED_PERFORMANCE},
    )
    update = operations.post_status_update(
        incident_id=incident.pk,
        body="It was the network. No picture was lost.",
        phase=Phase.MONITORING,
        at=began + 20 * MINUTE,
        author=None,
    )
    operations.correct_status_update(
        update_id=update.pk,
        body="It was a full disk. No picture was lost.",
        at=began + 30 * MINUTE,
        author=None,
    )
    operations.resolve_incident(
        incident_id=incident.pk,
        body="Uploads are as fast as ever.",
        at=began + 50 * MINUTE,
        author=None,
    )
    return incident


def worst_hour(parts: Parts, at: datetime) -> Incident:
    """Lose a database, half of which is back; what was said was corrected once."""
    began = at - 40 * MINUTE
    incident = operations.declare_incident(
        title="Tours are unavailable: a database was lost and is being brought back",
        severity=Severity.SEV1,
        at=began,
        author=None,
        body="Tours do not open. We are on it.",
        components={parts.europe: ComponentStatus.MAJOR_OUTAGE},
    )
    update = operations.post_status_update(
        incident_id=incident.pk,
        body="A disk failed and took a database with it.\n\n- Nothing that was made before nine "
        "is lost.\n- What was made after nine follows.\n\nHow we work: https://acme.example/how",
        phase=Phase.IDENTIFIED,
        at=began + 15 * MINUTE,
        author=None,
    )
    operations.correct_status_update(
        update_id=update.pk,
        body=update.body.replace("nine", "half past nine"),
        at=began + 18 * MINUTE,
        author=None,
    )
    progress(incident, done=4, at=began + 20 * MINUTE)
    operations.post_status_update(
        incident_id=incident.pk,
        body="The restore runs. It is **faster** than we thought.",
        phase=Phase.IDENTIFIED,
        at=at - 3 * MINUTE,
        author=None,
        next_update_at=at + 12 * MINUTE + MINUTE / 2,
    )
    progress(incident, done=42, at=at)
    return incident


def second_incident(parts: Parts, at: datetime) -> Incident:
    """Something else goes wrong at the same time, for which a person gave a time."""
    return operations.post_status_update(
        incident_id=operations.declare_incident(
            title="Uploads wait 🕒 until the tours are back",
            severity=Severity.SEV3,
            at=at - 10 * MINUTE,
            author=None,
            components={parts.uploads: ComponentStatus.DEGRADED_PERFORMANCE},
        ).pk,
        body="Uploads are kept, and appear later.",
        phase=Phase.IDENTIFIED,
        at=at - 9 * MINUTE,
        author=None,
        eta=When(at=at + 90 * MINUTE),
        eta_basis="as long as it took last time",
    ).incident


def progress(
    incident: Incident,
    *,
    done: int,
    at: datetime,
    state: ProgressState = ProgressState.RUNNING,
    low: timedelta = 10 * MINUTE,
) -> None:
    operations.report_progress(
        incident_id=incident.pk,
        key=KEY,
        title="Restore of the tours",
        progress=operations.Progress(
            state=state,
            phase=ProgressPhase.FETCHING,
            done=done * GIGABYTE,
            total=84 * GIGABYTE,
            unit="bytes",
            rate=38e6,
            eta_low_at=at + low,
            eta_high_at=at + 2 * low,
            eta_basis="the last 60 s",
            data_until_at=at.replace(hour=0, minute=30, second=0, microsecond=0),
        ),
        at=at,
    )


def many(at: datetime) -> Incident:
    """Many components and groups, a name as long as it may be, forty updates, a long one."""
    for number in range(1, 9):
        group = operations.add_component(name=f"Region {number}", is_group=True, at=at)
        for name in ("API", "Tours", "Uploads"):
            operations.add_component(name=name, group_id=group.pk, at=at)
    longest = operations.add_component(name=LONG_NAME[:140], at=at)
    hebrew = operations.add_component(name="שירותים", at=at)
    began = at - timedelta(hours=8)
    incident = operations.declare_incident(
        title="סיורים לא נפתחים 🚨 Tours do not open \u202e and this is turned around " * 2,
        severity=Severity.SEV2,
        at=began,
        author=None,
        body="Tours do not open.",
        components={
            longest.pk: ComponentStatus.PARTIAL_OUTAGE,
            hebrew.pk: ComponentStatus.DEGRADED_PERFORMANCE,
        },
    )
    for number in range(1, 40):
        operations.post_status_update(
            incident_id=incident.pk,
            body=LONG_BODY[:10_000] if number == 39 else f"We went on to part {number}.",
            phase=Phase.IDENTIFIED,
            at=began + number * 10 * MINUTE,
            author=None,
        )
    return incident
