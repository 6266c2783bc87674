"""What an operation may answer instead of doing the deed."""

from typing import ClassVar


class Refused(Exception):
    """An anticipated answer: its sentence may be shown, and says what to do.

    ``code`` is stable and made for programs; ``str()`` is the sentence, made for people.
    ``where`` is the address of what stands in the way, for those who may look at it.
    """

    code: ClassVar[str] = "refused"
    # A sentence, or one that is translated when it is asked for.
    message: ClassVar[object] = "This cannot be done."

    def __init__(self, message: str = "", *, where: str = "") -> None:
        super().__init__(message or str(self.message))
        self.where = where
