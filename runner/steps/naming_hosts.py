"""Keys and conditions that name hosts of the lab: who is not there is a mistake, with who was probably meant."""

from typing import Any

from runner import conditions
from runner.conditions import Condition
from runner.errors import Misplaced
from runner.model import Surroundings
from runner.reading import suggestion
from runner.values import read_text


def read_host(value: Any, around: Surroundings) -> str:
    """The name of a host of the lab."""
    name = read_text(value, around)
    _known(name, 0, around)
    return name


def known_hosts(found: tuple[Condition, ...], around: Surroundings) -> None:
    """Raise Misplaced, at its place, for a host in conditions that is not there."""
    for named in conditions.hosts_in(found):
        _known(named.name, named.column, around)


def _known(name: str, column: int, around: Surroundings) -> None:
    if around.hosts and name not in around.hosts:
        near = suggestion(name, around.hosts)
        message = f"there is no host {name!r}"
        raise Misplaced(message, column=column, length=max(1, len(name)), suggestion=near)
