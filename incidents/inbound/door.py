"""The token that opens a hook: made, found in a message, and known by its digest alone."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping


def new_token() -> str:
    """Return an unguessable token of 43 characters that can stand in an address."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return what is kept of a token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def offered_token(headers: Mapping[str, str]) -> str:
    """Return the token of an Authorization header: a bearer's, or the password of Basic.

    Empty if there is none.
    """
    scheme, _, offered = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return offered.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        pair = base64.b64decode(offered.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]
