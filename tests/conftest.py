"""What all tests share."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# How long an example takes is the machine's affair.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", _UNHURRIED, max_examples=100)
settings.register_profile("brief", _UNHURRIED, max_examples=15)  # for `make check`
settings.load_profile("thorough")


def pytest_configure() -> None:
    """Let Ctrl-C work in the runners that tests start: a shell's background jobs inherit that it is ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
