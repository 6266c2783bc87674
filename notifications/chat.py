"""Messages into rooms of a chat, by its incoming webhooks, each in the form that its kind reads."""

import json
import re
from collections.abc import Callable
from typing import Any

from notifications import guarded
from notifications.models import Delivery
from notifications.places import Place, place_of

_TEAMS = (".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com")
_DISCORD = ("discord.com", "discordapp.com")
_SLACK = ("slack.com", "slack-gov.com")
_MOST_IN_DISCORD = 2000
_MOST = 12_000

# What calls people, wherever it stands: @everyone, <!channel>, <@U123>. A space of no width behind
# its sign leaves the words as they were, and calls nobody.
_CALL = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#])")
_UNSEEN = "\u200b"
_LINK = re.compile(r"^https?://\S+$", re.MULTILINE)


class ChatSender:
    """Sends to chats, each message over a connection of its own."""

    def send(self, delivery: Delivery) -> None:
        """Post one message into a room.

        :raises Undelivered: if it was not taken
        """
        place = place_of(delivery.recipient)
        guarded.post(
            delivery.recipient,
            body=json.dumps(_form_for(place)(delivery), ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json"},
        )

    def close(self) -> None:
        """There is nothing to close."""


def _form_for(place: Place) -> Callable[[Delivery], dict[str, Any]]:
    """Return the form that is read at this place."""
    if _is_at(place, _DISCORD) and not place.target.partition("?")[0].endswith("/slack"):
        return _for_discord
    if place.host.endswith(_TEAMS):
        return _for_teams
    return _for_slack if _is_at(place, _SLACK) else _for_others


def _is_at(place: Place, hosts: tuple[str, ...]) -> bool:
    return any(place.host == host or place.host.endswith(f".{host}") for host in hosts)


def _for_slack(delivery: Delivery) -> dict[str, Any]:
    text = _text(delivery, _MOST)
    # Slack's own way to say that nothing in it is meant as a command.
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, written)
    return {"text": text}


def _for_others(delivery: Delivery) -> dict[str, Any]:
    """Mattermost, Rocket.Chat, Google Chat, and whatever else reads Slack's form."""
    return {"text": _calling_nobody(_text(delivery, _MOST))}


def _for_discord(delivery: Delivery) -> dict[str, Any]:
    content = _calling_nobody(_text(delivery, _MOST_IN_DISCORD // 2))[:_MOST_IN_DISCORD]
    return {"content": content, "allowed_mentions": {"parse": []}}


def _for_teams(delivery: Delivery) -> dict[str, Any]:
    """Return a card, as the workflows read it that have taken the place of connectors."""
    blocks = [
        {"type": "TextBlock", "text": delivery.message.subject, "weight": "Bolder", "wrap": True},
        *(
            # Teams makes no links of addresses by itself.
            {"type": "TextBlock", "text": _LINK.sub(r"[\g<0>](\g<0>)", lines), "wrap": True}
            for lines in delivery.filled(delivery.message.body)[:_MOST].split("\n\n")
            if lines.strip()
        ),
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def _text(delivery: Delivery, most: int) -> str:
    text = f"{delivery.message.subject}\n\n{delivery.filled(delivery.message.body)}".strip()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _calling_nobody(text: str) -> str:
    return _CALL.sub(lambda found: found[0] + _UNSEEN, text)
