"""Fixtures for the whole house. The settings have started PostgreSQL already."""

import signal

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would all that
# they start: the tests that press it need it to arrive.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.servers",
    "tests.protected",
    "tests.lives",
    "tests.sinks",
    "tests.backups.archives",
]
