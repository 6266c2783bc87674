"""Signing in, and the keys of one's programs."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import tokens
from accounts.access import actor, staff_required
from accounts.forms import TokenForm
from accounts.models import User

_INVALID = 422


class SignIn(LoginView):
    """Asks who it is. Staff who are signed in already go on to where they were going.

    Others are shown who they are, and may sign in as somebody else: sent on, they would be turned
    away there, with no way out.
    """

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if isinstance(request.user, User) and request.user.is_staff:
            return redirect(self.get_success_url())
        return super().get(request, *args, **kwargs)


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def list_tokens(request: HttpRequest) -> HttpResponse:
    """Show the keys of one's own programs, and make another one: it is shown this once."""
    form = TokenForm(request.POST or None)
    made, key, at = None, "", timezone.now()
    if request.method == "POST" and form.is_valid():
        made, key = tokens.make_token(
            user_id=actor(request).pk,
            name=form.cleaned_data["name"],
            at=at,
            expires_at=form.expires_at(at=at),
        )
        form = TokenForm()
    return render(
        request,
        "accounts/token_list.html",
        {
            "form": form,
            "tokens": actor(request).api_tokens.filter(revoked_at=None).order_by("-pk"),
            "made": made,
            "key": key,
            "now": at,
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one of one's own keys open nothing from now on."""
    token = get_object_or_404(actor(request).api_tokens, pk=pk)
    tokens.revoke_token(token_id=token.pk, at=timezone.now())
    messages.success(request, f"{token} opens nothing any more.")
    return redirect("token-list")
