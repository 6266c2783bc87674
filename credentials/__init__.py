"""Secrets, from where a row says that they are. Nothing here is ever stored or printed.

A row names its secrets, and never keeps them: ``settings:NAME`` is an entry of the setting
CREDENTIALS, ``file:PATH`` a JSON document, ``env:NAME`` variables of the environment.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

# What a row may hold.
REFERENCE = r"^(settings|env|file):.+"


def is_endpoint(address: str) -> bool:
    """Whether this is an address at which a storage may answer, with no secret in it."""
    try:
        parts = urlsplit(address)
        _port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        # Credentials are named, never kept; nor does an S3 endpoint have a query.
        and not (parts.username is not None or parts.query or parts.fragment)
    )


class CredentialsMissing(Exception):
    """There is nothing where a row says that its secrets are. The message names no secret."""


def storage_keys(reference: str) -> dict[str, str]:
    """Return ``access_key``, ``secret_key`` and ``session_token``, which may be empty.

    In the environment they are NAME_ACCESS_KEY, NAME_SECRET_KEY and NAME_SESSION_TOKEN.

    :raises CredentialsMissing: if there is no such pair
    """
    names = ("access_key", "secret_key", "session_token")
    kind, _, name = reference.partition(":")
    found: Mapping[str, Any] = (
        {part: os.environ.get(f"{name}_{part.upper()}", "") for part in names}
        if kind == "env"
        else _entry(kind, name)
    )
    if not found.get("access_key") or not found.get("secret_key"):
        raise CredentialsMissing(f"{kind} entry holds no access_key and secret_key")
    return {part: str(found.get(part, "")) for part in names}


def password(reference: str) -> str:
    """Return the ``password`` of an entry, or what the variable NAME holds.

    :raises CredentialsMissing: if it is not there
    """
    kind, _, name = reference.partition(":")
    found = os.environ.get(name, "") if kind == "env" else _entry(kind, name).get("password", "")
    if not found:
        raise CredentialsMissing(f"{kind} entry holds no password")
    return str(found)


def _entry(kind: str, name: str) -> Mapping[str, Any]:
    if kind == "settings":
        return settings.CREDENTIALS.get(name, {})
    try:
        found = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CredentialsMissing("the file cannot be read as JSON") from error
    return found if isinstance(found, dict) else {}
