"""People."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Somebody who signs in to the desk."""

    def label(self) -> str:
        """Return the name that the record shows for this person."""
        return self.get_full_name() or self.username
