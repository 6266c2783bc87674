"""Secrets of storages and databases, with failures as this house tells them."""

from collections.abc import Iterable

import credentials
from backups.errors import CredentialsMissing
from backups.storage.s3 import Credentials


def storage_credentials(reference: str) -> Credentials:
    """Return the keys that a storage location names.

    :raises CredentialsMissing: if they are not there
    """
    try:
        return Credentials(**credentials.storage_keys(reference))
    except credentials.CredentialsMissing as missing:
        raise CredentialsMissing(str(missing)) from missing


def password(reference: str) -> str:
    """Return the password that a database names.

    :raises CredentialsMissing: if it is not there
    """
    try:
        return credentials.password(reference)
    except credentials.CredentialsMissing as missing:
        raise CredentialsMissing(str(missing)) from missing


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return the text without these secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return text
