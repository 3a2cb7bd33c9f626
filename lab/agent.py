"""The program in every host: makes the calls it is told to make, and decides nothing.

One file, standard library only, Python 3.9 syntax: its source is piped to a bare `python3` in the host, which then
speaks JSON lines over stdin and stdout (or over one socket, in a namespace). stderr is for people, and it is kept.

Rules
  1. One request, at most one "asleep" notice, exactly one reply; also to a malformed request. No expectation, no
     retry, no default value: what is not asked is not done.
  2. Calls carry the names and the argument order of Python's `socket` module; constants travel by name.
  3. Every call is a real blocking call in a thread of its own; other requests go on meanwhile.
  4. Times are nanoseconds of CLOCK_REALTIME, the clock that packets are stamped with.

Requests: a JSON object a line, with "id" (chosen by the runner) and "do":
  {"id", "do": "call", "function": NAME, "arguments": [V..]?, "keywords": {K: V}?, "makes": NAME?, "watch": true?}
        a function of the module `socket` (or of EXTRA_FUNCTIONS: poll, epoll, select, sleep...); an object it returns
        is kept under the name in "makes"
  {"id", "do": "call", "on": NAME, "method": NAME, ...the rest as above}
        a method of a kept object: a socket, a file made by makefile, a program made by run, a poll object
  {"id", "do": "run", "argv": [S..], "environment": {}?, "folder": S?, "makes": NAME}
        starts a program on a terminal that does not echo; its stderr goes to ours. Its object has methods
        read(length), read_until(bytes), write(bytes), end_input(), wait(), signal(name)
  {"id", "do": "state", "of": NAME}        TCP state of a socket by its name, also after it was closed
  {"id", "do": "states"}                   every row of the kernel's TCP tables
  {"id", "do": "asleep", "of": ID}         is the thread of that pending request asleep in the kernel now?
  {"id", "do": "interfaces"}               names, indexes, MACs, addresses and MTUs
  {"id", "do": "offload"}                  turn off checksum and segmentation offload on every interface but lo
  {"id", "do": "capture", "ring": BYTES}   begin to capture on every interface but lo; returns when it captures
  {"id", "do": "frames"}                   what was captured since the last such request, raw (see `capture`)
  {"id", "do": "privileges", "capabilities": [S..] or null, "user": S or null}
                                           what the threads that make calls, and programs, may do from now on
  {"id", "do": "quit"}                     replies, kills all programs with their children, and ends

Replies
  {"id", "asleep": NS, "syscall": S}                        the notice: only where "watch" was true
  {"id", "began": NS, "ended": NS, "value": V, ...facts}
  {"id", "began": NS, "ended": NS, "error": {"type": S, "errno": S or null, "text": S}, ...facts}
        errno by name (ECONNREFUSED; for getaddrinfo EAI_NONAME); null where Python raised without one
  {"id": ID or null, "malformed": S}                        the request was not one; nothing was done
facts, after a call on a socket or one that made a socket:
  "object": {"name": S, "family": S, "type": S, "fd": N or -1, "local": V, "peer": V}
        of the socket it was made on (or that it made, for a function); local and peer null where there is none
  "made": the same for a socket that a method made (accept)

The first line the agent writes: {"hello": 1, "pid", "python", "kernel", "boot": S, "realtime": NS, "monotonic": NS}

Values (`encode` and `decode` are the one definition; the runner imports them from here):
  null, true, numbers, text            themselves
  bytes                                {"bytes": S} where all are printable ASCII or newlines, else {"base64": S}
  list, tuple                          a JSON list (addresses are lists on this side, tuples in the calls)
  a kept object                        {"object": NAME}
  a constant                           {"constant": NAME}; several or-ed: {"constant": "A|B"}
  the index of an interface            {"interface": NAME}
  a packed struct                      {"pack": [FORMAT, V..]}, struct(3)'s format, native order
  anything else                        {"repr": S}
"""
