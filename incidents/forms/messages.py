"""Forms with words for customers: filled in from a template, watched for blanks, sent or not."""

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import ComponentsField, ComponentsForm, DeskForm
from incidents.models import Component, MessageTemplate
from incidents.values import ComponentStatus, Phase, Severity, TemplateKind

# What templates leave to be filled in: [time], {component}. A link of Markdown is none.
_BLANK = re.compile(r"\[[^\[\]\n]{1,60}\](?!\()|\{[^{}\n]{1,60}\}")
_WORDS = ("title", "body")
# A template with more is no template.
_MOST_BLANKS = 20
_LONGEST_FILLING = 300


def blanks_in(text: str) -> list[str]:
    """Return the blanks that a text still holds, each once."""
    return list(dict.fromkeys(_BLANK.findall(text)))


def blank_name(blank: str) -> str:
    """Return the name of the field in which a blank is filled in: the same for the same words."""
    return f"blank_{blake2b(blank.encode(), digest_size=4).hexdigest()}"


class MessageForm(ComponentsForm):
    """A form with words for customers. Each blank that they hold has a field of its own.

    What is typed there takes its place; the words may as well be changed by hand.
    """

    template_kind: ClassVar[TemplateKind] = TemplateKind.UPDATE

    template = forms.ChoiceField(label=_("Start from a template"), required=False)
    quiet = forms.BooleanField(
        label=_("Send no messages about it"),
        required=False,
        help_text=_("It goes on the status page all the same."),
    )
    as_it_is = forms.BooleanField(label=_("Send it with the brackets as they are"), required=False)

    def __init__(self, *args: Any, may_have_blanks: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.may_have_blanks = may_have_blanks
        self.has_blanks = False
        found = MessageTemplate.objects.filter(kind=self.template_kind).order_by("name")
        self._templates = {str(template.pk): template for template in found}
        choice = self.fields["template"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [
            ("", gettext("None")), *((pk, row.name) for pk, row in self._templates.items())
        ]  # fmt: skip
        self.ask_for_blanks()

    @property
    def has_templates(self) -> bool:
        return bool(self._templates)

    def fill(self, typed: Mapping[str, Any]) -> bool:
        """Show again what was typed, with the template that it names in what was left empty.

        Words of another template count as left empty. Whether the words of the template were
        taken; they are not where other words stand. Unbound forms only.
        """
        self.initial.update({name: typed[name] for name in self.fields if name in typed})
        self.initial.update({name: name in typed for name in ("quiet", "as_it_is")})
        chosen = self._templates.get(str(typed.get("template", "")))
        if chosen is None:
            return True
        for name in ("phase", "severity"):
            if name in self.fields and getattr(chosen, name):
                self.initial[name] = getattr(chosen, name)
        for pk in chosen.components.values_list("pk", flat=True):
            if not typed.get(f"component_{pk}"):
                self.initial[f"component_{pk}"] = chosen.component_status
        taken = [self._fill_words(name, chosen, typed) for name in _WORDS]
        self.ask_for_blanks()
        return all(taken)

    def ask_for_blanks(self) -> None:
        """Give each blank of the words that the form shows a field of its own."""
        # Not from the bound fields: they remember with what they began.
        shows = self.data if self.is_bound else self.initial
        shown = [str(shows.get(name) or "") for name in _WORDS if name in self.fields]
        self._blanks = list(dict.fromkeys(blank for text in shown for blank in blanks_in(text)))
        for blank in self._blanks[:_MOST_BLANKS]:
            self.fields[blank_name(blank)] = forms.CharField(
                label=blank.strip("[]{}"), required=False, max_length=_LONGEST_FILLING
            )

    def blank_fields(self) -> Iterator[forms.BoundField]:
        """Yield the fields of the blanks, in the order of the words."""
        return (self[blank_name(blank)] for blank in self._blanks[:_MOST_BLANKS])

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self._fill_blanks()
        if not self.may_have_blanks and not self.cleaned_data.get("as_it_is"):
            for name in _WORDS:
                if blanks := blanks_in(self.cleaned_data.get(name) or ""):
                    self.has_blanks = True
                    self.add_error(
                        name,
                        gettext("This still holds %s. Fill it in, or say that it is meant so.")
                        % ", ".join(blanks),
                    )
        return cleaned

    def _fill_blanks(self) -> None:
        """Put what was typed for the blanks in their places."""
        for name in _WORDS:
            if text := self.cleaned_data.get(name):
                filled = _BLANK.sub(self._filling, text)
                longest = getattr(self.fields[name], "max_length", None)
                if longest is not None and len(filled) > longest:
                    words = gettext("With its blanks filled in, this is longer than %d.")
                    self.add_error(name, words % longest)
                else:
                    self.cleaned_data[name] = filled

    def _filling(self, blank: re.Match[str]) -> str:
        typed: str = self.cleaned_data.get(blank_name(blank[0]), "")
        return typed.strip() or blank[0]

    def _fill_words(self, name: str, chosen: MessageTemplate, typed: Mapping[str, Any]) -> bool:
        prepared = getattr(chosen, name)
        if name not in self.fields or not prepared:
            return True
        stands = str(typed.get(name, "")).replace("\r\n", "\n").strip()
        others = {getattr(row, name).strip() for row in self._templates.values()}
        if stands and stands not in others:
            return False
        self.initial[name] = prepared
        return True


class MessageTemplateForm(DeskForm):
    """Words that are prepared for later."""

    ids = "prepared"

    name = forms.CharField(
        label=_("Name of the template"),
        max_length=60,
        help_text=_("What it is chosen by: “Storage is slow”."),
    )
    title = forms.CharField(
        label=_("Title of the incident"),
        required=False,
        max_length=140,
    )
    body = forms.CharField(
        label=_("Message to customers"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_(
            "Put what is not known yet into brackets: “since [time]”. Whoever posts it is asked "
            "to fill that in."
        ),
    )
    phase = forms.ChoiceField(
        label=_("Phase"),
        required=False,
        choices=[
            ("", _("As it is")),
            *(choice for choice in Phase.choices if choice[0] != Phase.RESOLVED),
        ],
    )
    severity = forms.ChoiceField(
        label=_("Severity"), required=False, choices=[("", _("Not said")), *Severity.choices]
    )
    components = ComponentsField(
        label=_("What suffers"),
        required=False,
        queryset=Component.objects.none(),
        widget=forms.CheckboxSelectMultiple,
    )
    component_status = forms.ChoiceField(
        label=_("How it suffers"),
        required=False,
        choices=[("", _("Not said")), *ComponentStatus.choices],
    )

    def __init__(self, *args: Any, kind: TemplateKind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        for name in ("title", "severity") if kind == TemplateKind.UPDATE else ("phase",):
            del self.fields[name]
        components = self.fields["components"]
        assert isinstance(components, ComponentsField)
        components.queryset = Component.objects.filter(is_group=False).in_tree()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("components") and not self.cleaned_data.get("component_status"):
            self.add_error("component_status", gettext("Say how these components suffer."))
        return cleaned

    def meant(self) -> dict[str, Any]:
        """Return what the operations take. Valid forms only."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "title": data.get("title", ""),
            "body": data["body"],
            "phase": Phase(data["phase"]) if data.get("phase") else None,
            "severity": Severity(data["severity"]) if data.get("severity") else None,
            "components": [row.pk for row in data["components"]],
            "component_status": (
                ComponentStatus(data["component_status"]) if data["component_status"] else None
            ),
        }
