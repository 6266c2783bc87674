"""Messages by email, over one connection."""

import smtplib
from contextlib import suppress

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from notifications.errors import ServerAway, Undelivered
from notifications.models import Delivery

_TO_THE_WORLD = "django.core.mail.backends.smtp.EmailBackend"


def leaves_the_house() -> bool:
    """Whether mail goes to a mail server, and not into a folder."""
    return settings.EMAIL_BACKEND == _TO_THE_WORLD


class MailSender:
    """Sends mail. The connection is made with the first message, and then kept."""

    def __init__(self) -> None:
        self._connection = get_connection()

    def send(self, delivery: Delivery) -> None:
        """Hand one message to the mail server.

        :raises ServerAway: if the mail server cannot be reached
        :raises Undelivered: if it does not take this message
        """
        try:
            self._connection.open()
        except (smtplib.SMTPException, OSError) as fault:
            raise ServerAway(str(fault)) from fault
        message = EmailMessage(
            subject=delivery.message.subject,
            body=delivery.filled(delivery.message.body),
            to=[delivery.recipient],
            headers={"Auto-Submitted": "auto-generated"}
            | {
                name: delivery.filled(value)
                for name, value in delivery.message.headers.items()
                if name != "type"
            },
            connection=self._connection,
        )
        try:
            message.send()
        except smtplib.SMTPServerDisconnected as fault:
            raise ServerAway(str(fault)) from fault
        except (smtplib.SMTPException, OSError, ValueError) as fault:
            # ValueError: Django refuses headers that would forge others.
            raise Undelivered(str(fault)) from fault

    def close(self) -> None:
        with suppress(smtplib.SMTPException, OSError):
            self._connection.close()
