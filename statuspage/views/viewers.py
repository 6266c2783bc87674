"""Letting in those who sign in: the ticket is the page's, the login that of the desk."""

import time

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import actor
from statuspage.models import Access
from statuspage.serving.gate import TICKET, TICKET_SECONDS, new_ticket
from statuspage.views.hosts import page_at


@require_safe
@never_cache
@login_required
def enter(request: HttpRequest) -> HttpResponse:
    """Give whoever signed in, and may read this host's page, a ticket for it."""
    page = page_at(request)
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
