"""Each chat reads its own form, and nobody is called who was not meant."""

import json
from typing import Any

import pytest

from notifications.chat import ChatSender, _form_for
from notifications.models import Channel, Delivery, Message
from notifications.places import place_of
from tests.sinks import Chat


def _delivery(url: str, *, subject: str = "Tours", body: str = "Look at it.") -> Delivery:
    return Delivery(
        channel=Channel.CHAT, recipient=url, message=Message(subject=subject, body=body)
    )


def _form(url: str, **words: str) -> dict[str, Any]:
    return _form_for(place_of(url))(_delivery(url, **words))


def test_a_message_reaches_a_real_server(chat: Chat) -> None:
    ChatSender().send(_delivery(chat.url()))

    (post,) = chat.posts
    assert post.headers["Content-Type"] == "application/json"
    assert json.loads(post.body) == {"text": "Tours\n\nLook at it."}


class TestForms:
    @pytest.mark.parametrize(
        "url",
        [
            "https://hooks.slack.com/services/T/B/x",
            "https://mattermost.example.org/hooks/x",
            "https://rocket.example.org/hooks/a/b",
            "https://chat.googleapis.com/v1/spaces/x/messages?key=y",
            "https://discord.com/api/webhooks/1/x/slack",
            "https://notdiscord.com/api/webhooks/1/x",
        ],
    )
    def test_most_read_a_text(self, url: str) -> None:
        assert _form(url) == {"text": "Tours\n\nLook at it."}

    @pytest.mark.parametrize("host", ["discord.com", "ptb.discord.com", "discordapp.com"])
    def test_discord_reads_a_content_and_calls_nobody(self, host: str) -> None:
        form = _form(f"https://{host}/api/webhooks/1/x", body="x" * 5000)

        assert form["allowed_mentions"] == {"parse": []}
        assert form["content"].startswith("Tours")
        assert len(form["content"]) <= 2000

    @pytest.mark.parametrize(
        "url",
        [
            "https://acme.webhook.office.com/webhookb2/x/IncomingWebhook/y/z",
            "https://prod-12.westeurope.logic.azure.com:443/workflows/x/triggers/manual?sig=y",
            "https://default1.0a.environment.api.powerplatform.com/powerautomate/x",
        ],
    )
    def test_teams_reads_a_card(self, url: str) -> None:
        form = _form(url, body="One.\n\nhttps://desk.example.org/1\n")

        (card,) = form["attachments"]
        assert form["type"] == "message"
        assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
        blocks = card["content"]["body"]
        assert [block["text"].strip() for block in blocks] == [
            "Tours",
            "One.",
            "[https://desk.example.org/1](https://desk.example.org/1)",
        ]


class TestCalls:
    @pytest.mark.parametrize(
        "words",
        ["@everyone", "hey @here", "(@channel)", "<!channel>", "<@U123>", "<#C1>", "<!here|x>"],
    )
    @pytest.mark.parametrize(
        "url",
        [
            "https://hooks.slack.com/services/T/B/x",
            "https://mattermost.example.org/hooks/x",
            "https://discord.com/api/webhooks/1/x",
        ],
    )
    def test_nobody_is_called(self, url: str, words: str) -> None:
        form = _form(url, body=words)
        text = form.get("text") or form["content"]

        for call in ("<!", "<@", "<#"):
            assert call not in text
        if "slack" not in url:
            assert words not in text
            assert text.replace("\u200b", "").endswith(words)

    def test_an_email_address_is_left_as_it_is(self) -> None:
        text = _form("https://mattermost.example.org/hooks/x", body="ada@example.org")["text"]

        assert text.endswith("ada@example.org")

    def test_slack_shows_signs_as_they_were_written(self) -> None:
        text = _form("https://hooks.slack.com/services/T/B/x", body="a < b & c > d")["text"]

        assert text.endswith("a &lt; b &amp; c &gt; d")
