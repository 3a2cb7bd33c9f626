"""Requests out to all agents, replies and timers back: the stage's one place to wait.

Knows channels and the clock, and nothing of steps: every request and every timer carries a token, which comes
back with what happened.
"""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lab.channel import Channel

Token = TypeVar("Token")


@dataclass(frozen=True)
class Event(Generic[Token]):
    """Something that came: a message of an agent, or (with `message` None) a timer."""

    token: Token
    message: dict[str, Any] | None

    @property
    def is_notice(self) -> bool:
        """Whether the agent says that a call fell asleep; its reply is still to come."""
        return self.message is not None and "syscall" in self.message


class Exchange(Generic[Token]):
    """The channels of a lab, polled together."""

    def __init__(self, channels: dict[str, Channel]) -> None:
        self._channels = channels
        self._hosts = {channel.fileno(): host for host, channel in channels.items()}
        self._poll = select.poll()  # not select(2): descriptors of large labs are beyond its 1024
        for descriptor in self._hosts:
            self._poll.register(descriptor, select.POLLIN)
        self._asked: dict[tuple[str, int], Token] = {}
        self._timers: list[tuple[float, int, Token]] = []
        self._counter = itertools.count()

    def post(self, host: str, request: dict[str, Any], token: Token) -> int:
        """Send a request; its notice and its reply will come with `token`. Raises HostGone."""
        identifier = self._channels[host].post(request)
        self._asked[host, identifier] = token
        return identifier

    def leave(self, host: str) -> list[Token]:
        """Have no more to do with a host that has ended; the tokens of its requests that were never answered."""
        if self._channels.pop(host, None) is None:
            return []
        descriptor = next(one for one, name in self._hosts.items() if name == host)
        self._poll.unregister(descriptor)
        del self._hosts[descriptor]
        return [self._asked.pop(key) for key in list(self._asked) if key[0] == host]

    def join(self, host: str, channel: Channel) -> None:
        """Have to do with a host again that has begun anew."""
        self._channels[host] = channel
        self._hosts[channel.fileno()] = host
        self._poll.register(channel.fileno(), select.POLLIN)

    def wake(self, at_s: float, token: Token) -> None:
        """Have `token` come back at a time of the monotonic clock, in seconds."""
        heapq.heappush(self._timers, (at_s, next(self._counter), token))

    def unanswered(self) -> list[Token]:
        """The tokens of requests that have no reply yet, oldest first."""
        return list(self._asked.values())

    def wait(self, deadline_s: float) -> list[Event[Token]]:
        """What has come; waits for something until the deadline (monotonic seconds). Raises HostGone."""
        events = self._queued()
        if events:
            return events
        until_s = min(deadline_s, self._timers[0][0]) if self._timers else deadline_s
        for descriptor, _ in self._poll.poll(max(0.0, (until_s - time.monotonic()) * 1000)):
            host = self._hosts[descriptor]
            events += self._events(host, self._channels[host].receive())
        return events + self._rung()

    def _queued(self) -> list[Event[Token]]:
        """Messages that a channel read while somebody waited there for another one."""
        return [
            event
            for host, channel in self._channels.items()
            for event in self._events(host, channel.queued())
        ]

    def _events(self, host: str, messages: Iterable[dict[str, Any]]) -> list[Event[Token]]:
        events = []
        for message in messages:
            key = (host, message.get("id", -1))
            if key in self._asked:
                event = Event(self._asked[key], message)
                events.append(event)
                if not event.is_notice:
                    del self._asked[key]
        return events

    def _rung(self) -> list[Event[Token]]:
        events: list[Event[Token]] = []
        while self._timers and self._timers[0][0] <= time.monotonic():
            events.append(Event(heapq.heappop(self._timers)[2], None))
        return events
