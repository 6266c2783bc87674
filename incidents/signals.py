"""The one signal at the border: something that customers may see has changed."""

from django.dispatch import Signal

# Sent after the commit, with incident_id (int, or None when it concerns no single incident).
public_state_changed = Signal()

# Sent after the commit when what tenants see of themselves has changed, with count (int), of how
# many. It names nobody: who hears it learns that there is something to read, not whose it is.
tenants_changed = Signal()
