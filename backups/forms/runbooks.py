"""What the desk asks for when staff write a section of a runbook."""

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.models import RunbookSection
from incidents.forms.fields import DeskForm

_TITLE = RunbookSection._meta.get_field("title").max_length
_BODY = RunbookSection._meta.get_field("body").max_length


class SectionForm(DeskForm):
    """A section: its title, and what it says."""

    ids = "section"

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    title = forms.CharField(label=_("Title"), max_length=_TITLE)
    body = forms.CharField(
        label=_("What it says, in markdown"),
        max_length=_BODY,
        widget=forms.Textarea(attrs={"rows": 14}),
        help_text=_(
            "Who to call, where things are, what this database needs. Lists, tables, links and "
            "code as in markdown. No passwords: say where they are."
        ),
    )

    @classmethod
    def of(cls, section: RunbookSection) -> "SectionForm":
        """Return the form with what a section says."""
        return cls(
            initial={
                "version": section.version,
                "title": section.title,
                "body": section.body,
            }
        )
