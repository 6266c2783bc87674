"""What several pages of the desk share."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from incidents.forms.messages import MessageForm

# How many rows a list of the desk shows at once.
PAGE = 25


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
