"""The place in a message where each recipient's own token goes."""

import re

# Letters and dashes alone: no encoding of a mail, of HTML or of JSON changes it.
TOKEN = "token-of-the-one-who-reads-this"  # noqa: S105 - the place of one

_MADE_OF = re.compile(r"[A-Za-z0-9_-]{0,64}")


def refuse_odd(token: str) -> None:
    """Refuse what does not fit into the place as it is.

    :raises ValueError: if there is anything in it but letters, digits, dashes and low lines
    """
    if not _MADE_OF.fullmatch(token):
        raise ValueError("A token is made of letters, digits, - and _, 64 at most.")
