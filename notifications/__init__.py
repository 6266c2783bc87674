"""Sending things: channels, and an outbox that forgets nothing."""
