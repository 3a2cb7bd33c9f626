"""What a build of a compose file left that did not come to its end: its containers, and images without a name.

The classic builder says what it makes as it goes; only that is removed, and only what bears no name. BuildKit makes
neither.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from lab.engines.docker import remove_container, saying

if TYPE_CHECKING:
    from lab.engines.docker import Client

_STEP = re.compile(r"^ ---> (?P<what>Using cache|Running in (?=[0-9a-f]{12}$)|)(?P<id>[0-9a-f]{12})?$", re.M)


def made(output: str) -> tuple[list[str], list[str]]:
    """Containers and images that a build said it made, by the beginnings of their ids; not what the cache had."""
    containers, images = [], []
    cached = False
    for step in _STEP.finditer(output):
        if step["id"] and step["what"]:
            containers.append(step["id"])
        elif step["id"] and not cached:
            images.append(step["id"])
        cached = step["what"] == "Using cache"
    return containers, images


def remove(client: Client, output: str, before: set[str]) -> None:
    """Remove what a build left that said `output`; `before` are the ids of all images before it. Raises LabError."""
    containers, images = made(output)
    for container in containers:
        remove_container(client, container)
    known = {one.removeprefix("sha256:")[:12] for one in before}
    with saying("removing what a build left"):
        for image in reversed(images):  # those made last are of the others
            with contextlib.suppress(OSError):  # gone already, or others are made of it
                told = client.inspect_image(image)  # type: ignore[no-untyped-call]
                if image not in known and not told["RepoTags"]:
                    client.remove_image(image)


def images(client: Client) -> set[str]:
    """The ids of all images, also of those without a name; raises LabError."""
    with saying("looking at the images"):
        return set(client.images(all=True, quiet=True))
