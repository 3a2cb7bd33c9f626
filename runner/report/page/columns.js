// Where each host's line is, which lanes its states and calls have, and how much room there is for words.

const GAP = 2, PHONE = 620;
const STATE_WIDE = 14, CALL_WIDE = 8, LANES_WIDE = 110;

/** The layout's plan before heights are known: beside which host the calls' words stand outside of all arrows. */
function sidesOf(hosts, wide) {
  const last = hosts.length - 1;
  return hosts.map((host, place) => ({
    host, place,
    left: place === 0 && last > 0,
    outside: wide >= PHONE && (place === 0 || place === last),
    mirrored: wide < PHONE && place === last && last > 0,
  }));
}

/** Which columns the words beside a host take: those of the arrows too, unless they stand outside. */
function keysBeside(side, count) {
  const own = `calls ${side.host}`;
  if (side.outside || count < 2) return [own];
  return [own, `span ${Math.min(side.place, count - 2)}`];
}

/** Give states and calls their lanes; a socket keeps its own. */
function giveLanes(side, items) {
  const own = (kind) => items.filter((item) => item.kind === kind && item.of.host === side.host);
  const sockets = new Map();
  for (const item of own("state")) {
    const one = sockets.get(item.of.socket) ?? { y1: item.y1, y2: item.y2, items: [] };
    Object.assign(one, { y1: Math.min(one.y1, item.y1), y2: Math.max(one.y2, item.y2) });
    one.items.push(item);
    sockets.set(item.of.socket, one);
  }
  side.states = lanes([...sockets.values()]);
  for (const one of sockets.values()) for (const item of one.items) item.lane = one.lane;
  for (const item of own("call")) item.y2 = Math.max(item.y2, item.y1 + 7);
  side.calls = lanes(own("call"));
  const wide = side.states * (STATE_WIDE + GAP) + side.calls * (CALL_WIDE + GAP);
  side.shrink = Math.min(1, LANES_WIDE / Math.max(1, wide));
  side.deep = 5 + wide * side.shrink;
}

/** Give each side its `x` and its `room`; returns how wide all is, where times end, and where the ladder begins. */
function giveColumns(sides, wide, faults, wished) {
  const phone = wide < PHONE;
  const times = phone ? 47 : 60;
  const gutter = times + 8 + faults * 8;
  const first = sides[0], last = sides.at(-1);
  if (!first) return { full: wide, gutter, times };
  const spans = sides.length - 1;
  const outer = (side) => (side.outside ? 8 + Math.max(70, wished.get(side.host) ?? 0) : phone ? 14 : 20);
  const edges = spans ? first.deep + last.deep : last.deep;
  const least = phone ? 130 : 190;
  let left = spans ? outer(first) : 0, right = outer(last);
  const room = wide - gutter - edges - spans * least;
  if (left + right > room) {
    const limit = Math.max(phone ? 28 : 240, room);
    const half = limit / 2;
    [left, right] = left < half ? [left, limit - left] : right < half ? [limit - right, right] : [half, half];
  }
  const span = spans ? Math.min(phone ? 1e4 : 460, Math.max(least, (wide - gutter - edges - left - right) / spans)) : 0;
  const spare = spans ? Math.max(0, wide - gutter - edges - left - right - spans * span) : 0;
  left += spans ? spare / 2 : 0;
  const full = Math.max(wide, gutter + left + edges + spans * span + right);
  for (const side of sides) {
    side.x = gutter + (spans ? left + first.deep + side.place * span : 14);
    if (side.outside) side.room = (side.left ? left : full - side.x - side.deep) - 12;
    else if (phone) side.room = spans ? span - (side.left || side.mirrored ? 0 : side.deep) - 14 : full - side.x - side.deep - 10;
    else side.room = span - side.deep - 14;
  }
  return { full, gutter, times };
}

/** The left edge of a lane: states stand next to the line, calls outside of them. */
function laneAt(side, kind, lane) {
  const off = kind === "state" ? lane * (STATE_WIDE + GAP) : side.states * (STATE_WIDE + GAP) + lane * (CALL_WIDE + GAP);
  const wide = (kind === "state" ? STATE_WIDE : CALL_WIDE) * side.shrink;
  const from = 4 + off * side.shrink;
  return { x: side.left ? side.x - from - wide : side.x + from, wide };
}

/**
 * Where the words beside a host begin (or end, where they stand to the left), and how far below the moment: among
 * arrows they stand above it, as the arrows' words do.
 */
function wordsAt(side) {
  const [down, back] = side.outside ? [8, 3] : [-4, -4];
  if (side.mirrored) return { x: side.x - 7, end: true, down, back };
  if (side.left && side.outside) return { x: side.x - side.deep - 5, end: true, down, back };
  return { x: side.x + (side.left ? 7 : side.deep + 5), end: false, down, back };
}
