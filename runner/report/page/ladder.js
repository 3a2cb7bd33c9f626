// The ladder on its page: only what is in view is drawn; items are chosen by pointer and by keys; all of it for print.

const HOST_FONT = "600 14px system-ui, 'DejaVu Sans', sans-serif";
const MARGIN = 700, TIME_ROOM = 12;
const PRINTED_WIDE = 780, PIECE = 170;
const OFF = { paused: "resumed", killed: "restarted", "link down": "link up" };

class Ladder {
  /** `onChoose` is told the item that is chosen, or null; `shows` is the filter. */
  constructor(box, heads, data, shows, onChoose) {
    Object.assign(this, { box, heads, data, shows, onChoose, chosen: null, named: new Set(), printed: 0 });
    this.frame = box.parentElement;
    this.picture = svg("svg", { class: "picture", role: "presentation" });
    box.append(this.picture);
    box.addEventListener("click", (event) => {
      const group = event.target.closest("[data-item]");
      this.choose(group ? this.byId.get(group.dataset.item) : null);
    });
    box.addEventListener("keydown", (event) => this.key(event));
    addEventListener("scroll", () => this.follow(), { passive: true });
    addEventListener("resize", () => this.follow(), { passive: true });
    this.frame.addEventListener("scroll", () => { this.heads.scrollLeft = this.frame.scrollLeft; }, { passive: true });
    new ResizeObserver(() => { if (!this.printed && this.wide !== this.frame.clientWidth) this.lay(); }).observe(this.frame);
    this.lay();
  }

  /** Lay everything out anew that `shows` lets through. */
  lay(shows = this.shows) {
    this.shows = shows;
    this.wide = this.printed || this.frame.clientWidth;
    const kept = this.chosen?.of;
    const { hosts } = this.data;
    this.sides = sidesOf(hosts, this.wide);
    this.at = new Map(this.sides.map((side) => [side.host, side]));
    const keys = new Map(this.sides.map((side) => [side.host, keysBeside(side, hosts.length)]));
    this.items = itemsOf(this.data, shows, (host) => keys.get(host) ?? []);
    Object.assign(this, place(this.items.flatMap((item) => item.marks)));
    for (const item of this.items) Object.assign(item, { y1: item.begin.y, y2: item.finish.y });
    for (const side of this.sides) giveLanes(side, this.items);
    const faults = lanes(this.items.filter((item) => item.kind === "fault"));
    Object.assign(this, giveColumns(this.sides, this.wide, faults, this.wishes()));
    this.items.sort((one, other) => one.y1 - other.y1);
    this.long = this.items.filter((item) => item.y2 - item.y1 > MARGIN);
    this.short = this.items.filter((item) => item.y2 - item.y1 <= MARGIN);
    this.giveTimes();
    this.byId = new Map(this.items.map((item) => [item.id, item]));
    this.chosen = this.items.find((item) => item.of === kept) ?? null;
    this.box.style.height = `${this.height}px`;
    this.box.style.width = `${this.full}px`;
    this.drawHeads();
    this.draw(true);
  }

  /** How much room the words beside each host would like, long enough for most of them. */
  wishes() {
    const found = new Map();
    for (const side of this.sides) {
      const lengths = this.items.filter((item) => item.of.host === side.host && (item.kind === "call" || item.kind === "event"))
        .map((item) => (item.kind === "call" ? Math.max(...callWords(item).map((text) => text.length)) : item.of.text.length));
      lengths.sort((one, other) => one - other);
      found.set(side.host, Math.min(this.sides.length > 2 ? 270 : 360, (lengths[Math.floor(lengths.length * 0.85)] ?? 0) * 7.3 + 12));
    }
    return found;
  }

  /** Which items show their time: each, unless that of another is too near. */
  giveTimes() {
    let last = -100;
    for (const item of this.items) {
      item.timed = item.kind !== "state" && item.y1 - last >= TIME_ROOM;
      if (item.timed) last = item.y1;
    }
  }

  drawHeads() {
    const picture = svg("svg", { width: this.full, height: 34 });
    picture.append(svg("text", { x: this.times, y: 22, class: "time end" }, "ms"));
    this.sides.forEach((side, place) => {
      const next = this.sides[place + 1], before = this.sides[place - 1];
      const room = Math.min(next ? next.x - side.x : 240, before ? side.x - before.x : 240) - 12;
      const text = svg("text", { x: side.x, y: 22, class: "host" }, fitted(side.host, room, HOST_FONT));
      const half = wideOf(side.host, HOST_FONT) / 2;
      if (side.x + half > this.full - 6) text.setAttribute("x", Math.max(half, this.full - half - 6));
      if (side.x - half < this.gutter) text.setAttribute("x", this.gutter + half);
      picture.append(text);
    });
    this.heads.replaceChildren(picture);
  }

  /** Draw anew where the window has moved near the edge of what is drawn. */
  follow() {
    if (this.printed) return;
    const top = -this.box.getBoundingClientRect().top;
    const low = this.from > 0 && top < this.from + MARGIN / 3;
    const high = this.to < this.height && top + innerHeight > this.to - MARGIN / 3;
    if (low || high) this.draw();
  }

  draw(anew = false) {
    if (this.printed) return;
    const top = -this.box.getBoundingClientRect().top;
    const from = Math.min(Math.max(0, top - MARGIN), Math.max(0, this.height - innerHeight));
    const to = Math.min(this.height, Math.max(from, top) + innerHeight + MARGIN);
    if (!anew && from === this.from && to === this.to) return;
    Object.assign(this, { from, to });
    this.fill(this.picture, from, to);
    this.picture.style.top = `${from}px`;
    this.mark();
  }

  /** Put everything between two heights into one picture. */
  fill(picture, from, to) {
    const high = Math.max(1, to - from);
    for (const [key, value] of Object.entries({ width: this.full, height: high, viewBox: `0 ${from} ${this.full} ${high}` })) {
      picture.setAttribute(key, value);
    }
    const [behind, states, gaps, marks, words] = Array.from({ length: 5 }, () => svg("g"));
    for (const side of this.sides) this.drawLife(behind, side, from, to);
    for (const item of this.within(from, to)) {
      const group = this.drawn(item, from, to);
      if (this.printed) this.keepToPiece(group, item, from, to);
      (item.kind === "state" ? states : marks).append(group);
      if (item.kind !== "state") words.append(this.wordsOf(group));
    }
    for (const one of this.breaks) if (one.y > from - ROW && one.y < to + ROW) gaps.append(drawBreak(one, this.times, this.full));
    picture.replaceChildren(stripes(), behind, states, gaps, marks, words);
  }

  /** The items that reach into a part of the picture. */
  within(from, to) {
    const found = this.long.filter((item) => item.y1 <= to && item.y2 >= from);
    let low = 0, high = this.short.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.short[middle].y1 < from - MARGIN - ROW) low = middle + 1;
      else high = middle;
    }
    for (; low < this.short.length && this.short[low].y1 <= to + ROW; low++) {
      if (this.short[low].y2 >= from - ROW) found.push(this.short[low]);
    }
    return found;
  }

  /** A host's line, dotted while the host or one of its links is off. */
  drawLife(group, side, from, to) {
    const cuts = [];
    let since = null, awaited = "";
    for (const one of this.data.events) {
      if (one.host !== side.host || one.kind !== "host") continue;
      if (since === null && one.what in OFF) [since, awaited] = [heightAt(this.marks, one.at), OFF[one.what]];
      else if (since !== null && one.what === awaited) {
        cuts.push([since, heightAt(this.marks, one.at)]);
        since = null;
      }
    }
    if (since !== null) cuts.push([since, this.height]);
    const line = (y1, y2, off) => {
      [y1, y2] = [Math.max(y1, from), Math.min(y2, to)];
      if (y2 > y1) group.append(svg("line", { x1: side.x, x2: side.x, y1, y2, class: `life${off ? " off" : ""}` }));
    };
    let y = 0;
    for (const [begin, end] of cuts) {
      line(y, begin, false);
      line(begin, end, true);
      y = end;
    }
    line(y, this.height, false);
  }

  drawn(item, from, to) {
    const group = svg("g", {
      "data-item": item.id, id: this.printed ? "" : item.id, class: `item ${item.kind}`, role: "option", "aria-label": sayOf(item, this.data),
    });
    if (item.timed && item.y1 >= from - ROW && item.y1 <= to + ROW) {
      group.append(svg("text", { x: this.times, y: item.y1 + 4, class: "time end" }, (item.begin.at / 1e6).toFixed(2)));
    }
    const beyond = this.printed ? 0 : 10;
    DRAWING[item.kind](group, item, this.at, this.full, from - beyond, to + beyond, this);
    if (item.kind === "packet" && this.named.has(item.of.number)) group.classList.add("named");
    if (item.kind === "call" && this.named.has(item.of)) group.classList.add("named");
    return group;
  }

  /** The words of an item in a group of their own, which stands above the lines of all others. */
  wordsOf(group) {
    const words = svg("g", { "data-item": group.dataset.item, class: group.getAttribute("class"), "aria-hidden": "true" });
    words.append(...group.querySelectorAll(":scope > text"));
    return words;
  }

  // --- choosing ---

  /** Choose an item; with `scroll` bring it into view; null chooses nothing. */
  choose(item, scroll = false) {
    this.chosen = item ?? null;
    this.onChoose(this.chosen);
    if (item && scroll) this.reveal(item);
    this.mark();
  }

  reveal(item) {
    const y = item.y1 + this.box.getBoundingClientRect().top;
    const lowest = document.body.classList.contains("with-details") && innerWidth < 1100 ? 0.36 : 0.85;
    if (y < 90 || y > innerHeight * lowest) scrollBy({ top: y - innerHeight * (lowest < 0.5 ? 0.2 : 0.35), behavior: "instant" });
    this.draw();
  }

  mark() {
    for (const one of this.box.querySelectorAll("[data-item]")) one.classList.toggle("chosen", one.dataset.item === this.chosen?.id);
    for (const one of this.box.querySelectorAll("[aria-selected]")) one.removeAttribute("aria-selected");
    const group = this.chosen && document.getElementById(this.chosen.id);
    if (group) {
      group.setAttribute("aria-selected", "true");
      this.box.setAttribute("aria-activedescendant", this.chosen.id);
    } else this.box.removeAttribute("aria-activedescendant");
  }

  /** Show that a finding speaks of these packets (by number) and calls, and go to the first of them. */
  lead(packets, calls) {
    this.named = new Set([...packets, ...calls]);
    const first = this.items.find((item) => (item.kind === "packet" && this.named.has(item.of.number)) || this.named.has(item.of));
    this.draw(true);
    if (first) this.choose(first, true);
    return Boolean(first);
  }

  key(event) {
    const here = this.items.indexOf(this.chosen);
    const steps = { ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + 10, PageUp: here - 10, Home: 0, End: this.items.length - 1 };
    if (event.key in steps && this.items.length) {
      event.preventDefault();
      this.choose(this.items[Math.min(this.items.length - 1, Math.max(0, steps[event.key]))], true);
    } else if (event.key === "Escape") {
      this.choose(null);
    } else if (event.key === "Enter" && this.chosen) {
      event.preventDefault();
      document.getElementById("details").focus();
    }
  }

  // --- paper ---

  /** All of it (up to a height) laid out for paper, in pieces that pages are made of; returns whether that is all. */
  unroll(limit) {
    if (this.printed) return true;
    this.printed = PRINTED_WIDE;
    this.lay();
    this.box.style.height = this.box.style.width = "auto";
    const pieces = [];
    for (let from = 0, to, end = Math.min(this.height, limit); from < end; from = to) {
      const piece = svg("svg", { class: "piece" });
      to = from + PIECE < end ? this.cutNear(from + PIECE) : end;
      this.fill(piece, from, to);
      pieces.push(piece);
    }
    this.heads.firstChild.setAttribute("viewBox", `0 0 ${this.full} 34`);
    for (const one of [this.heads.firstChild, ...pieces]) one.removeAttribute("height");
    this.box.replaceChildren(...pieces);
    return this.height <= limit;
  }

  /** Leave out of a piece what is on the piece before or after it. */
  keepToPiece(group, item, from, to) {
    const begins = item.y1 >= from && item.y1 < to;
    const ends = item.y2 >= from && item.y2 < to;
    const others = { packet: begins ? "" : "*", event: begins ? "" : "*", fault: "", state: "", call: begins ? "" : ".call-label:not(.back), .ground, .named-edge" };
    const left = [others[item.kind], begins ? "" : ".time", item.kind === "call" && !ends ? ".back" : ""].filter(Boolean).join(", ");
    if (left) for (const one of group.querySelectorAll(left)) one.remove();
  }

  /** A height a little above `y` that is as far from all words as can be. */
  cutNear(y) {
    const words = this.marks.filter((mark) => mark.y > y - 80 && mark.y < y + 30).map((mark) => mark.y - 2);
    let best = y, most = -1;
    for (let cut = y; cut > y - 50; cut -= 2) {
      const near = Math.min(...words.map((one) => Math.abs(one - cut)));
      if (near > most) [best, most] = [cut, near];
    }
    return best;
  }

  /** Back to a picture of what is in view. */
  roll() {
    if (!this.printed) return;
    this.printed = 0;
    this.box.replaceChildren(this.picture);
    this.lay();
  }
}
