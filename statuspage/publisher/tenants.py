"""Publishing what is one tenant's own: the documents that changed, and no others.

They lie in the page's archive under names that nobody can guess, and in no revision: ten thousand
of them would weigh on each. What was written is remembered in ``tenants/known.json``, and in few
words in ``head.json``, so that every publish can see whether there is anything to do.

Where few change they are written at once, by whoever made the change; many are left to the beat.
"""

import gzip
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from incidents import queries
from statuspage.documents.clauses import Edition
from statuspage.documents.scope import Scope
from statuspage.documents.tenants import (
    FEW,
    IDLE_REST,
    MY,
    MY_API,
    Run,
    Standing,
    TenantPages,
    patience,
)
from statuspage.models import Page
from statuspage.publisher import gathering
from statuspage.publisher.assets import edition_of_the_house
from statuspage.publisher.scope import scope_of
from statuspage.publisher.site import Site
from statuspage.serving import later, manifest
from statuspage.serving.memory import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What every publish looks at: whether the documents that lie there are still right."""

    house: str
    runs: str
    due_at: float


def want(site: Site) -> None:
    """Leave a mark that tenants' documents are to be looked at. It outlives a failure."""
    folder = _folder(site) / "wanted"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / secrets.token_hex(8)).touch()


def is_due(site: Site, *, at: datetime) -> bool:
    """Whether something waits, or what lies there is to be renewed."""
    head = _head(site)
    return bool(_wanted(site)) or (head is not None and at.timestamp() >= head.due_at)


def follow(page: Page, site: Site, *, scope: Scope, at: datetime) -> None:
    """See to tenants' documents behind a publish: a restore that ended changes all of them.

    ``scope`` is what the page shows. The caller holds the site, and speaks the language of the
    page.
    """
    head = _head(site)
    if not page.has_my_data:
        if head is not None:
            _withdraw_all(site)
        return
    count = queries.tenant_count()
    if head is None and not count:
        return
    runs = _runs(scope, at=at)
    now = _Head(house=_house(page), runs=_told(runs), due_at=0)
    if head is None or (head.house, head.runs) != (now.house, now.runs) or is_due(site, at=at):
        if not _wanted(site):
            want(site)
        if count <= FEW:
            _write(page, site, runs, at=at)


def write(page: Page, site: Site, *, at: datetime, most: int | None = None) -> bool:
    """Write the documents that say something else than those that lie there, and drop the others.

    Returns whether nothing is left to do; with more than ``most`` to write, it writes none. The
    caller holds the site, and speaks the language of the page.
    """
    if not page.has_my_data:
        _withdraw_all(site)
        return True
    return _write(page, site, _runs(scope_of(page), at=at), at=at, most=most)


def _write(
    page: Page, site: Site, runs: Sequence[Run], *, at: datetime, most: int | None = None
) -> bool:
    wanted, house = _wanted(site), _house(page)
    standings = _standings(runs)
    known = _known(site) if (head := _head(site)) and head.house == house else {}
    lasts = patience(len(standings))
    changed = [
        standing
        for standing in standings
        if _is_to_be_written(standing, known.get(standing.code), lasts.total_seconds() / 2, at)
    ]
    if most is not None and len(changed) > most:
        return False
    pages = TenantPages(gathering.frame_of(page, site, at=at), patience=lasts)
    for standing in changed:
        for path, editions in pages.documents(standing).items():
            _put(site, path, editions)
        known[standing.code] = [standing.fingerprint, at.timestamp(), standing.is_alive]
    _keep_only({standing.code for standing in standings}, site, known)
    due_at = min((_due_at(entry, lasts.total_seconds() / 2) for entry in known.values()), default=0)
    _remember(site, _Head(house=house, runs=_told(runs), due_at=due_at or _never(at)), known)
    for mark in wanted:
        mark.unlink(missing_ok=True)
    return True


def _runs(scope: Scope, *, at: datetime) -> list[Run]:
    """Return the restores that tenants are told of, the newest last."""
    reports = queries.reports_with_tenants(at=at)
    shown = {report.incident_id for report in reports}
    if scope.touching is not None:
        shown = queries.touched(shown, scope.touching)
    return [
        Run(
            pk=report.pk,
            state=report.state,
            waits_for_decision=report.waits_for_decision,
            heartbeat_at=report.heartbeat_at,
            ended_at=report.ended_at,
            incident_id=report.incident.public_id if report.incident_id in shown else "",
            incident_title=report.incident.title,
            incident_is_over=report.incident.is_resolved,
        )
        for report in reports
    ]


def _standings(runs: Sequence[Run]) -> list[Standing]:
    """Return how every tenant stands, in its newest restore."""
    by_report = {run.pk: run for run in runs}
    told = {}
    for row in queries.tenant_progress(by_report):
        # The newest restore comes last, and stands.
        told[row.pop("tenant_id")] = row
    standings = []
    for pk, code, name in queries.tenant_codes():
        row = told.get(pk, {})
        run = by_report.get(row.pop("report_id", 0))
        standings.append(Standing(code=code, name=name, run=run, **row))
    return standings


def _told(runs: Sequence[Run]) -> str:
    """Return what tells these restores from any of which tenants are told otherwise."""
    parts = [
        (
            run.pk,
            run.state,
            run.waits_for_decision,
            run.incident_id,
            run.incident_title,
            run.incident_is_over,
        )
        for run in runs
    ]
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _house(page: Page) -> str:
    return f"{edition_of_the_house()} {page.updated_at.isoformat()} {page.language}"


def _is_to_be_written(
    standing: Standing, known: Sequence[Any] | None, rest: float, at: datetime
) -> bool:
    if known is None or known[0] != standing.fingerprint or known[2] != standing.is_alive:
        return True
    return at.timestamp() >= _due_at(known, rest)


def _due_at(known: Sequence[Any], rest: float) -> float:
    """Return when a document is written anew although nothing changed: before it admits its age."""
    _fingerprint, written_at, is_alive = known
    return float(written_at) + (rest if is_alive else IDLE_REST.total_seconds())


def _never(at: datetime) -> float:
    return at.timestamp() + IDLE_REST.total_seconds()


def _put(site: Site, path: str, editions: Sequence[Edition]) -> None:
    """Write a document with its later editions; readers meet the one before or this one."""
    file = manifest.archived_file(path)
    if file is None:
        raise ValueError(f"{path} has no place in the archive.")
    target = site.archive / file
    target.parent.mkdir(parents=True, exist_ok=True)
    body, beside = editions[0].body, later.beside(target)
    coming = [(edition.valid_from.timestamp(), edition.body) for edition in editions[1:]]
    if coming:
        _replace(beside, later.content(digest(body), coming))
    else:
        beside.unlink(missing_ok=True)
    if target.suffix == ".html":
        _replace(target.with_name(f"{target.name}.gz"), gzip.compress(body, 6, mtime=0))
    # Last: by its change readers see that there is something new.
    _replace(target, body)


def _replace(target: Path, content: bytes) -> None:
    ahead = target.with_name(f".{target.name}.new")
    ahead.write_bytes(content)
    ahead.replace(target)


def _keep_only(codes: set[str], site: Site, known: dict[str, Any]) -> None:
    """Take away the documents of codes that are nobody's any more."""
    for code in known.keys() - codes:
        del known[code]
    for path in (MY, MY_API):
        folder = site.archive / path.strip("/")
        # By what lies there, not by what is remembered: an old code must lead nowhere.
        with suppress(FileNotFoundError):
            for entry in os.scandir(folder):
                if entry.name.lstrip(".").partition(".")[0] not in codes:
                    Path(entry.path).unlink(missing_ok=True)


def _withdraw_all(site: Site) -> None:
    for path in (MY, MY_API):
        shutil.rmtree(site.archive / path.strip("/"), ignore_errors=True)
    shutil.rmtree(_folder(site), ignore_errors=True)


def _folder(site: Site) -> Path:
    return site.root / "tenants"


def _wanted(site: Site) -> list[Path]:
    with suppress(FileNotFoundError):
        return list((_folder(site) / "wanted").iterdir())
    return []


def _head(site: Site) -> _Head | None:
    try:
        return _Head(**json.loads((_folder(site) / "head.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _known(site: Site) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((_folder(site) / "known.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _remember(site: Site, head: _Head, known: Mapping[str, Any]) -> None:
    folder = _folder(site)
    folder.mkdir(parents=True, exist_ok=True)
    _write_privately(folder / "known.json", known)
    words = {"house": head.house, "runs": head.runs, "due_at": head.due_at}
    _write_privately(folder / "head.json", words)


def _write_privately(target: Path, content: Mapping[str, Any]) -> None:
    # It names every code.
    ahead = target.with_name(f".{target.name}.new")
    ahead.unlink(missing_ok=True)
    with os.fdopen(os.open(ahead, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, separators=(",", ":"))
    ahead.replace(target)
