"""Who may work at the desk, and who it was that did."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import User

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)


def staff_required(
    view: Callable[Concatenate[HttpRequest, P], R],
) -> Callable[Concatenate[HttpRequest, P], R]:
    """Let active staff in; send others to sign in, or away if they are no staff."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not actor(request).is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


def actor(request: HttpRequest) -> User:
    """Return who is signed in. Only behind ``staff_required``."""
    assert isinstance(request.user, User)
    return request.user
