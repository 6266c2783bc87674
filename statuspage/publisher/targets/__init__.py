"""Carrying what is published to other places: after the fact, each by itself, at its own pace.

A target never holds up the page, the poster or another target. What is there is one whole
revision with the archive beside it, or on its way to that: a push that is cut short goes on
where it ended.
"""

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from statuspage.models import PublishTarget, TargetKind
from statuspage.publisher.targets import bucket, directory
from statuspage.publisher.targets.stock import Stock, take_stock
from statuspage.publisher.targets.trouble import NoLongerWanted, OutOfTime, TargetFailed
from statuspage.publisher.trouble import in_plain_words
from statuspage.serving import manifest
from statuspage.serving.directory import folder_of
from statuspage.serving.manifest import Unreadable

__all__ = ["TargetFailed", "forget", "push", "push_due", "try_target"]

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Clock = Callable[[], datetime]

# What does not fit into one go is brought by the next: a worker is never held for long.
_SECONDS = 30.0
# A target that fails is left alone for half as long as it has been failing, within these.
_SHORTEST_REST, _LONGEST_REST = timedelta(seconds=10), timedelta(minutes=5)


def push_due(*, now: Clock = timezone.now) -> int:
    """Bring what is new to every target that is on; return how many were brought up to date.

    A target that fails is recorded as failing, and the others are served all the same.
    """
    # Those that work first: they need not wait for the silence of the others.
    in_order = (F("failing_since").asc(nulls_first=True), "pk")
    targets = PublishTarget.objects.filter(is_on=True).order_by(*in_order).select_related("page")
    return sum(push(target, now=now) for target in targets if _is_due(target, at=now()))


def push(target: PublishTarget, *, now: Clock = timezone.now, seconds: float = _SECONDS) -> bool:
    """Bring what is new to one target; whether it is up to date now.

    What goes wrong with it is recorded, and not raised.
    """
    folder = folder_of(settings.PUBLIC_ROOT, target.page.slug)
    at = now()
    look = partial(_look, target, until=time.monotonic() + seconds)
    try:
        with _alone(folder, target) as is_ours:
            if not is_ours:
                return False
            # What was read before may have been told to stop meanwhile.
            look()
            stock = take_stock(folder, with_personal=target.has_my_data)
            _bring(target, stock, folder, look=look)
    except (OutOfTime, Unreadable) as early:
        # It gets on, or there is nothing whole to bring just now, which is no failure.
        logger.info("target %s: to be continued: %r", target.pk, early)
        return False
    except NoLongerWanted:
        logger.info("target %s: it was removed or switched off", target.pk)
        _forget_if_removed(target)
        return False
    except TargetFailed as failed:
        _record_failure(target, str(failed), at=at)
        return False
    except Exception as fault:
        logger.exception("target %s could not be pushed", target.pk)
        _record_failure(target, in_plain_words(fault, where=_where(target)), at=at)
        return False
    PublishTarget.objects.filter(pk=target.pk).update(
        pushed_revision=stock.revision, pushed_at=at, tried_at=at, failing_since=None, failure=""
    )
    _forget_if_removed(target)
    return True


def try_target(target: PublishTarget) -> None:
    """Write something small to the target and delete it again. A silent one is not waited for.

    :raises TargetFailed: if that does not work, with a sentence that says why
    """
    try:
        if target.kind == TargetKind.DIRECTORY:
            directory.probe(Path(target.path))
        else:
            _in_bucket(target, lambda place: place.probe(), is_awaited=True)
    except OSError as fault:
        raise TargetFailed(in_plain_words(fault, where=_where(target))) from fault


def forget(target: PublishTarget) -> None:
    """Remove what is kept here of a target that is no more. What lies there is left there."""
    for file in _files(folder_of(settings.PUBLIC_ROOT, target.page.slug), target):
        file.unlink(missing_ok=True)


def _forget_if_removed(target: PublishTarget) -> None:
    # A push that was under way has written down once more what it brought.
    if not PublishTarget.objects.filter(pk=target.pk).exists():
        forget(target)


def _is_due(target: PublishTarget, *, at: datetime) -> bool:
    if target.failing_since is not None and target.tried_at is not None:
        failing_for = (target.tried_at - target.failing_since) / 2
        return at >= target.tried_at + min(max(failing_for, _SHORTEST_REST), _LONGEST_REST)
    try:
        folder = folder_of(settings.PUBLIC_ROOT, target.page.slug)
        published = manifest.read(folder / (folder / manifest.CURRENT).readlink())
    except (OSError, Unreadable):
        return False
    # A root that was emptied counts its revisions from 1 again.
    made_at = datetime.fromtimestamp(published.generated_at, tz=UTC)
    return (
        published.revision != target.pushed_revision
        or target.pushed_at is None
        or max(made_at, _tenants_told_at(folder)) > target.pushed_at
    )


def _tenants_told_at(folder: Path) -> datetime:
    """Return when tenants' own documents were last written, which need no revision."""
    try:
        at = (folder / "tenants" / "head.json").stat().st_mtime
    except OSError:
        at = 0
    return datetime.fromtimestamp(at, tz=UTC)


def _look(target: PublishTarget, *, until: float) -> None:
    """Look at the clock, and whether the target is still wanted, which staff may change any time.

    :raises OutOfTime: if ``until`` (of the monotonic clock) has passed
    :raises NoLongerWanted: if it was removed or switched off
    :raises TargetFailed: if its page is private by now
    """
    if time.monotonic() > until:
        raise OutOfTime
    found = PublishTarget.objects.select_related("page").filter(pk=target.pk).first()
    if found is None or not found.is_on:
        raise NoLongerWanted
    if found.page.is_private:
        raise TargetFailed("The page is private. Remove this target: nobody would guard it there.")


def _bring(target: PublishTarget, stock: Stock, folder: Path, *, look: Callable[[], None]) -> None:
    if target.kind == TargetKind.DIRECTORY:
        count = directory.push(stock, Path(target.path), look=look)
    else:
        memory, _lock = _files(folder, target)
        count = _in_bucket(target, lambda place: bucket.push(stock, place, memory, look=look))
    logger.info("target %s: brought revision %s, %s files", target.pk, stock.revision, count)


def _in_bucket(
    target: PublishTarget, deed: Callable[[bucket.Bucket], Result], *, is_awaited: bool = False
) -> Result:
    place = bucket.Bucket(target, is_awaited=is_awaited)
    try:
        return deed(place)
    finally:
        place.close()


@contextmanager
def _alone(folder: Path, target: PublishTarget) -> Iterator[bool]:
    """Hold the target; give False at once if another process holds it.

    :raises Unreadable: if the page has no folder: the folder of a removed page is not made anew
    """
    _memory, lock = _files(folder, target)
    try:
        lock.parent.mkdir(exist_ok=True)
        opened = lock.open("w")
    except FileNotFoundError as fault:
        raise Unreadable("Nothing is published yet.") from fault
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _files(folder: Path, target: PublishTarget) -> tuple[Path, Path]:
    """Return where is kept what lies in the target, and what its holder locks."""
    place = folder / "targets"
    return place / f"{target.pk}.json", place / f"{target.pk}.lock"


def _where(target: PublishTarget) -> str:
    # What is remembered of a bucket lies beside the page.
    return target.path or "PUBLIC_ROOT"


def _record_failure(target: PublishTarget, failure: str, *, at: datetime) -> None:
    logger.warning("target %s fails: %s", target.pk, failure)
    PublishTarget.objects.filter(pk=target.pk).update(
        failing_since=Coalesce("failing_since", Value(at)), failure=failure[:300], tried_at=at
    )
