"""Programs that come with a key of their own."""

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken, User
from accounts.tokens import token_of

# By the names that clients of status pages send, in any case.
_SCHEMES = ("oauth", "bearer")
_LONGEST_KEY = 200


class TokenAuthentication(BaseAuthentication):
    """Lets a program in by `Authorization: OAuth KEY`, by `Bearer KEY`, or by `?api_key=KEY`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return whose key it is, with the key's row; None if none was sent.

        :raises AuthenticationFailed: if the key opens nothing
        """
        key = _key_in(request)
        if not key:
            return None
        token = token_of(key, at=timezone.now()) if len(key) <= _LONGEST_KEY else None
        if token is None:
            raise AuthenticationFailed("This key is unknown, revoked or expired. Make another one.")
        return token.user, token

    def authenticate_header(self, _request: Any) -> str:
        """Return what to send, for an answer of 401."""
        return 'OAuth realm="management"'


def _key_in(request: Request) -> str:
    scheme, _space, key = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() in _SCHEMES:
        return key.strip()
    return request.query_params.get("api_key", "")
