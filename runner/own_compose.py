"""What a scenario says of a compose file of somebody's own (`lab: {compose: FILE}`), held to what that file says.

Told is what the file itself tells: its services, and the networks of each. What it leaves open (files that it brings
in, names filled in from the environment, profiles, its very notation) is compose's to say, when it is brought up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from lab.topology import Host, Topology
from runner import files
from runner.reading import DEEPEST, LARGEST_FILE, AnyNode, Document, ListNode, MapNode, Text, suggestion

DEFAULT = "default"
"""The network of services that name none (Compose Specification, "The default network")."""


@dataclass(frozen=True)
class ComposeFile:
    """The services of a compose file, each with its networks, or None where the file does not tell them; and all
    networks that it has."""

    services: Mapping[str, tuple[str, ...] | None]
    networks: tuple[str, ...]


def named(root: MapNode, topology: Topology, document: Document, folder: Path) -> Path | None:
    """The compose file that `lab` names, or None; mistakes go to the document.

    What that file says itself no host and no network may say.
    """
    node = root.get("lab")
    if not isinstance(node, MapNode):
        return None
    value = node.get("compose")
    if len(node.pairs) != 1 or not isinstance(value, Text):
        document.mistake(node, "lab has one key, compose, and a file is its value")
        return None
    file = _beside(value, document, folder)
    if file is None:
        return None
    hosts = _hosts(root.get("hosts"))
    for host in topology.hosts:
        long = hosts.get(host.name, (None, None))[1]
        says_networks = isinstance(long, MapNode) and long.get("networks") is not None
        if says_networks or replace(host, capabilities=None, user=None, environment={}) != Host(host.name):
            said = f"what host {host.name} is says {file.name}; here are capabilities, user and env only"
            document.mistake(node, said)
    networks = root.get("networks")
    _check_sizes(networks, document, file.name)
    told = read(file)
    if told is not None:
        _check_services({name: key for name, (key, _) in hosts.items()}, document, told)
        _check_networks(networks, document, told)
    return file


def _beside(value: Text, document: Document, folder: Path) -> Path | None:
    """The file, which is in the scenario's folder, as all that a scenario brings in."""
    try:
        folder = folder.resolve()
        file = (folder / value.text).resolve()
        if not file.is_relative_to(folder):
            document.mistake(value, f"{value.text} is outside of the scenario's folder")
        elif not file.exists():
            document.mistake(value, f"there is no compose file {value.text!r} beside the scenario")
        else:
            files.check(file)
            return file
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        document.mistake(value, f"{value.text} cannot be read: {reason}")
    return None


# What the scenario says -----------------------------------------------------------------------------


def _hosts(node: AnyNode | None) -> dict[str, tuple[Text, AnyNode | None]]:
    """The hosts by name: where each stands, and what is said about it."""
    if isinstance(node, MapNode):
        return {key.text: (key, value) for key, value in node.pairs}
    items = node.items if isinstance(node, ListNode) else ()
    return {one.text: (one, None) for one in items if isinstance(one, Text)}


def _check_sizes(node: AnyNode | None, document: Document, called: str) -> None:
    for name, network in node.pairs if isinstance(node, MapNode) else ():
        for key, _ in network.pairs if isinstance(network, MapNode) else ():
            if key.text in ("mtu", "subnet4", "subnet6"):
                document.mistake(
                    key, f"the {key.text} of network {name.text} is for {called} to say, not here"
                )


def _check_services(hosts: Mapping[str, Text], document: Document, told: ComposeFile) -> None:
    for name, place in hosts.items():
        if name not in told.services:
            there = ", ".join(sorted(told.services)) or "none"
            near = suggestion(name, told.services)
            document.mistake(place, f"the compose file has no service {name}; it has: {there}", suggest=near)


def _check_networks(node: AnyNode | None, document: Document, told: ComposeFile) -> None:
    for name, network in node.pairs if isinstance(node, MapNode) else ():
        if name.text not in told.networks:
            there = ", ".join(told.networks)
            near = suggestion(name.text, told.networks)
            document.mistake(
                name, f"the compose file has no network {name.text}; it has: {there}", suggest=near
            )
            continue
        members = network.get("hosts") if isinstance(network, MapNode) else network
        for one in members.items if isinstance(members, ListNode) else ():
            on = told.services.get(one.text) if isinstance(one, Text) else None
            if isinstance(one, Text) and on is not None and name.text not in on:
                document.mistake(
                    one, f"service {one.text} is not on network {name.text}; it is on: {', '.join(on)}"
                )


# What the compose file says -------------------------------------------------------------------------


def read(file: Path) -> ComposeFile | None:
    """What a compose file tells of its services; None where it cannot be read, or does not tell all of them."""
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
        root = _tree(data.decode("utf-8-sig")) if len(data) <= LARGEST_FILE else None
    except (OSError, ValueError, yaml.YAMLError):
        return None
    services = _entry(root, "services")
    if not isinstance(services, dict) or "<<" in services or _entry(root, "include") is not None:
        return None
    defined = _entry(root, "networks")
    names = {DEFAULT: DEFAULT, **(_network_names(defined) if isinstance(defined, dict) else {})}
    if None in names.values():
        return None
    told = {name: _networks_of(service, names) for name, service in services.items()}
    used = any(on is None or DEFAULT in on for on in told.values())
    networks = [str(name) for name in names.values() if name != DEFAULT or used]
    return ComposeFile(told, tuple(dict.fromkeys(networks)))


def _network_names(defined: Mapping[str, Any]) -> dict[str, str | None]:
    """How each network is called in a lab: as in the file, but one from elsewhere as Docker calls it."""
    found: dict[str, str | None] = {}
    for key, network in defined.items():
        external = _entry(network, "external")
        outside = isinstance(external, dict) or external in ("true", "yes", "on", "True")
        name = (_entry(external, "name") or _entry(network, "name") or key) if outside else key
        found[key] = name if isinstance(name, str) and "$" not in name and key != "<<" else None
    return found


def _networks_of(service: Any, names: Mapping[str, str | None]) -> tuple[str, ...] | None:
    if not isinstance(service, dict) or any(_entry(service, key) for key in ("extends", "network_mode")):
        return None
    networks = _entry(service, "networks")
    if networks is None:
        networks = [DEFAULT]
    if not isinstance(networks, (dict, list)):
        return None
    found = [names.get(one) if isinstance(one, str) else None for one in networks]
    on = tuple(one for one in found if one is not None)
    return on if len(on) == len(found) else None


def _entry(node: Any, key: str) -> Any:
    """The value of a map's key, or of a map that is merged into it (`<<`); None where there is none."""
    todo, seen = deque([node]), set()
    while todo:
        one = todo.popleft()
        if not isinstance(one, dict) or id(one) in seen:
            continue
        seen.add(id(one))
        if key in one:
            return one[key]
        merged = one.get("<<")
        todo.extend(merged if isinstance(merged, list) else [merged])
    return None


def _tree(text: str) -> Any:
    """Maps, lists and texts. What `*` names is the same object again, so nothing grows.

    Raises YAMLError, and ValueError where it nests too deep.
    """
    top: list[Any] = []
    anchors: dict[str, Any] = {}
    unfinished: list[tuple[Any, list[Any]]] = [(top, top)]
    for event in yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
        made: Any = None
        match event:
            case yaml.AliasEvent():
                unfinished[-1][1].append(anchors.get(str(event.anchor)))
                continue
            case yaml.ScalarEvent():
                made = event.value
            case yaml.SequenceStartEvent():
                made = []
            case yaml.MappingStartEvent():
                made = {}
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                whole, parts = unfinished.pop()
                if isinstance(whole, dict):
                    pairs = zip(parts[::2], parts[1::2], strict=True)
                    whole.update((key, value) for key, value in pairs if isinstance(key, str))
                continue
            case _:
                continue
        if event.anchor is not None:
            anchors[event.anchor] = made
        unfinished[-1][1].append(made)
        if not isinstance(made, str):
            unfinished.append((made, made if isinstance(made, list) else []))
            if len(unfinished) > DEEPEST:
                raise ValueError("it nests too deep")  # the parser takes quadratic time for that
    return top[0] if top else None
