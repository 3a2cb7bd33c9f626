// What is said about one packet or call. All text becomes text nodes: nothing of a run is ever markup.

/** An element of HTML. */
function html(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  made.append(...children.filter((one) => one !== null && one !== undefined));
  return made;
}

/** What a screen reader says of an item. */
function sayOf(item, data) {
  const one = item.of;
  const at = `at ${(item.begin.at / 1e6).toFixed(2)} ms`;
  if (item.kind === "packet") {
    const fate = one.lost ? "lost" : one.arrivals.length > 1 ? `arrived ${one.arrivals.length} times` : "";
    return [`packet ${one.number}, ${one.source} to ${one.target}, ${one.label}`, ...one.struck, fate, at].filter(Boolean).join(", ");
  }
  if (item.kind === "call") return `${one.host} calls ${one.label}${one.outcome ? `, ${one.outcome}` : ""}${one.asleep !== null ? ", waits" : ""}, ${at}`;
  if (item.kind === "state") return `${one.socket} of ${one.host} is ${one.state}, ${at}`;
  if (item.kind === "fault") return `fault ${one.text}, ${at}`;
  return `${one.text ?? ""}, ${at}`;
}

function rows(pairs) {
  const list = html("dl");
  for (const [name, value] of pairs) if (value !== "" && value !== null && value !== undefined) list.append(html("dt", {}, name), html("dd", {}, value));
  return list;
}

function copyable(text) {
  return html("pre", { class: "code" }, text);
}

function bytesOf(encoded) {
  return Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
}

/** Bytes as a dump of sixteen a line, each byte an element that knows its place. */
function dump(bytes) {
  const box = html("div", { class: "dump" });
  for (let line = 0; line < bytes.length; line += 16) {
    const row = html("div");
    row.append(html("span", { class: "offset" }, line.toString(16).padStart(4, "0")));
    const cells = [...bytes.slice(line, line + 16)];
    const hexes = html("span", { class: "hex" });
    const letters = html("span", { class: "letters" });
    cells.forEach((byte, place) => {
      const attributes = { "data-at": line + place };
      hexes.append(html("i", attributes, byte.toString(16).padStart(2, "0")), place === 7 ? "  " : " ");
      letters.append(html("i", attributes, byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·"));
    });
    row.append(hexes, letters);
    box.append(row);
  }
  return box;
}

function lightUp(box, begin, length) {
  for (const one of box.querySelectorAll("[data-at]")) {
    const at = Number(one.dataset.at);
    one.classList.toggle("lit", length > 0 && at >= begin && at < begin + length);
  }
}

/** The layers of a frame; pointing at one, or at a field, shows its bytes. */
function layersOf(layers, shared, bytes) {
  const shows = (element, begin, length) => {
    for (const event of ["mouseenter", "focus"]) element.addEventListener(event, () => lightUp(bytes, begin, length));
    for (const event of ["mouseleave", "blur"]) element.addEventListener(event, () => lightUp(bytes, 0, 0));
  };
  return layers.map(([kind, begin, length, values], place) => {
    const [name, ...fields] = shared.kinds[kind];
    const table = html("table");
    fields.forEach(([field, at, long], column) => {
      const row = html("tr", { tabindex: long ? 0 : undefined }, html("th", { scope: "row" }, field), html("td", {}, shared.values[values[column]]));
      if (long) shows(row, begin + at, long);
      table.append(row);
    });
    const where = length ? `bytes ${begin} to ${begin + length - 1}` : "";
    const summary = html("summary", {}, name, html("small", {}, where));
    shows(summary, begin, length);
    return html("details", { class: "layer", open: place > 0 }, summary, table);
  });
}

/** Bytes with the layers above them, as far as the page has them. */
function dissection(title, encoded, layers, one, shared) {
  const bytes = dump(bytesOf(encoded));
  const cut = shared.cut && one.length > shared.cut;
  return [
    html("h4", {}, title),
    ...(layers ? layersOf(layers, shared, bytes) : []),
    layers ? null : html("p", { class: "hint" }, `Of so many packets this page has the fields of ${shared.dissected}: the first ones, and those that findings name. The capture has all.`),
    html("h4", {}, "Bytes"),
    bytes,
    cut ? html("p", { class: "hint" }, `The first ${shared.cut} of ${one.length} bytes; the capture has them all.`) : null,
  ];
}

function ofPacket(one, data) {
  const frame = data.layers.frames[one.number];
  const arrivals = one.arrivals.map((copy) => `${copy.host} after ${spoken(copy.at - one.at)} (packet ${copy.number})`);
  return [
    html("h3", {}, `${one.source} → ${one.target}`),
    html("p", { class: "what" }, one.label),
    rows([
      ["sent", `${(one.at / 1e6).toFixed(3)} ms by ${one.from} (packet ${one.number} of the capture)`],
      ["arrived", one.lost ? "never: lost on its way" : arrivals.join("; ") || "no host of the lab captured it"],
      ["fault", one.struck.join(", ")],
      ["network", one.network],
      ["flow", data.flows[one.flow]],
      ["numbers", one.seq >= 0 ? `seq ${one.seq}${one.ack >= 0 ? `, ack ${one.ack}` : ""} (relative)` : ""],
      ["length", `${one.length} bytes`],
    ]),
    ...dissection("Layers", frame.bytes, frame.layers, one, data.layers),
    ...(frame.changed ? dissection("As it arrived", frame.changed, frame.changed_layers, one, data.layers) : []),
  ];
}

function ofCall(one) {
  const took = one.ended === null ? "never returned" : spoken(one.ended - one.began);
  const slept = one.asleep === null ? "" : `asleep in the kernel, seen ${spoken(one.asleep - one.began)} after it began`;
  return [
    html("h3", {}, `${one.host}: ${one.label}`),
    html("h4", {}, "Python"), copyable(one.python),
    html("h4", {}, "C"), copyable(one.c),
    one.note ? html("p", { class: "hint" }, one.note) : null,
    rows([
      ["result", one.outcome || (one.ended === null ? "" : "nothing")],
      ["because", one.why],
      ["began", `${(one.began / 1e6).toFixed(3)} ms`],
      ["took", took],
      ["blocked", slept],
      ["step", one.place ? `${one.step}, ${one.place}` : String(one.step)],
      ["written", one.said],
    ]),
  ];
}

function ofOther(item) {
  const one = item.of;
  const times = [["from", `${(item.begin.at / 1e6).toFixed(3)} ms`]];
  if (item.finish.at > item.begin.at) times.push(["until", `${(item.finish.at / 1e6).toFixed(3)} ms`], ["that is", spoken(item.finish.at - item.begin.at)]);
  if (item.kind === "state") return [html("h3", {}, `${one.host}: ${one.socket} is ${one.state}`), rows(times)];
  return [html("h3", {}, item.kind === "fault" ? `fault ${one.name}: ${one.text}` : one.text), rows(times)];
}

/** Show an item beside the ladder; null hides what is shown. */
function showDetails(box, item, data, close) {
  box.hidden = !item;
  document.body.classList.toggle("with-details", Boolean(item));
  if (!item) return;
  const button = html("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  button.addEventListener("click", close);
  const parts = item.kind === "packet" ? ofPacket(item.of, data) : item.kind === "call" ? ofCall(item.of) : ofOther(item);
  box.replaceChildren(button, ...parts.filter(Boolean));
  box.scrollTop = 0;
}
