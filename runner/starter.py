"""`runner init`: a small scenario of one's own that passes, with comments to start from.

The text is the only thing here; its language is `runner.scenario`'s affair.
"""

from __future__ import annotations

from pathlib import Path

from runner.errors import UsageError
from runner.schema import MODELINE

STARTER = """\
{modeline}# Play it:            runner run {file}
# All steps there are: runner list steps    One of them: runner list steps connect
name: {title}
about: The client sends a question, the server answers it.
hosts: [server, client]
steps:
  - server: {{socket: listener, type: SOCK_STREAM}}
  - server: {{bind: listener, to: ":7000"}}
  - server: {{listen: listener, backlog: 1}}
  - server: {{accept: listener, as: conn, blocks: true}}      # waits until somebody connects
  - client: {{socket: c, type: SOCK_STREAM}}
  - client: {{connect: c, to: "server:7000"}}
  - client: {{sendall: c, data: "what time is it?"}}
  - server: {{recv: conn, size: 1024, gives: "what time is it?"}}
  - server: {{sendall: conn, data: time to learn}}
  - client: {{recv: c, size: 1024, gives: time to learn}}
  - client: {{close: c}}
  - server: {{recv: conn, size: 1024, gives: ""}}             # nothing: the other end has closed
  - server: {{close: conn}}
expect:
  - flow: tcp c                                             # what must be seen on the wire, in this order
    packets: |
      client -> server  SYN
      client <- server  SYN,ACK
      client -> server  ACK
      client -> server  PSH,ACK  "what time is it?"
      client <- server  PSH,ACK  "time to learn"
      client -> server  FIN,ACK
      client <- server  FIN,ACK
      client -> server  ACK
  - stream: {{from: c, to: conn}}                             # all that was sent is what arrived
"""


def write_starter(name: str) -> Path:
    """Write the scenario as NAME.yaml; raises UsageError where that exists or the name is no file's name."""
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    title = path.stem.replace("_", " ").replace("-", " ").strip()
    if (
        not title
        or path.name.startswith(".")
        or not title.isprintable()
        or set(title) & set(":#{}[]&*!|>'\"%@`$,")
    ):
        raise UsageError(f"{name!r} does not make a good name; take letters, digits, - and _")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.format(modeline=MODELINE, file=path, title=title))
    except FileExistsError:
        raise UsageError(f"{path} exists already; nothing was written") from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"the folder {path.parent} does not exist") from None
    return path
