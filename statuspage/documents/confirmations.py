"""Mails to those who ask for messages: that they confirm, or that they get them already."""

from dataclasses import dataclass

from django.utils import translation
from django.utils.translation import gettext as _

from statuspage.models import Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail in plain text."""

    subject: str
    body: str


def confirmation(subscriber: Subscriber) -> Letter:
    """Return what asks whoever owns the mailbox whether it was them."""
    page = subscriber.page
    with translation.override(subscriber.language or page.language):
        return Letter(
            subject=_("Confirm that you want messages from %(page)s") % {"page": page.name},
            body=_(
                "Somebody, probably you, asked for messages from the status page of %(page)s.\n\n"
                "To confirm, open this address and press the button:\n%(link)s\n\n"
                "If it was not you, do nothing: you will hear no more of it.\n"
            )
            % {"page": page.name, "link": f"{page.url}/subscriptions/{subscriber.token}/confirm"},
        )


def reminder(subscriber: Subscriber) -> Letter:
    """Return what tells a subscriber that nothing more is needed, and where to choose."""
    page = subscriber.page
    with translation.override(subscriber.language or page.language):
        return Letter(
            subject=_("You get messages from %(page)s already") % {"page": page.name},
            body=_(
                "Somebody, probably you, asked for messages from the status page of %(page)s. "
                "You get them already.\n\n"
                "Choose what you are told, or leave:\n%(link)s\n"
            )
            % {"page": page.name, "link": f"{page.url}/subscriptions/{subscriber.token}"},
        )
