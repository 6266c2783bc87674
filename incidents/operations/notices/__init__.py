"""Telling staff: what happened, what falls due, and to whom it is told."""

from incidents.operations.notices.channels import (
    ChannelNameTaken,
    NothingArrived,
    UnfitAddress,
    add_notice_channel,
    edit_notice_channel,
    remove_notice_channel,
    renew_signing_key,
    try_notice_channel,
)
from incidents.operations.notices.reminding import remind_of_promises

__all__ = [
    "ChannelNameTaken",
    "NothingArrived",
    "UnfitAddress",
    "add_notice_channel",
    "edit_notice_channel",
    "remind_of_promises",
    "remove_notice_channel",
    "renew_signing_key",
    "try_notice_channel",
]
