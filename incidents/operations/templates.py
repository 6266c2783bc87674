"""Deeds on the sentences that jobs say to customers."""

from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.models import UpdateTemplate
from incidents.wording import UPDATES


class NoSuchTemplate(Refused):
    code = "no-such-template"
    message = _("No update goes by this name.")


def replace_template(*, code: str, body: str) -> UpdateTemplate:
    """Put staff's own words in the place of ours, from the next update on.

    :raises NoSuchTemplate: if no update has this code
    """
    _refuse_unknown(code)
    template, _new = UpdateTemplate.objects.update_or_create(code=code, defaults={"body": body})
    return template


def reset_template(*, code: str) -> None:
    """Go back to our words.

    :raises NoSuchTemplate: if no update has this code
    """
    _refuse_unknown(code)
    UpdateTemplate.objects.filter(code=code).delete()


def _refuse_unknown(code: str) -> None:
    if code not in UPDATES:
        raise NoSuchTemplate
