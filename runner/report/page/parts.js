// How each thing is drawn. All words become text nodes: nothing of a run is ever markup.

const NAMESPACE = "http://www.w3.org/2000/svg";
const MONOSPACE = "ui-monospace, 'DejaVu Sans Mono', monospace";
const NOTICE_FONT = "12px system-ui, 'DejaVu Sans', sans-serif";
const CODES = {
  LISTEN: "LI", SYN_SENT: "SS", SYN_RECV: "SR", ESTABLISHED: "ES", FIN_WAIT1: "F1", FIN_WAIT2: "F2", CLOSING: "CG",
  TIME_WAIT: "TW", CLOSE_WAIT: "CW", LAST_ACK: "LA",
};
const ruler = document.createElement("canvas").getContext("2d");

/** An element of SVG. */
function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== "") made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const letterWide = new Map();

/** How wide a text is in pixels; letters of one width are counted, since measuring takes long. */
function wideOf(text, font = `12px ${MONOSPACE}`) {
  if (font.endsWith(MONOSPACE) && /^[ -~]*$/.test(text)) {
    if (!letterWide.has(font)) letterWide.set(font, measured("0", font));
    return text.length * letterWide.get(font);
  }
  return measured(text, font);
}

function measured(text, font) {
  ruler.font = font;
  return ruler.measureText(text).width;
}

/** The text, shortened to so many pixels. */
function fitted(text, room, font) {
  const wide = wideOf(text, font);
  if (wide <= room) return text;
  const keep = Math.floor((text.length * (room - 8)) / wide);
  return keep > 0 ? `${text.slice(0, keep)}…` : "";
}

/** Stripes for time in which a call sleeps. */
function stripes() {
  return svg("defs", {}, svg("pattern", { id: "stripes", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 6, height: 6, class: "stripe-ground" }), svg("rect", { width: 2.5, height: 6, class: "stripe" })));
}

/** The strip behind an item that shows what is pointed at, chosen, or named by a finding. */
function ground(x1, x2, y) {
  return [
    svg("rect", { x: x1, y: y - 15, width: Math.max(0, x2 - x1), height: ROW, rx: 3, class: "ground" }),
    svg("rect", { x: x1, y: y - 15, width: 3, height: ROW, class: "named-edge" }),
  ];
}

/** A break in time across the whole width. */
function drawBreak(one, times, full) {
  let path = `M${times + 5} ${one.y}`;
  for (let x = times + 5, up = true; x < full; x += 6, up = !up) path += `l6 ${up ? -4 : 4}`;
  return svg("g", { class: "gap" },
    svg("path", { d: path, class: "break-ground", "stroke-width": 9 }),
    svg("path", { d: path, class: "break", transform: "translate(0 -3)" }),
    svg("path", { d: path, class: "break", transform: "translate(0 3)" }),
    svg("text", { x: times, y: one.y + 3, class: "pause end" }, spoken(one.pause)));
}

/** The ends of a packet on the picture: who sent it, and each copy with the height of its arrival (null: not seen). */
function endsOf(item, sides) {
  const one = item.of;
  const arrived = item.marks.filter((mark) => mark.copy && sides.has(mark.copy.host) && mark.copy.host !== one.from)
    .map((mark) => ({ side: sides.get(mark.copy.host), y: mark.y }));
  const meant = one.to.filter((host) => sides.has(host) && host !== one.from).map((host) => ({ side: sides.get(host), y: null }));
  return { begin: sides.get(one.from), ends: arrived.length ? arrived : meant };
}

function tip(x, y, from, kind) {
  const angle = (Math.atan2(y - from.y, x - from.x) * 180) / Math.PI;
  return svg("path", { d: "M0 0L-9 -4L-9 4Z", class: `tip kind-${kind}`, transform: `translate(${x} ${y}) rotate(${angle})` });
}

function cross(x, y) {
  return svg("path", { d: `M${x - 5} ${y - 5}l10 10m-10 0l10 -10`, class: "cross" });
}

/** The words of a packet; what a fault did to it stands out. */
function packetWords(one, room, attributes) {
  const struck = one.struck.length ? ` ⚡ ${one.struck.join(", ")}` : "";
  const free = room - wideOf(struck);
  const made = svg("text", attributes, fitted(one.label, Math.max(24, free)));
  if (struck) made.append(svg("tspan", { class: "strike" }, fitted(struck, room)));
  return made;
}

function drawStray(group, item, begin, sides, full) {
  const one = item.of;
  const side = begin ?? [...sides.values()][0];
  if (!side) return;
  const way = side.place === sides.size - 1 && sides.size > 1 ? -1 : 1;
  const x = side.x + way * 60;
  const y = item.y1;
  group.append(...ground(Math.min(side.x, x) - 2, Math.max(side.x, x) + 2, y));
  group.append(svg("line", { x1: side.x, x2: x, y1: y, y2: y, class: `wire kind-${one.kind}` }));
  group.append(begin ? tip(x, y, { x: side.x, y }, one.kind) : tip(side.x, y, { x, y }, one.kind));
  const words = begin ? `to ${one.target}: ` : `from ${one.source}: `;
  const room = way > 0 ? full - x - 20 : x - 90;
  group.append(packetWords({ ...one, label: words + one.label }, Math.min(340, room), { x: x + way * 6, y: y + 4, class: `label kind-${one.kind}${way < 0 ? " end" : ""}` }));
}

function drawPacket(group, item, sides, full) {
  const one = item.of;
  const { begin, ends } = endsOf(item, sides);
  if (!begin || !ends.length) return drawStray(group, item, begin, sides, full);
  const y1 = item.y1;
  const all = [begin.x, ...ends.map((end) => end.side.x)];
  group.append(...ground(Math.min(...all), Math.max(...all), y1 + 4));
  const classes = `wire kind-${one.kind}${one.lost ? " lost" : ""}`;
  let furthest = { x: begin.x, y: y1 };
  for (const { side, y } of ends) {
    const part = one.lost ? 0.7 : 1;
    const x2 = begin.x + (side.x - begin.x) * part;
    const y2 = one.lost ? y1 + 3 : Math.max(y1, y ?? y1);
    for (const kind of ["grip", classes]) group.append(svg("line", { x1: begin.x, y1, x2: x2 - (one.lost ? 0 : Math.sign(side.x - begin.x) * 4), y2, class: kind }));
    group.append(one.lost ? cross(x2, y2) : tip(side.x - Math.sign(side.x - begin.x), y2, { x: begin.x, y: y1 }, one.kind));
    if (Math.abs(side.x - begin.x) > Math.abs(furthest.x - begin.x)) furthest = { x: side.x, y: y2 };
  }
  const way = Math.sign(furthest.x - begin.x);
  const slant = furthest.y - y1;
  const kinds = `label kind-${one.kind}${one.lost ? " bad" : ""}`;
  const room = Math.abs(furthest.x - begin.x) * 0.82;
  if (slant > 14) group.append(packetWords(one, room, { x: begin.x + way * 16, y: y1 - 4, class: `${kinds}${way < 0 ? " end" : ""}` }));
  else group.append(packetWords(one, room, { x: (begin.x + furthest.x) / 2, y: y1 + slant / 2 - 4, class: `${kinds} middle` }));
  if (one.struck.length) group.append(svg("path", { d: `M${begin.x + way * 2} ${y1}l5 -5l5 5l-5 5z`, class: "struck-mark", transform: way < 0 ? `translate(-10 0)` : "" }));
}

/** What stands beside a call's begin, and beside its return where that has a row of its own. */
function callWords(item) {
  const one = item.of;
  const result = one.outcome ? (one.failed ? ` ${one.outcome}` : ` = ${one.outcome}`) : "";
  if (one.ended === null) return [`${one.label} never returned`, ""];
  if (!item.late) return [one.label + result, ""];
  const name = one.label.split("(")[0].split(/[.=]/).pop().trim();
  return [one.label, `└ ${name}${result || " returns"}`];
}

function drawCall(group, item, sides, full, from, to) {
  const one = item.of;
  const side = sides.get(one.host);
  if (!side) return;
  const { x, wide } = laneAt(side, "call", item.lane);
  const words = wordsAt(side);
  const [said, back] = callWords(item);
  const tone = one.failed ? " bad" : "";
  const anchor = words.end ? " end" : "";
  const edges = words.end ? [words.x - Math.min(side.room, wideOf(said) + 6), words.x + 3] : [words.x - 3, words.x + Math.min(side.room, wideOf(said) + 6)];
  if (item.y1 > from - ROW) group.append(...ground(Math.min(edges[0], x), Math.max(edges[1], x + wide), item.y1 + words.down - 2));
  const top = Math.max(item.y1, from), bottom = Math.min(item.y2, to);
  group.append(svg("rect", { x, y: top, width: wide, height: Math.max(7, bottom - top), rx: Math.min(2, wide / 2), class: `bar${tone && " failed"}` }));
  if (item.asleep || one.ended === null) {
    const slept = Math.max(top, item.asleep ? Math.max(item.asleep.y, item.y1 + 4) : item.y1 + 6);
    const end = one.ended === null ? bottom : bottom - 3;
    if (end > slept) group.append(svg("rect", { x: x + 0.5, y: slept, width: Math.max(1, wide - 1), height: end - slept, class: `asleep${tone && " failed"}`, fill: "url(#stripes)" }));
  }
  if (one.ended === null && item.y2 <= to) group.append(svg("path", { d: `M${x - 1} ${item.y2 + 3}l${wide / 2 + 1} 5l${wide / 2 + 1} -5`, class: "open-end" }));
  if (item.y1 > from - ROW) group.append(svg("text", { x: words.x, y: item.y1 + words.down, class: `call-label${anchor}${back ? "" : tone}` }, fitted(said, side.room)));
  if (back && item.y2 > from - ROW && item.y2 < to + ROW) group.append(svg("text", { x: words.x, y: item.y2 + words.back, class: `call-label back${anchor}${tone}` }, fitted(back, side.room)));
}

function drawState(group, item, sides, full, from, to) {
  const one = item.of;
  const side = sides.get(one.host);
  if (!side) return;
  const { x, wide } = laneAt(side, "state", item.lane);
  const top = Math.max(item.y1, from), bottom = Math.min(item.y2, to);
  const bar = svg("rect", { x, y: top, width: wide, height: Math.max(2, bottom - top - 0.5), class: `state-${one.state}` });
  bar.append(svg("title", {}, `${one.socket}: ${one.state}`));
  group.append(bar);
  if (wide < 11) return;
  const high = item.y2 - item.y1, middle = x + wide / 2;
  const words = [`${one.socket} ${one.state}`, one.state].find((text) => text.length * 6 + 8 < bottom - top);
  if (words) group.append(svg("text", { class: "state-name middle", transform: `translate(${middle + 3} ${(top + bottom) / 2}) rotate(-90)` }, words));
  else if (high >= 11) group.append(svg("text", { x: middle, y: (item.y1 + item.y2) / 2 + 3, class: "state-name middle" }, CODES[one.state] ?? ""));
}

/** A fault in force: a rail beside the times, and a banner where it begins and where it ends. */
function drawFault(group, item, sides, full, from, to, { times, gutter }) {
  const one = item.of;
  const x = times + 7 + 8 * item.lane;
  const top = Math.max(item.y1, from), bottom = Math.min(item.y2, to);
  const banner = (y, words) => group.append(
    svg("rect", { x: gutter, y: y - 8, width: full - gutter - 6, height: 17, rx: 4, class: "banner" }),
    svg("text", { x: gutter + 7, y: y + 5, class: "notice" }, fitted(`⚡ ${words}`, full - gutter - 24, NOTICE_FONT)));
  banner(item.y1, one.text);
  if (one.ended !== null) banner(item.y2, `${one.name} healed`);
  group.append(svg("rect", { x, y: top, width: 5, height: Math.max(4, bottom - top), rx: 2, class: "fault-line" }));
}

function drawEvent(group, item, sides) {
  const side = sides.get(item.of.host);
  if (!side) return;
  const words = wordsAt(side);
  const wide = Math.min(side.room, wideOf(item.of.text) + 6);
  group.append(...ground(words.end ? words.x - wide : words.x - 3, words.end ? words.x + 3 : words.x + wide, item.y1 + words.down - 3));
  group.append(svg("circle", { cx: side.x, cy: item.y1, r: 4, class: "event-dot" }));
  group.append(svg("text", { x: words.x, y: item.y1 + words.down - 3, class: `notice${words.end ? " end" : ""}` }, fitted(item.of.text, side.room)));
}

const DRAWING = { packet: drawPacket, call: drawCall, state: drawState, fault: drawFault, event: drawEvent };
