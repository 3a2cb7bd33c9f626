// The page: head, findings, filter, keys. The data is JSON of this run, beside this script.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const WORDS = { pass: "passed", fail: "failed", unknown: "unknown" };
const MARKS = { pass: "✓", fail: "✗", unknown: "?" };
const MOST_LEADS = 12;
const MOST_ON_PAPER = 40000;

const reads = (query) => matchMedia(query).matches;

/** The switch between light and dark; without it the page is as the system wants it. */
function themeButton() {
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : reads("(prefers-color-scheme: dark)"));
  const button = html("button", { type: "button", id: "theme" });
  const say = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    say();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
  say();
  return button;
}

function head() {
  const cases = Object.entries(data.case).map(([name, value]) => `${name}=${value}`).join(", ");
  const facts = Object.entries(data.facts).map(([name, value]) => `${name} ${value}`);
  const line = [data.scenario, `played on ${data.engine}`, data.started, `${(data.lasted / 1e9).toFixed(2)} s`, ...facts];
  byId("head").append(
    html("div", { class: "title" },
      html("span", { class: `verdict ${data.verdict}` }, `${MARKS[data.verdict]} ${WORDS[data.verdict]}`),
      html("h1", {}, cases ? `${data.name} (${cases})` : data.name), themeButton()),
    data.about ? html("p", { class: "about" }, data.about) : "",
    html("p", { class: "facts" }, ...line.map((one) => html("span", {}, one))),
    data.problem ? html("p", { class: "problem" }, data.problem) : "",
    data.capture ? html("p", { class: "facts links" }, "The packets for Wireshark, beside this page: ", html("a", { href: data.capture, download: true }, data.capture)) : "",
  );
}

/** A button that leads from a finding to what it speaks of. */
function lead(said, name, packets, calls) {
  const button = html("button", { type: "button", class: "lead", "aria-label": name }, said);
  button.addEventListener("click", () => {
    if (!ladder.lead(packets, calls)) {
      clearFilter();
      ladder.lead(packets, calls);
    }
    byId("ladder").focus({ preventScroll: true });
  });
  return button;
}

function leads(one) {
  const calls = one.calls.map((place) => data.calls[place]);
  const made = [];
  if (calls.length) made.push(lead("its call", "Show what this step called", [], calls));
  if (one.packets.length > 1) made.push(lead(`${one.packets.length} packets`, "Show the packets of this finding", one.packets, []));
  const few = one.packets.length <= (one.verdict === "pass" ? 1 : MOST_LEADS) ? one.packets : [];
  for (const number of few) made.push(lead(`packet ${number}`, `Show packet ${number}`, [number], []));
  return made.length ? html("span", { class: "leads" }, ...made) : "";
}

function findings() {
  for (const one of data.findings) {
    const detail = one.detail ? html("details", { class: "more", open: one.verdict !== "pass" }, html("summary", {}, "expected and seen"), html("pre", { tabindex: 0 }, one.detail)) : "";
    byId("findings").append(html("li", { class: one.verdict },
      html("span", { class: "mark", role: "img", "aria-label": WORDS[one.verdict] }, MARKS[one.verdict]),
      html("span", { class: "check" }, one.check),
      html("span", { class: "said" }, html("span", {}, one.summary), leads(one)),
      html("span", { class: "place" }, one.place),
      detail));
  }
}

/** A small picture for the legend, of the ladder's own parts. */
function swatch(said, wide, ...parts) {
  return html("li", {}, svg("svg", { width: wide, height: 14, viewBox: `0 0 ${wide} 14`, "aria-hidden": "true" }, ...parts), said);
}

function legend() {
  const packets = data.packets.filter((one) => !one.quiet);
  const bar = (kind, attributes = {}) => svg("rect", { x: 2, y: 1, width: 8, height: 12, rx: 2, class: kind, ...attributes });
  const arrow = (kind) => [svg("line", { x1: 0, x2: 18, y1: 7, y2: 7, class: `wire kind-${kind}` }), svg("path", { d: "M24 7l-8 -4v8z", class: `tip kind-${kind}` })];
  const items = [
    swatch("a call, from begin to return", 12, bar("bar")),
    swatch("asleep in the kernel", 12, stripes(), bar("asleep", { fill: "url(#stripes)" })),
  ];
  if (data.calls.some((one) => one.failed)) items.push(swatch("failed", 12, bar("bar failed")));
  if (data.calls.some((one) => one.ended === null)) items.push(swatch("never returned", 12, svg("path", { d: "M1 5l5 5l5 -5", class: "open-end" })));
  items.push(swatch("packet", 26, ...arrow("plain")));
  if (packets.some((one) => one.kind === "data")) items.push(swatch("with data", 26, ...arrow("data")));
  if (packets.some((one) => one.kind === "reset")) items.push(swatch("reset", 26, ...arrow("reset")));
  if (packets.some((one) => one.lost)) items.push(swatch("lost", 26, svg("line", { x1: 0, x2: 18, y1: 7, y2: 7, class: "wire lost" }), svg("path", { d: "M15 2l10 10m-10 0l10 -10", class: "cross" })));
  if (packets.some((one) => one.struck.length)) items.push(swatch("struck by a fault", 12, svg("path", { d: "M1 7l5 -5l5 5l-5 5z", class: "struck-mark" })));
  if (data.faults.length) items.push(swatch("fault in force", 8, svg("rect", { x: 1, y: 1, width: 5, height: 12, rx: 2, class: "fault-line" })));
  const entered = new Set(data.states.flatMap((one) => one.entered.map((change) => change.state)));
  for (const state of Object.keys(CODES).filter((one) => entered.has(one))) {
    items.push(swatch(state, 18, svg("rect", { width: 18, height: 14, rx: 2, class: `state-${state}` }), svg("text", { x: 9, y: 10.5, class: "state-name middle" }, CODES[state])));
  }
  byId("legend").append(html("ul", { "aria-label": "What the marks mean" }, ...items));
  for (const one of data.states) if (one.why) byId("legend").append(html("p", { class: "hint" }, `The states of ${one.socket} cannot be told: ${one.why}`));
}

function choices() {
  const counts = new Map();
  for (const one of data.packets) counts.set(one.flow, (counts.get(one.flow) ?? 0) + 1);
  byId("flow").append(html("option", { value: "" }, "all"), ...data.flows.map((name, number) => html("option", { value: number }, `${name} (${counts.get(number) ?? 0})`)));
  byId("host").append(html("option", { value: "" }, "all"), ...data.hosts.map((host) => html("option", { value: host }, host)));
  byId("quiet").parentElement.hidden = !data.packets.some((one) => one.quiet);
}

/** Whether the filter as it stands lets something through. */
function filter() {
  const flow = byId("flow").value, host = byId("host").value, text = byId("text").value.trim().toLowerCase(), quiet = byId("quiet").checked;
  const number = Number(flow);
  return (one, kind) => {
    if (kind === "packet" && one.quiet && !quiet) return false;
    if (flow !== "" && kind === "packet" && one.flow !== number) return false;
    if (flow !== "" && (kind === "call" || kind === "state") && !one.flows.includes(number)) return false;
    if (host && kind === "packet" && one.from !== host && !one.to.includes(host)) return false;
    if (host && kind !== "packet" && one.host !== host) return false;
    if (!text || kind === "state") return true;
    const said = kind === "packet" ? [one.label, one.source, one.target, ...one.struck] : [one.label ?? one.text, one.outcome ?? "", one.host];
    return said.join(" ").toLowerCase().includes(text);
  };
}

function count(ladder) {
  const shown = (kind) => ladder.items.filter((one) => one.kind === kind).length;
  byId("counted").textContent = `${shown("packet")} of ${data.packets.length} packets, ${shown("call")} of ${data.calls.length} calls`;
}

const details = byId("details");
function closeDetails() {
  ladder.choose(null);
  byId("ladder").focus({ preventScroll: true });
}

function clearFilter() {
  byId("filter").reset();
  refilter();
}

function refilter() {
  ladder.lay(filter());
  count(ladder);
}

function toPaper() {
  byId("unprinted").hidden = ladder.unroll(MOST_ON_PAPER);
}

head();
legend();
choices();
findings();
const ladder = new Ladder(byId("ladder"), byId("heads"), data, filter(), (item) => showDetails(details, item, data, closeDetails));
count(ladder);
byId("filter").addEventListener("input", refilter);
byId("filter").addEventListener("submit", (event) => event.preventDefault());
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !details.hidden) closeDetails();
  if (event.key === "/" && !/INPUT|SELECT/.test(document.activeElement.tagName)) {
    event.preventDefault();
    byId("text").focus();
  }
});
addEventListener("beforeprint", toPaper);
addEventListener("afterprint", () => ladder.roll());
if (reads("print")) toPaper();
matchMedia("print").addEventListener("change", (query) => (query.matches ? toPaper() : ladder.roll()));
if (data.left_out) {
  byId("left-out").hidden = false;
  byId("left-out").textContent = data.left_out;
}
if (data.source) {
  byId("source").hidden = false;
  byId("source").querySelector("pre").textContent = data.source;
}
