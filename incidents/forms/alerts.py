"""Forms on the hooks at which monitoring speaks."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.forms.fields import ComponentsField, DeskForm
from incidents.models import AlertHook, Component
from incidents.values import AlertProvider, Severity, Visibility

_SECRET = forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"})


class PeopleField(forms.ModelMultipleChoiceField[User]):
    """Any number of people, by the names that the record shows."""

    none_yet = _("Nobody else works at the desk yet.")

    def label_from_instance(self, obj: User) -> str:
        return obj.label()


class AlertHookForm(DeskForm):
    """What a hook is called, what speaks at it, and what is made of that."""

    ids = "hook"

    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        help_text=_("It signs what it writes on timelines: “Prometheus Frankfurt”."),
    )
    provider = forms.ChoiceField(
        label=_("What speaks here"),
        choices=AlertProvider.choices,
        initial=AlertProvider.ALERTMANAGER,
        widget=forms.RadioSelect,
    )
    signing_secret = forms.CharField(
        label=_("Signing secret"),
        required=False,
        max_length=200,
        widget=_SECRET,
        help_text=_(
            "PagerDuty shows it once, when you have given it the address of this hook: come back "
            "then. For your own senders it is optional. env:NAME and file:PATH name a place where "
            "it is kept instead."
        ),
    )
    forget_secret = forms.BooleanField(label=_("Take the signing secret away"), required=False)
    severity = forms.ChoiceField(
        label=_("Severity"),
        choices=Severity.choices,
        initial=Severity.SEV2,
        help_text=_("Where an alert does not say one: critical, warning, P1."),
    )
    visibility = forms.ChoiceField(
        label=_("Who may know of the incidents"),
        choices=Visibility.choices,
        initial=Visibility.INTERNAL,
        help_text=_("A public one, too, is on the page only once you have told customers of it."),
    )
    members = PeopleField(
        label=_("Members, where they are private"),
        required=False,
        queryset=User.objects.none(),
        widget=forms.CheckboxSelectMultiple,
    )
    components = ComponentsField(
        label=_("What they are about"),
        required=False,
        queryset=Component.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Named on each incident. What customers read of them is left to you."),
    )

    def __init__(self, *args: Any, hook: AlertHook | None = None, **kwargs: Any) -> None:
        if hook is not None:
            kwargs["initial"] = {
                "name": hook.name,
                "severity": hook.severity,
                "visibility": hook.visibility,
                "members": list(hook.members.values_list("pk", flat=True)),
                "components": list(hook.components.values_list("pk", flat=True)),
            }
        super().__init__(*args, **kwargs)
        self._narrow(hook)
        components, members = self.fields["components"], self.fields["members"]
        assert isinstance(components, ComponentsField)
        assert isinstance(members, PeopleField)
        components.queryset = Component.objects.filter(is_group=False).in_tree()
        members.queryset = User.objects.filter(is_active=True, is_staff=True).order_by("username")

    def said(self) -> dict[str, Any]:
        """Return what both deeds on hooks take, under their names. Valid forms only."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "severity": Severity(data["severity"]),
            "visibility": Visibility(data["visibility"]),
            "components": [row.pk for row in data["components"]],
            "members": [row.pk for row in data["members"]],
        }

    @property
    def speaker(self) -> AlertProvider:
        """Who is to speak there. Valid forms of new hooks only."""
        return AlertProvider(self.cleaned_data["provider"])

    @property
    def secret(self) -> str | None:
        """The secret that was typed, or empty where it is to go; None: as it is. Valid forms."""
        if self.cleaned_data.get("forget_secret"):
            return ""
        return self.cleaned_data.get("signing_secret") or None

    def _narrow(self, hook: AlertHook | None) -> None:
        """Leave out what is not asked of this hook: what speaks there never changes."""
        if hook is not None:
            del self.fields["provider"]
        if hook is None or not hook.signing_secret:
            del self.fields["forget_secret"]
        else:
            # It is never shown again.
            self.fields["signing_secret"].help_text = _("There is one. Empty: it stays.")
        if hook is not None and hook.provider == AlertProvider.ALERTMANAGER:
            del self.fields["signing_secret"]
