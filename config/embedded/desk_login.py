"""The login that a new installation starts with: made once, kept under var/ for its owner."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from django.contrib.auth import get_user_model

from config.embedded.addresses import write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskLogin:
    """A name and the password that opens the desk."""

    name: str
    password: str


def make_once(var_dir: Path) -> DeskLogin | None:
    """Return the generated login, making it if nobody can sign in yet.

    None if it was never generated here, or its owner has changed the password since.
    """
    people = get_user_model().objects
    path = var_dir / "desk-login.json"
    if not people.exists():
        login = DeskLogin(name="admin", password=secrets.token_urlsafe(12))
        # Kept before it is made: a login that nobody knows would be worse than a file without one.
        write_private(path, json.dumps(asdict(login)) + "\n")
        people.create_superuser(login.name, password=login.password)
        return login
    if not path.exists():
        return None
    login = DeskLogin(**json.loads(path.read_text(encoding="utf-8")))
    person = people.filter(username=login.name, is_active=True).first()
    return login if person is not None and person.check_password(login.password) else None
