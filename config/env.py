"""Typed readers of the environment. Each variable may also come as a file, by NAME_FILE."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """Return the variable NAME, or what the file named by NAME_FILE holds.

    :raises ImproperlyConfigured: if neither is set and there is no default
    """
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {fault}.") from fault
    if default is not None:
        return default
    raise ImproperlyConfigured(f"Set {name} (or {name}_FILE) in the environment.")


def words(name: str, default: str | None = None) -> list[str]:
    """Return a list that is written with commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str, default: str | None = None) -> list[IPv4Network | IPv6Network]:
    """Return networks such as 10.0.0.0/8, written with commas.

    :raises ImproperlyConfigured: if one of them is none
    """
    try:
        return [ip_network(word) for word in words(name, default)]
    except ValueError as fault:
        raise ImproperlyConfigured(f"{name} must name networks: {fault}.") from fault


def whole(name: str, default: int | None = None) -> int:
    """Return a whole number.

    :raises ImproperlyConfigured: if it is missing or is no whole number
    """
    value = text(name, None if default is None else str(default))
    try:
        return int(value)
    except ValueError as fault:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from fault


def folder(name: str, default: Path | None = None) -> Path:
    """Return the path of a folder. It need not exist yet."""
    return Path(text(name, None if default is None else str(default))).absolute()
