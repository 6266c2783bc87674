"""The desk's own writing of fields says what Django's templates say."""

import re

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates

from incidents.forms.rendering import DeskRenderer

_ODD = '<i> & "quoted" {braces} %s'


class _Everything(forms.Form):
    words = forms.CharField(
        max_length=9, help_text="x", widget=forms.TextInput(attrs={"type": "search", "x": False})
    )
    hidden = forms.CharField(widget=forms.HiddenInput)
    count = forms.IntegerField(min_value=1, required=False)
    day = forms.DateField(required=False)
    moment = forms.DateTimeField(widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    told = forms.BooleanField(required=False)
    text = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    choice = forms.ChoiceField(
        choices=[("", "None"), (_ODD, _ODD), ("{}", [("b", "B"), ("c", _ODD)])]
    )
    several = forms.MultipleChoiceField(
        choices=[(1, "one"), (2, _ODD), ("{}", [(3, "three")])],
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "wide"}),
    )
    one = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    mail = forms.EmailField(required=False)
    file = forms.FileField(required=False)


_DATA = {
    "words": _ODD, "hidden": "", "count": "12", "day": "2026-01-12", "moment": "\0", "told": "on",
    "text": f"\n{_ODD}\n", "choice": "c", "several": ["2", "3"], "one": "b", "mail": "'",
}  # fmt: skip


def _squeezed(written: str) -> str:
    # Django's templates break lines between tags, and behind an option's box.
    return re.sub(r">\n (?=\S)", "> ", re.sub(r">\s+<", "><", written))


@pytest.mark.parametrize("data", [None, {}, _DATA], ids=["unbound", "empty", "filled"])
def test_a_field_is_written_as_django_writes_it(data: dict[str, object] | None) -> None:
    initial = {"words": _ODD, "several": [1]} if data is None else {}
    theirs = _Everything(data, initial=initial, renderer=DjangoTemplates())
    ours = _Everything(data, initial=initial, renderer=DeskRenderer())

    for field in ours:
        assert _squeezed(str(field)) == _squeezed(str(theirs[field.name])), field.name
        assert str(field.errors) == str(theirs[field.name].errors)
