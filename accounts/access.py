"""Who may work at the desk, and who it was that did."""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import User

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)
_READS = ("GET", "HEAD")


def staff_required(
    view: Callable[Concatenate[HttpRequest, P], R],
) -> Callable[Concatenate[HttpRequest, P], R | HttpResponseRedirect]:
    """Let active staff in; send others to sign in, or away if they are no staff.

    After signing in, a browser is on the page that it asked for; after a deed, on the one from
    which that was asked for.
    """

    @wraps(view)
    def guarded(
        request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> R | HttpResponseRedirect:
        if not request.user.is_authenticated:
            return redirect_to_login(page_of(request))
        if not actor(request).is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


def actor(request: HttpRequest) -> User:
    """Return who is signed in. Only behind ``staff_required``."""
    assert isinstance(request.user, User)
    return request.user


def page_of(request: HttpRequest) -> str:
    """Return the address to go on at: a browser that is sent to a deed's finds an error there.

    Empty where there is no page of ours behind what was asked.
    """
    if request.method in _READS:
        return request.get_full_path()
    asked_from = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(
        asked_from, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    came = urlsplit(asked_from if is_ours else request.get_full_path())
    if _is_page(came.path):
        return f"{came.path}?{came.query}" if came.query else came.path
    # A form that was refused leaves the browser at the address of its deed.
    return next((path for path in _above(came.path) if _is_page(path)), "")


def _above(path: str) -> Iterator[str]:
    while path := path.rstrip("/").rpartition("/")[0]:
        yield f"{path}/"


def _is_page(path: str) -> bool:
    """Whether an address can be read, as far as its view and decorators say."""
    try:
        view: Any = resolve(path).func
    except Resolver404:
        return False
    if view_class := getattr(view, "view_class", None):
        return "get" in view_class.http_method_names
    while view is not None:
        # Django keeps nowhere else what require_http_methods was given.
        closed_over = inspect.getclosurevars(view).nonlocals if inspect.isfunction(view) else {}
        if "GET" not in closed_over.get("request_method_list", _READS):
            return False
        view = getattr(view, "__wrapped__", None)
    return True
