"""What several pages of the desk share."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, QueryDict
from django.utils.html import format_html
from django.utils.translation import gettext as _

from incidents.errors import Refused
from incidents.forms.messages import MessageForm

# How many rows a list of the desk shows at once.
PAGE = 25
_MOST_DIGITS = 18


def posted(request: HttpRequest) -> QueryDict | None:
    """Return what was sent, be it nothing; None where nothing was."""
    return request.POST if request.method == "POST" else None


def once(form: Form) -> str:
    """Return by what a valid form that is sent twice is one deed; empty for one without a key.

    Whoever goes back, writes something else and sends it again means another deed.
    """
    key = form.cleaned_data["key"]
    said = sorted(item for item in form.data.items() if item[0] != "csrfmiddlewaretoken")
    return f"desk-{key}-{sha256(repr(said).encode()).hexdigest()[:16]}" if key else ""


def refused(refusal: Refused) -> str:
    """Return why something was not done, with a link to what stands in the way, if there is one."""
    if not refusal.where:
        return str(refusal)
    return format_html('{} <a href="{}">{}</a>', str(refusal), refusal.where, _("Look at it"))


def number(typed: str) -> int | None:
    """Return the number that was sent; None for what is none, or longer than any of ours."""
    return int(typed) if typed.isdecimal() and len(typed) <= _MOST_DIGITS else None


def fill(request: HttpRequest, form: MessageForm, typed: Mapping[str, Any]) -> None:
    """Show again what was typed, with the chosen template where there was nothing."""
    if typed and not form.fill(typed):
        messages.warning(
            request,
            _(
                "What you had written stands. To take the template's words, empty the field and "
                "fill in once more."
            ),
        )
