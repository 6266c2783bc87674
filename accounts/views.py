"""Signing in."""

from typing import Any

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.models import User


class SignIn(LoginView):
    """Asks who it is. Staff who are signed in already go on to where they were going.

    Others are shown who they are, and may sign in as somebody else: sent on, they would be turned
    away there, with no way out.
    """

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if isinstance(request.user, User) and request.user.is_staff:
            return redirect(self.get_success_url())
        return super().get(request, *args, **kwargs)
