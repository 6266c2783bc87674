"""What people may say of themselves."""

from accounts.models import User


def set_address(*, user_id: int, email: str) -> None:
    """Keep at which address somebody is told of what concerns them; empty for none."""
    User.objects.filter(pk=user_id).update(email=email)
