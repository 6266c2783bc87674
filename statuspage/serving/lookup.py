"""The form on which a tenant types its code, answered without JavaScript and without a database."""

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Where the form lies, and behind it each tenant's own document.
MY = "/my"
_LONGEST = 32
_DROPPED = re.compile(r"[^0-9a-z]+")


def address_asked_for(environ: "WSGIEnvironment") -> str | None:
    """Return where a form that was sent leads; None if none was sent.

    Dashes, spaces and capitals make no difference. Whether there is such a code is found out
    there: this answers all alike.
    """
    query = environ.get("QUERY_STRING", "")
    if "code=" not in query:
        return None
    try:
        given = parse_qs(query, max_num_fields=20).get("code", [""])[0]
    except ValueError:
        return MY
    code = _DROPPED.sub("", given.lower())[:_LONGEST]
    return f"{MY}/{code}" if code else MY
