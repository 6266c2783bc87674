"""Deeds on the places to which a page is copied."""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from credentials import is_endpoint
from incidents.errors import Refused
from statuspage.models import Page, PublishTarget, TargetKind
from statuspage.publisher import targets


class PrivatePageHasNoTargets(Refused):
    code = "private-page-has-no-targets"
    message = _(
        "This page is private: whoever finds the copy could read it. Only public pages are copied."
    )


class TargetNameTaken(Refused):
    code = "target-name-taken"
    message = _("Another target of this page has this name. Take a different one.")


class TargetPlaceTaken(Refused):
    code = "target-place-taken"
    message = _("Another target lies there already. Give each a folder or a prefix of its own.")


class TargetPathUnusable(Refused):
    code = "target-path-unusable"
    message = _("Give the whole path of a folder that is not inside the published page's own.")


class TargetEndpointUnusable(Refused):
    code = "target-endpoint-unusable"
    message = _(
        "Give the storage’s address as https://HOST, without a name, a password or anything else."
    )


class TargetUnusable(Refused):
    code = "target-unusable"
    message = _("Nothing could be written there. Look at its address and its credentials.")


def add_directory(
    *, page_id: int, name: str, path: str, at: datetime, has_my_data: bool = False
) -> PublishTarget:
    """Copy a page to a directory from now on. It must be there; it is filled by the beat.

    ``has_my_data`` copies the tenants' own documents, too: where nobody can list the names.

    :raises PrivatePageHasNoTargets: if the page is private
    :raises TargetPathUnusable: if the path is not absolute, or lies in PUBLIC_ROOT or around it
    :raises TargetNameTaken: if another target of the page has this name
    :raises TargetPlaceTaken: if another target lies there
    """
    place = Path(path)
    root = Path(settings.PUBLIC_ROOT).resolve()
    resolved = place.resolve()
    if not place.is_absolute() or resolved.is_relative_to(root) or root.is_relative_to(resolved):
        raise TargetPathUnusable
    target = PublishTarget(
        name=name, kind=TargetKind.DIRECTORY, path=str(resolved), has_my_data=has_my_data
    )
    return _add(target, page_id=page_id, at=at)


def add_bucket(
    *,
    page_id: int,
    name: str,
    bucket: str,
    credentials_reference: str,
    at: datetime,
    prefix: str = "",
    endpoint: str = "",
    region: str = "us-east-1",
    uses_path_style: bool = False,
    has_my_data: bool = False,
) -> PublishTarget:
    """Copy a page to an S3 bucket from now on. It is filled by the beat.

    ``has_my_data`` copies the tenants' own documents, too: where nobody can list the names. The
    server connects to whatever ``endpoint`` names, inside our networks, too: that is for staff.

    :raises PrivatePageHasNoTargets: if the page is private
    :raises TargetEndpointUnusable: if the endpoint is no http(s) address, or has credentials in it
    :raises TargetNameTaken: if another target of the page has this name
    :raises TargetPlaceTaken: if another target lies there
    """
    if endpoint and not is_endpoint(endpoint):
        raise TargetEndpointUnusable
    target = PublishTarget(
        name=name,
        kind=TargetKind.S3,
        bucket=bucket,
        prefix=prefix.strip("/"),
        endpoint=endpoint,
        region=region,
        uses_path_style=uses_path_style,
        credentials_reference=credentials_reference,
        has_my_data=has_my_data,
    )
    return _add(target, page_id=page_id, at=at)


def switch_target(*, target_id: int, is_on: bool) -> PublishTarget:
    """Leave a target alone from now on, or serve it again at once. Trouble of before is forgotten.

    What lies there stays, and grows old.
    """
    with transaction.atomic():
        target = PublishTarget.objects.select_for_update().get(pk=target_id)
        target.is_on, target.failing_since, target.failure = is_on, None, ""
        target.save(update_fields=["is_on", "failing_since", "failure"])
    return target


def remove_target(*, target_id: int) -> None:
    """Forget a target. What lies there is left there. Removed twice, it is gone."""
    with transaction.atomic():
        found = PublishTarget.objects.select_related("page").filter(pk=target_id).first()
        if found is not None:
            targets.forget(found)
            found.delete()


def try_target(*, target_id: int) -> None:
    """Write something small to a target and delete it again. Nothing is recorded.

    :raises TargetUnusable: if that does not work, with a sentence that says why
    """
    target = PublishTarget.objects.select_related("page").get(pk=target_id)
    try:
        targets.try_target(target)
    except targets.TargetFailed as failed:
        raise TargetUnusable(str(failed)) from failed


def _add(target: PublishTarget, *, page_id: int, at: datetime) -> PublishTarget:
    with transaction.atomic():
        target.page = Page.objects.select_for_update().get(pk=page_id)
        if target.page.is_private:
            raise PrivatePageHasNoTargets
        target.created_at = at
        try:
            with transaction.atomic():
                target.save(force_insert=True)
        except IntegrityError as fault:
            if "name_is_unique" in str(fault):
                raise TargetNameTaken from fault
            if "place_of_its_own" in str(fault):
                raise TargetPlaceTaken from fault
            raise
    return target
