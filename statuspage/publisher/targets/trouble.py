"""How a push ends early."""


class TargetFailed(Exception):
    """The target did not take what it was sent. The message is a sentence for staff."""


class OutOfTime(Exception):
    """There is more to bring than fits into one go. The next one continues."""


class NoLongerWanted(Exception):
    """The target was removed or switched off meanwhile."""
