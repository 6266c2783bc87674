"""Secrets, from where a row says that they are. Nothing here is ever stored or printed."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from backups.errors import CredentialsMissing
from backups.storage.s3 import Credentials


def storage_credentials(reference: str) -> Credentials:
    """Return the keys that a storage location names.

    ``settings:NAME`` is an entry of BACKUP_CREDENTIALS, ``file:PATH`` a JSON document, each with
    ``access_key`` and ``secret_key``; ``env:NAME`` the variables NAME_ACCESS_KEY and
    NAME_SECRET_KEY.

    :raises CredentialsMissing: if they are not there
    """
    kind, _, name = reference.partition(":")
    found: Mapping[str, Any]
    if kind == "env":
        found = {
            "access_key": os.environ.get(f"{name}_ACCESS_KEY", ""),
            "secret_key": os.environ.get(f"{name}_SECRET_KEY", ""),
        }
    else:
        found = _entry(kind, name)
    if not found.get("access_key") or not found.get("secret_key"):
        raise CredentialsMissing(f"{kind} entry holds no access_key and secret_key")
    return Credentials(
        access_key=str(found["access_key"]),
        secret_key=str(found["secret_key"]),
        session_token=str(found.get("session_token", "")),
    )


def password(reference: str) -> str:
    """Return the password that a database names: ``password`` of the entry, or the variable NAME.

    :raises CredentialsMissing: if it is not there
    """
    kind, _, name = reference.partition(":")
    found = os.environ.get(name, "") if kind == "env" else _entry(kind, name).get("password", "")
    if not found:
        raise CredentialsMissing(f"{kind} entry holds no password")
    return str(found)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return the text without these secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return text


def _entry(kind: str, name: str) -> Mapping[str, Any]:
    if kind == "settings":
        return settings.BACKUP_CREDENTIALS.get(name, {})
    try:
        found = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CredentialsMissing("the file cannot be read as JSON") from error
    return found if isinstance(found, dict) else {}
