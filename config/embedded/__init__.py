"""The servers that the embedded default brings along under var/, and their supervisor."""
