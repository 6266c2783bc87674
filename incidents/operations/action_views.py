"""Deeds on saved views of the list of action items."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import ActionView


class ViewNameTaken(Refused):
    code = "view-name-taken"
    message = _("You have a view of this name. Take a different one, or remove that first.")


def save_action_view(
    *, owner: User, name: str, query: str, is_shared: bool, at: datetime
) -> ActionView:
    """Keep what the list is narrowed to, as its address writes it, under a name.

    :raises ViewNameTaken: if its owner has another of this name
    """
    view = ActionView(owner=owner, name=name, query=query, is_shared=is_shared, created_at=at)
    _write(view)
    return view


def edit_action_view(*, view_id: int, name: str, is_shared: bool) -> ActionView:
    """Give a view another name, or share it, or no longer.

    :raises ViewNameTaken: if its owner has another of this name
    """
    with transaction.atomic():
        view = ActionView.objects.select_for_update().get(pk=view_id)
        view.name, view.is_shared = name, is_shared
        _write(view)
    return view


def remove_action_view(*, view_id: int) -> None:
    """Forget a view; no action item changes by it."""
    ActionView.objects.filter(pk=view_id).delete()


def _write(view: ActionView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as fault:
        if "name_is_unique" not in str(fault):
            raise
        raise ViewNameTaken from fault
