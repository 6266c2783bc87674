"""The story that the demo plays: a cluster is lost, and comes back while customers watch."""
