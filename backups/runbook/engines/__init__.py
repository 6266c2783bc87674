"""What each backup tool wants, step by step, where Highwater does not do it."""
