"""The forms of a postmortem that is written here, and of one that comes back from an export."""

from django import forms
from django.utils.translation import gettext_lazy as _

from incidents.account import BLOCKS, INLINE
from incidents.forms.fields import DeskForm
from incidents.values import Visibility

_HELP = "Markdown. References are read from the record: " + ", ".join(
    f"{{{{{name}}}}}" for name in (*BLOCKS, *INLINE)
)
_LONGEST = 100_000


class SectionForm(DeskForm):
    """What a section says, and which version of it was read."""

    ids = "section"

    title = forms.CharField(label=_("Title"), max_length=140)
    body = forms.CharField(
        label=_("Text"),
        required=False,
        max_length=_LONGEST,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18}),
        help_text=f"{_HELP}.",
    )
    is_public = forms.BooleanField(
        label=_("For customers"),
        required=False,
        help_text=_("They read it once the postmortem is published."),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)


class NewSectionForm(DeskForm):
    """A section of one's own."""

    ids = "new-section"

    title = forms.CharField(label=_("Title"), max_length=140)


class ReturnForm(DeskForm):
    """Why a postmortem is given back."""

    ids = "return"

    reason = forms.CharField(label=_("Why"), max_length=200)


class AccountForm(DeskForm):
    """An account that was exported here, and comes back."""

    ids = "account"

    text = forms.CharField(widget=forms.HiddenInput, strip=False)
    source_name = forms.CharField(widget=forms.HiddenInput, required=False, max_length=300)
    visibility = forms.ChoiceField(label=_("Who may know of it"), choices=Visibility.choices)
