"""Settings: base is read top to bottom; each overlay gives the values that differ."""
