"""Letting in those who sign in: the ticket is the page's, the login that of the desk."""

import time

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import actor
from statuspage.models import Access, Page
from statuspage.publisher.directory import hosts_of
from statuspage.serving.gate import TICKET, TICKET_SECONDS, new_ticket


@require_safe
@never_cache
@login_required
def enter(request: HttpRequest) -> HttpResponse:
    """Give whoever signed in, and may read this host's page, a ticket for it."""
    page = _page_of(request.get_host())
    if page.access == Access.VIEWERS:
        person = actor(request)
        if not (person.is_staff or page.viewers.filter(pk=person.pk).exists()):
            raise PermissionDenied
        ticket = new_ticket(page.ticket_key, now=time.time())
        answer = redirect("/")
        answer.set_cookie(
            TICKET,
            ticket,
            max_age=TICKET_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure(),
        )
        return answer
    return redirect("/")


def _page_of(host: str) -> Page:
    """Return the page that the server shows at a host."""
    pages = Page.objects.in_order()
    named = (page for page in pages if host.lower() in hosts_of(page))
    return next(named, None) or Page.objects.first_page(at=timezone.now())
