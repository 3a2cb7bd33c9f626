"use strict";
// Time to height. Nothing here draws or touches the document.
//
// Time runs down and never back, but not evenly: what takes microseconds must be readable beside what takes seconds. So a
// pause adds to the height by its logarithm, labels in one column keep a row's distance, and long pauses are breaks that
// say how long they were.

const ROW = 20;
const BREAK_NS = 20e6;
const BREAK_HEIGHT = 42;

/** The height in pixels that a pause of so many nanoseconds adds. */
function heightOf(pause) {
  if (pause < 500) return 0;
  if (pause >= BREAK_NS) return BREAK_HEIGHT;
  return 2 + 5 * Math.log10(pause / 500);
}

/**
 * Give each mark its `y`. A mark is {at, rank, keys, room}: a moment in nanoseconds, what comes first at the same moment,
 * the columns in which it needs a place of its own, and how high that is. Returns the height of all, the breaks ({y, pause})
 * and the marks in order.
 */
function place(marks) {
  marks.sort((one, other) => one.at - other.at || one.rank - other.rank);
  const last = new Map();
  const breaks = [];
  let y = ROW;
  let at = marks.length ? marks[0].at : 0;
  for (const mark of marks) {
    const pause = mark.at - at;
    const before = y;
    y += heightOf(pause);
    for (const key of mark.keys) {
      if (last.has(key)) y = Math.max(y, last.get(key) + (mark.room ?? ROW));
    }
    for (const key of mark.keys) last.set(key, y);
    if (pause >= BREAK_NS) breaks.push({ y: (before + y) / 2, pause });
    mark.y = y;
    at = mark.at;
  }
  return { height: y + 2 * ROW, breaks, marks };
}

/** The height of any moment, between those of the marks around it. */
function heightAt(marks, at) {
  let low = 0, high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (marks[middle].at <= at) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return 0;
  const before = marks[low - 1], after = marks[low];
  if (!after) return before.y;
  return before.y + ((after.y - before.y) * (at - before.at)) / (after.at - before.at);
}

/** Give each item with `y1` and `y2` a `lane`, so that none meets another in its lane; returns how many lanes there are. */
function lanes(items) {
  const free = [];
  for (const item of [...items].sort((one, other) => one.y1 - other.y1)) {
    let lane = free.findIndex((end) => end <= item.y1);
    if (lane < 0) lane = free.length;
    free[lane] = item.y2 + 1;
    item.lane = lane;
  }
  return free.length;
}

/** A time in nanoseconds for a reader: `0.02 ms`, `1.25 s`. */
function spoken(ns) {
  const size = Math.abs(ns);
  if (size < 1e3) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${(ns / 1e3).toFixed(size < 1e4 ? 1 : 0)} µs`;
  if (size < 1e9) return `${(ns / 1e6).toFixed(size < 1e7 ? 2 : size < 1e8 ? 1 : 0)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}
