"""What the lint found, and a person has decided about."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5

from incidents.models.incident import Incident


class LintDismissal(models.Model):
    """A finding of the lint that a person has decided about, and why.

    ``subject`` names what it is about: rows such as ``entry:12 entry:14``, or lines of the imported
    document. The same code about other rows is another finding.
    """

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="lint_dismissals")
    code = models.CharField(max_length=60)
    subject = models.TextField(blank=True)
    reason = models.TextField()
    evidence = models.TextField(blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    dismissed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="lintdismissal_has_a_reason", condition=~Q(reason="")),
            # By digest: a finding about a thousand actions names them all, and an index entry
            # holds no such text.
            models.UniqueConstraint(
                "incident", "code", MD5("subject"), name="lintdismissal_is_unique_a_finding"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"
