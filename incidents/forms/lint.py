"""Deciding about a finding of the lint."""

from django import forms


class DismissForm(forms.Form):
    """Which finding may stand, and why."""

    code = forms.SlugField(max_length=60)
    # A finding may be about each of a thousand entries.
    subject = forms.CharField(max_length=100_000, required=False)
    reason = forms.CharField(max_length=1000, label="Why it may stand")
