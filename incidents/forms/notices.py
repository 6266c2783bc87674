"""Where staff are told of what, and at which address somebody is reached."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from incidents.forms.fields import DeskForm
from incidents.models import NoticeChannel
from incidents.models.notices import every_kind
from incidents.values import NoticeKind, Severity
from notifications.models import Channel

_KEEP = "Leave it empty to keep the one that ends in {}."


class NoticeChannelForm(DeskForm):
    """A mailbox or a room, and what is told there. The address of a room is never shown again."""

    ids: ClassVar[str] = "channel"

    name = forms.CharField(
        label="Name", max_length=60, help_text="As your team calls it: #incidents, On-call mailbox."
    )
    channel = forms.ChoiceField(
        label="What it is",
        choices=[
            (Channel.CHAT, "A room of your chat"),
            (Channel.EMAIL, "A mailbox"),
            (Channel.WEBHOOK, "A program of yours, by signed webhook"),
        ],
        widget=forms.RadioSelect,
        initial=Channel.CHAT,
    )
    address = forms.CharField(
        label="Address",
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="An email address, or that of an incoming webhook of Slack, Mattermost, "
        "Rocket.Chat, Discord or Teams. Whoever has a webhook’s address can post with it: it is "
        "kept like a password.",
    )
    kinds = forms.MultipleChoiceField(
        label="What it hears",
        choices=NoticeKind.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=every_kind,
        error_messages={"required": "Choose at least one."},
    )
    least_severity = forms.ChoiceField(
        label="Down to which severity",
        choices=Severity.choices,
        initial=Severity.SEV4,
        help_text="It hears of incidents of this severity and of all that are graver.",
    )
    is_enabled = forms.BooleanField(label="In use", required=False)

    def __init__(self, *args: Any, row: NoticeChannel | None = None, **kwargs: Any) -> None:
        self._row = row
        if row is not None:
            named = ("name", "kinds", "least_severity", "is_enabled")
            kwargs["initial"] = {name: getattr(row, name) for name in named}
            if row.channel == Channel.EMAIL:
                kwargs["initial"]["address"] = row.address
        super().__init__(*args, **kwargs)
        if row is None:
            del self.fields["is_enabled"]
            return
        del self.fields["channel"]
        if row.channel != Channel.EMAIL:
            self.fields["address"].required = False
            self.fields["address"].help_text = _KEEP.format(row.shown_address[-4:])

    @property
    def kind(self) -> Channel:
        """Whether it is a mailbox or a room: what was chosen, or what it is."""
        return Channel(self._row.channel if self._row else self.cleaned_data["channel"])

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        chosen = self._row.channel if self._row else self.cleaned_data.get("channel")
        if chosen == Channel.EMAIL:
            try:
                validate_email(address)
            except ValidationError as fault:
                raise ValidationError(
                    "This is no email address. Write one, as in oncall@example.org.",
                    code="invalid",
                ) from fault
        return address

    def meant(self) -> dict[str, Any]:
        """Return what a channel is given, beside what it is."""
        kept = ("name", "address", "is_enabled")
        found = {name: self.cleaned_data[name] for name in kept if name in self.cleaned_data}
        return found | {
            "kinds": [NoticeKind(kind) for kind in self.cleaned_data["kinds"]],
            "least_severity": Severity(self.cleaned_data["least_severity"]),
        }


class MyAddressForm(DeskForm):
    """Where whoever is signed in is told of what concerns them."""

    ids: ClassVar[str] = "me"

    email = forms.EmailField(
        label="Your email address",
        required=False,
        max_length=254,
        help_text="You are told of what your roles and your action items ask of you, and of "
        "updates that wait for somebody to approve them.",
    )
