"""Signals at the border: what customers may see has changed, and what the record must ask."""

from django.dispatch import Signal

# Sent after the commit, with incident_id (int, or None when it concerns no single incident).
public_state_changed = Signal()

# Sent after the commit when what tenants see of themselves has changed, with count (int), of how
# many. It names nobody: who hears it learns that there is something to read, not whose it is.
tenants_changed = Signal()

# Sent when a form wants a zone to begin with. Whoever knows one answers with its name, or None.
zone_wanted = Signal()
