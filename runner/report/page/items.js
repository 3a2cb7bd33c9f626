// What the ladder shows: packets, calls, states, faults and events as items, each with the marks of its moments.

const RANKS = { fault: 0, call: 1, packet: 2, state: 3, event: 4 };
const STATE_ROOM = 14;

/** The last moment of a run. */
function endOf(data) {
  let end = 0;
  for (const one of data.packets) end = Math.max(end, one.at, ...one.arrivals.map((copy) => copy.at));
  for (const one of data.calls) end = Math.max(end, one.ended ?? one.began);
  for (const one of data.events) end = Math.max(end, one.at);
  for (const one of data.faults) end = Math.max(end, one.ended ?? one.began);
  return end;
}

/** The columns between hosts that a packet's label and arrow take. */
function spansOf(one, index) {
  const places = [one.from, ...one.to].map((host) => index.get(host)).filter((place) => place !== undefined);
  const keys = [];
  for (let place = Math.min(...places); place < Math.max(...places); place++) keys.push(`span ${place}`);
  if (keys.length) return keys;
  const place = places[0] ?? 0;
  return [`span ${Math.min(place, Math.max(0, index.size - 2))}`, `calls ${[...index.keys()][place]}`];
}

/**
 * Items of the data that a filter lets through. `keysOf` says which columns the text beside a host takes.
 */
function itemsOf(data, shows, keysOf) {
  const index = new Map(data.hosts.map((host, place) => [host, place]));
  const end = endOf(data);
  const items = [];
  const add = (kind, of, from, to, fromKeys, toKeys, room) => {
    const begin = { at: from, rank: RANKS[kind], keys: fromKeys, room };
    const finish = { at: Math.max(from, to), rank: RANKS[kind] + 5, keys: toKeys };
    const item = { kind, of, begin, finish, marks: [begin, finish], id: `${kind}-${items.length}` };
    items.push(item);
    return item;
  };
  for (const one of data.packets) {
    if (!shows(one, "packet")) continue;
    const item = add("packet", one, one.at, one.at, spansOf(one, index), []);
    item.marks = [item.begin, ...one.arrivals.map((copy) => ({ at: Math.max(copy.at, one.at), rank: 2, keys: [], copy }))];
    item.finish = item.marks.reduce((latest, mark) => (mark.at > latest.at ? mark : latest));
  }
  for (const one of data.calls) {
    if (!shows(one, "call")) continue;
    const late = one.ended === null || one.asleep !== null || one.ended - one.began > 1e6;
    const keys = keysOf(one.host);
    const item = add("call", one, one.began, one.ended ?? end, keys, late && one.ended !== null ? keys : []);
    item.late = late;
    if (one.asleep !== null) item.marks.push(item.asleep = { at: one.asleep, rank: 6, keys: [] });
  }
  for (const one of data.states) {
    if (!shows(one, "state")) continue;
    one.entered.forEach((entered, place) => {
      const until = one.entered[place + 1]?.at ?? end;
      const keys = [`states ${one.socket}`];
      const shown = entered.state !== "CLOSE";
      entered.whole ??= { ...one, ...entered };
      if (shown) add("state", entered.whole, entered.at, until, keys, [], STATE_ROOM);
      else if (place) Object.assign(items.at(-1).finish, { keys, room: STATE_ROOM });
    });
  }
  const all = [...data.hosts.map((host) => `calls ${host}`), ...data.hosts.map((_, place) => `span ${place}`)];
  for (const one of data.faults) add("fault", one, one.began, one.ended ?? end, all, one.ended === null ? [] : all);
  for (const one of data.events) if (shows(one, "event")) add("event", one, one.at, one.at, keysOf(one.host), []);
  return items;
}
