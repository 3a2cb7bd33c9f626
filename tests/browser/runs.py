"""Recorded runs as pages to be opened in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runner.history import FaultRecord, StepRecord
from runner.judge import Judgement
from runner.report import page
from runner.verdict import Finding, combine
from tests import frames
from tests.recorded import Recorded

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> \x1b[31m\u202egnp.exe"
"""What a payload, a name or a text could hold."""


def written(run: Recorded, folder: Path, *findings: Finding, about: str = "What it is about.") -> Path:
    """The page of a run."""
    seen = run.evidence(folder)
    (folder / "scenario.yaml").write_text("name: recorded\n", encoding="utf-8")
    judgement = Judgement(combine(one.verdict for one in findings), findings)
    return page.write(folder, seen, judgement, about)


def connection(folder: Path) -> Path:
    """A connection with data both ways, an accept that slept, a refused connect, and a recv that never returned."""
    run = Recorded(["server", "client"])
    asleep_ns = run.tick()
    one = run.connection("client", "server", 40000, 80).made_by("c", "conn")
    accept = run.records.pop()
    run.records.append(_changed(accept, began_ns=asleep_ns - 50_000, asleep_ns=asleep_ns))
    began_ns = run.tick()
    one.send("client", b"hello lab")
    run.call("client", "c", "send", {"bytes": "hello lab"}, value=9, began_ns=began_ns)
    run.call("server", "conn", "recv", 1024, value={"bytes": "hello lab"})
    run.call("client", "x", "connect", [run.ip("server"), 9], failure={"type": "ConnectionRefusedError",
             "errno": "ECONNREFUSED", "text": "Connection refused"})  # fmt: skip
    run.call("client", "c", "recv", 10, ended_ns=None, asleep_ns=run.tick())
    run.tick(3_000_000_000)
    run.udp("client", "server", 5000, 53, b"a question")
    run.records.append(StepRecord(1, run.now_ns, "recorded.yaml", 7, "client", "send", "send c", "failed"))
    return written(
        run,
        folder,
        Finding("fail", "steps", "step 1 failed", path="recorded.yaml", line=7),
        Finding("pass", "packets", "all are there", path="recorded.yaml", line=9, packets=(1, 2, 3, 4)),
        Finding("fail", "count", "one too many", "expected\nand seen", "recorded.yaml", 12, packets=(7,)),
    )


def struck(folder: Path) -> Path:
    """Datagrams of which one is lost, one late, one doubled; a fault that begins and is healed."""
    run = Recorded(["server", "client"])
    run.records.append(FaultRecord("loss", "begins", run.tick(), text="drop from client to server"))
    run.udp("client", "server", 5000, 53, b"lost", lost=True)
    for flights in ((20_000,), (5_000_000,), (20_000, 900_000)):
        _datagram(run, b"arrives", flights)
    run.records.append(FaultRecord("loss", "healed", run.tick(10_000_000)))
    _datagram(run, b"the last", (20_000,))
    return written(run, folder)


def three_hosts(folder: Path) -> Path:
    """Three hosts that all speak to each other."""
    run = Recorded(["client", "gate", "server"])
    for number, (source, target) in enumerate([("client", "gate"), ("gate", "server"), ("server", "client")]):
        run.call(source, f"s{number}", "socket", type="SOCK_DGRAM")
        began_ns = run.tick()
        run.udp(source, target, 5000, 53, b"to " + target.encode())
        run.call(
            source, f"s{number}", "send", {"bytes": "to " + target}, type="SOCK_DGRAM", began_ns=began_ns
        )
    return written(run, folder)


def hostile(folder: Path) -> Path:
    """Everything that comes from outside wants to be run."""
    run = Recorded(["server", "client"])
    run.udp("client", "server", 5000, 53, HOSTILE.encode())
    run.call("client", HOSTILE, "send", {"bytes": HOSTILE}, failure={"type": "OSError", "text": HOSTILE})
    run.records.append(FaultRecord(HOSTILE, "begins", run.tick(), text=HOSTILE))
    return written(run, folder, Finding("fail", "count", HOSTILE, HOSTILE, HOSTILE, 1, (1,)), about=HOSTILE)


def large(folder: Path, packets: int = 10_000) -> Path:
    """So many packets, with a call for every fourth."""
    run = Recorded(["server", "client"])
    for number in range(packets):
        if number % 4 == 0:
            run.call("client", "u", "send", {"bytes": "x"}, type="SOCK_DGRAM")
        run.udp("client", "server", 5000 + number % 5, 53, b"packet %d" % number)
    last = 2 * packets - 1
    return written(run, folder, Finding("fail", "count", "the last one", packets=(last,)))


def data_of(path: Path) -> dict[str, Any]:
    """The JSON in a page."""
    text = path.read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text.split('type="application/json">')[1].split("</script>")[0])
    return found


def _changed(record: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(record, **changes)


def _datagram(run: Recorded, carried: bytes, flights_ns: tuple[int, ...]) -> None:
    datagram = frames.udp(run.ip("client"), run.ip("server"), 5000, 53, carried)
    ip = frames.ipv4(run.ip("client"), run.ip("server"), 17, datagram)
    data = frames.ethernet(run.end("client").mac, run.end("server").mac, 0x0800, ip)
    run.frame("client", data, ["server"], flight_ns=flights_ns)
    run.tick(max(flights_ns))
