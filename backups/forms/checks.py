"""What the desk asks for of checks in SQL, and before a restore is opened all the same."""

from typing import Any, Self

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.models import CheckDepth, Database, Tenant, VerificationCheck
from incidents.forms.fields import DeskForm


class CheckForm(DeskForm):
    """A question that is asked of what comes back."""

    ids = "check"

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("As in: freshest order; no order without rows.")
    )
    sql = forms.CharField(
        label=_("Question, in SQL"),
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "words"}),
        help_text=_(
            "One SELECT with one value. True passes, false and null fail; any other value is shown."
        ),
    )
    tenant = forms.ModelChoiceField(
        label=_("Asked of"),
        queryset=Tenant.objects.none(),
        required=False,
        empty_label=_("Every tenant's database"),
    )

    def __init__(self, *args: Any, database: Database, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._field("tenant").queryset = database.tenants.order_by("public_code")

    @classmethod
    def of(cls, check: VerificationCheck) -> Self:
        """Return the form as the check is now."""
        initial = {"name": check.name, "sql": check.sql, "tenant": check.tenant_id}
        return cls(initial=initial, database=check.database)

    @property
    def tenant_id(self) -> int | None:
        """The tenant that was chosen; None for all. Valid forms only."""
        tenant: Tenant | None = self.cleaned_data["tenant"]
        return tenant.pk if tenant is not None else None

    def _field(self, name: str) -> Any:
        return self.fields[name]


class DepthForm(DeskForm):
    """How much of a cluster is read before it is opened."""

    ids = "depth"

    depth = forms.ChoiceField(
        label=_("How much is read"), choices=CheckDepth.choices, widget=forms.RadioSelect
    )


class AcceptForm(DeskForm):
    """Why a restore is opened although checks have failed."""

    ids = "accept"

    because = forms.CharField(
        label=_("Why"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Goes on the incident's timeline, where customers do not see it."),
    )
