"""What customers, and staff for them, are asked about messages."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm
from incidents.models import Component
from notifications.models import Channel
from statuspage.models import Language, Pace, Subscriber
from statuspage.subscribing import Wish


class ChoicesForm(DeskForm):
    """What somebody wants to be told."""

    ids = "choices"

    components = forms.MultipleChoiceField(
        label=_("Parts of the service"),
        required=False,
        help_text=_("Choose none to hear of all of them. A group stands for everything in it."),
        widget=forms.CheckboxSelectMultiple,
    )
    pace = forms.ChoiceField(
        label=_("How often"), choices=Pace, initial=Pace.EVERY, widget=forms.RadioSelect
    )
    hears_of_maintenance = forms.BooleanField(
        label=_("Planned maintenance, too"), required=False, initial=True
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=[("", _("That of the page")), *Language.choices],
        required=False,
    )

    def __init__(self, components: Sequence[Component], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ids = {part.public_id: part.pk for part in components}
        if components:
            self.fields["components"].choices = _in_groups(components)  # type: ignore[attr-defined]
        else:
            del self.fields["components"]

    @staticmethod
    def said_by(subscriber: Subscriber) -> dict[str, Any]:
        """Return what the form begins with for somebody who chose before."""
        return {
            "components": list(subscriber.components.values_list("public_id", flat=True)),
            "pace": subscriber.pace,
            "hears_of_maintenance": subscriber.hears_of_maintenance,
            "language": subscriber.language,
        }

    def meant(self) -> dict[str, Any]:
        """Return what the deed takes. Valid forms only."""
        data = self.cleaned_data
        return {
            "component_ids": [self._ids[public_id] for public_id in data.get("components", ())],
            "pace": Pace(data["pace"]),
            "hears_of_maintenance": data["hears_of_maintenance"],
            "language": data["language"],
        }


class FollowForm(ChoicesForm):
    """What somebody wants to be told, and where."""

    ids = "follow"

    channel = forms.ChoiceField(
        label=_("Send messages"),
        choices=[
            (Channel.EMAIL, _("by email")),
            (Channel.CHAT, _("into a chat: Slack, Teams, Discord, Mattermost")),
            (Channel.WEBHOOK, _("to a program, as signed webhooks")),
        ],
        initial=Channel.EMAIL,
        widget=forms.RadioSelect,
    )
    email = forms.EmailField(
        label=_("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("We ask you there to confirm. For a webhook: whom we write to if it fails."),
    )
    endpoint = forms.CharField(
        label=_("Address of the webhook"),
        required=False,
        max_length=1000,
        help_text=_("Only for a chat or a program. It begins with https:// and stays secret."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("channel", "email", "endpoint")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("channel") == Channel.EMAIL:
            data["endpoint"] = ""
        elif not data.get("endpoint") and "endpoint" not in self.errors:
            raise ValidationError({"endpoint": _("Give the address to which we post.")})
        return data

    def wish(self, *, incident_id: int | None = None) -> Wish:
        """Return what is wished. Valid forms only."""
        data = self.cleaned_data
        return Wish(
            channel=Channel(data["channel"]),
            email=data["email"],
            endpoint=data["endpoint"],
            incident_id=incident_id,
            **self.meant(),
        )


class VouchForm(FollowForm):
    """The same, for somebody whom staff vouch for."""

    ids = "vouch"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        email = self.fields["email"]
        email.required = False
        email.widget.attrs["autocomplete"] = "off"
        email.help_text = (
            "You vouch that they want it: nobody is asked to confirm. "
            "Every message has a link to leave."
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("channel") == Channel.EMAIL and not data.get("email"):
            self.errors.setdefault("email", self.error_class(["Give an email address."]))
        return data


def _in_groups(components: Iterable[Component]) -> list[tuple[str, Any]]:
    """Return choices: groups with their members behind them, as the page has them."""
    found: list[tuple[str, Any]] = []
    for part in components:
        mark = "— " if part.group_id else ""
        found.append((part.public_id, f"{mark}{part.name}"))
    return found
