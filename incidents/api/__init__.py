"""The desk's deeds for programs: the same operations as the pages call."""
