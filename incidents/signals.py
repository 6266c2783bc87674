"""The one signal at the border: something that customers may see has changed."""

from django.dispatch import Signal

# Sent after the commit, with incident_id (int, or None when it concerns no single incident).
public_state_changed = Signal()
