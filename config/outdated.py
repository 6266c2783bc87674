"""The answer to a form that the desk cannot tell to be its reader's own."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.access import page_of

# Where to load the page again, for what a script has sent: there is no page to show.
LOAD_AGAIN = "X-Load-Again"
_DESK = "/desk/"


def refuse_form(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's
    """Say that the form was not taken, how to go on, and what was typed, to be copied.

    So it is when cookies were cleared, or somebody signed in or out in another tab meanwhile. What
    another site has sent in a reader's name is not shown.
    """
    address = page_of(request) or _DESK
    typed = list(_typed(request)) if _is_from_here(request) else []
    shown = {"address": address, "typed": typed}
    answer = HttpResponse(render_to_string("403_csrf.html", shown), status=403)
    answer[LOAD_AGAIN] = address
    add_never_cache_headers(answer)
    return answer


def _is_from_here(request: HttpRequest) -> bool:
    sender = request.headers.get("Origin") or request.headers.get("Referer", "")
    return url_has_allowed_host_and_scheme(
        sender, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def _typed(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Yield what was written in words, by the name of its field: neither choices nor secrets."""
    for name, values in request.POST.lists():
        if "password" in name:
            continue
        for value in values:
            if len(value.split()) > 1:
                yield name.replace("_", " ").capitalize(), value
