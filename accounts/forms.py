"""What people fill in about themselves."""

from datetime import datetime, timedelta

from django import forms

_DAYS = [("", "Never"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year")]


class TokenForm(forms.Form):
    """A new key: what it is for, and how long it opens anything."""

    name = forms.CharField(
        max_length=80,
        help_text="The program that will use it: “deploy bot”, “Terraform”.",
        widget=forms.TextInput(attrs={"class": "field__input", "autocomplete": "off"}),
    )
    lasts = forms.ChoiceField(
        label="Expires",
        choices=_DAYS,
        required=False,
        widget=forms.Select(attrs={"class": "field__input"}),
    )

    def expires_at(self, *, at: datetime) -> datetime | None:
        """Return when the key stops opening anything. Only once it is valid."""
        days = self.cleaned_data["lasts"]
        return at + timedelta(days=int(days)) if days else None
