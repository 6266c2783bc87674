"""What a runbook is made of, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from backups.options import Range

BARMAN_CLOUD, PGBACKREST, PG_DUMP = "BARMAN_CLOUD", "PGBACKREST", "PG_DUMP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bucket with the backups in it. Its keys are named by ``reference``, never held."""

    name: str
    endpoint: str
    bucket: str
    prefix: str
    region: str
    reference: str
    provider: str = ""
    is_path_style: bool = True
    expires_at: datetime | None = None

    @property
    def url(self) -> str:
        """Where it answers, with nothing in it but scheme, host and port."""
        parts = urlsplit(self.endpoint or f"https://s3.{self.region}.amazonaws.com")
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def key(self, *parts: str) -> str:
        """Return the key of this name below the prefix."""
        return "/".join(part for part in (self.prefix.strip("/"), *parts) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place to restore to. ``trouble`` says why no restore could begin there; empty: none.

    One that ``is_kept`` has a standby in its directory, which can be brought up if it ``is_warm``.
    """

    id: int
    name: str
    host: str
    port: int
    data_dir: str
    work_dir: str
    bin_dir: str = ""
    queue: str = ""
    major: int | None = None
    trouble: str = ""
    warm_words: str = ""
    is_kept: bool = False
    is_warm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The backup that would be restored. ``major`` is that of its PostgreSQL."""

    engine_id: str
    name: str
    ended_at: datetime
    major: int
    begin_wal: str = ""
    has_manifest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """A drill that is over. ``phases`` are seconds by the phase's name, where they were timed."""

    number: int
    has_passed: bool
    ended_at: datetime
    target_id: int
    target: str
    strategy: str
    engine_fits: bool
    measured: timedelta | None = None
    forecast_words: str = ""
    words: str = ""
    phases: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a loss would have cost at the moment ``at``, by the plan of that code."""

    at: datetime
    words: str
    lost: timedelta | None = None
    back: Range | None = None
    plan_code: str = ""
    basis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Who is told. ``address`` is masked where the whole of it is a secret."""

    name: str
    kind: str
    address: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What staff wrote, in markdown."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a runbook is made of. ``places``: the database's own storage, then its copies.

    ``drills`` are those that passed or failed, the newest first; ``incident`` the number of the one
    for which it is read, None for none. ``incident_url`` is its page, or that on which one is
    declared.
    """

    at: datetime
    name: str
    engine: str
    engine_words: str
    host: str
    port: int
    superuser: str
    archive: str
    password_reference: str
    places: Sequence[Place]
    targets: Sequence[Target]
    newest: Newest | None = None
    drills: Sequence[Drilled] = ()
    loss: Loss | None = None
    may_lose: timedelta | None = None
    back_within: timedelta | None = None
    restorable_until: datetime | None = None
    tenants: int = 0
    contacts: Sequence[Contact] = ()
    sections: Sequence[Section] = ()
    incident: int | None = None
    incident_url: str = ""

    @property
    def own(self) -> Place:
        """Where its backups lie first of all."""
        return self.places[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether a drill has proven a command, in words."""

    words: str
    is_proven: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is typed, as it is typed; several lines are typed together."""

    text: str
    proof: Proof
    # When this one and not another; empty where there is only one.
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. ``code`` is its name for good: ticks go by it."""

    code: str
    title: str
    words: Sequence[str] = ()
    commands: Sequence[Command] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """A runbook as it stands at this moment. Rows are pairs of a label and words."""

    at: datetime
    name: str
    now: Sequence[tuple[str, str]]
    expected: Sequence[tuple[str, str]]
    drills: Sequence[str]
    contacts: Sequence[Contact]
    places: Sequence[tuple[str, str]]
    targets: Sequence[tuple[str, str]]
    secrets: Sequence[tuple[str, str]]
    steps: Sequence[Step]
    by_hand: Sequence[Step]
    sections: Sequence[Section]

    def step(self, code: str) -> Step | None:
        """Return the step of this name among those that the desk leads; None if there is none."""
        return next((step for step in self.steps if step.code == code), None)
