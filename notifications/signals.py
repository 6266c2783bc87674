"""Signals at the border: whoever gave the outbox a token hears what became of its messages."""

from django.dispatch import Signal

# Sent in the transaction in which a delivery with a token is given up, with token, reason (a
# sentence that may be shown) and at.
came_back = Signal()
