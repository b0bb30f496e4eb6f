// The panel beside the picture: what is selected, and how to ask for more on
// the command line. Everything that logs say goes in as text, never as markup.

function element(name, properties, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(properties || {})) {
    if (k === "on") for (const [event, f] of Object.entries(v)) e.addEventListener(event, f);
    else if (k === "colour") e.style.setProperty("--c", v);
    else if (k in e && k !== "role") e[k] = v;
    else e.setAttribute(k, v);
  }
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

const panel = document.getElementById("panel");

function quote(s) { return /^[A-Za-z0-9_.\/:=,@%+-]+$/.test(s) ? s : "'" + s.replaceAll("'", "'\\''") + "'"; }

// command fills a template of the header. A view of one node asks that node's
// log, along its own axis; what was so stands in all of them.
function command(name, values) {
  const v = view(), known = v.source >= 0;
  const logs = header.logs.map(l => l.quoted).join(" ");
  const all = { log: known ? header.logs[v.source].quoted : logs, logs };
  for (const [k, value] of Object.entries(values)) all[k] = quote(String(value));
  const line = header.commands[name].replace(/\{(\w+)\}/g, (_, k) => all[k]);
  return known && name !== "show" ? line + " --axis known" : line;
}

function commands(title, ...lines) {
  const block = element("section", { className: "commands" }, element("h3", {}, title));
  for (const line of lines) {
    const button = element("button", { className: "copy", title: "Copy" }, "copy");
    button.addEventListener("click", () => {
      const done = () => { button.textContent = "copied"; setTimeout(() => { button.textContent = "copy"; }, 1200); };
      if (navigator.clipboard) navigator.clipboard.writeText(line).then(done, () => select(code)); else select(code);
    });
    const code = element("code", {}, line);
    block.append(element("div", { className: "command" }, code, button));
  }
  return block;
}

function select(node) { getSelection().selectAllChildren(node); }

function facts(list) {
  const dl = element("dl", {});
  for (const [k, v] of list) if (v !== null && v !== "") dl.append(element("dt", {}, k), element("dd", {}, v));
  return dl;
}

function chip(id, small) {
  const place = nodePlace.get(id);
  return element("button", { className: "chip" + (small ? " small" : ""), colour: place === undefined ? "transparent" : header.nodes[place].colour,
    title: "Show node " + id, on: { click: () => selectNode(id) } }, id);
}

function showPanel() {
  panel.replaceChildren();
  const s = state.selection;
  if (!s) panel.append(...overviewPanel());
  else if (s.kind === "partition") panel.append(...partitionPanel(s));
  else if (s.kind === "node") panel.append(...nodePanel(s));
  else if (s.kind === "marker") panel.append(...markerPanel(s));
  else panel.append(...timePanel(s));
}

function heading(title, sub, close) {
  const h = element("div", { className: "heading" }, element("div", {}, element("h2", {}, title), element("p", {}, sub)));
  if (close) h.append(element("button", { className: "quiet", title: "Close (Esc)", "aria-label": "Close", on: { click: () => choose(null) } }, "✕"));
  return h;
}

function between(from, until) {
  const a = clock(from, true), b = clock(until, true);
  return a.date === b.date ? a.date + ", " + a.time + " to " + b.time : a.date + " " + a.time + " to " + b.date + " " + b.time;
}

function overviewPanel() {
  const v = view(), from = Math.max(state.from, 0), until = Math.min(state.until, span);
  const out = [heading("Visible", between(from, until))];
  out.push(facts([["for", lasted(until - from)], ["nodes", thousands(v.nodes.names.length)], ["partitions", thousands(v.partitions.names.length)],
    ["intervals", thousands(v.partitions.count + v.nodes.count)], ["unowned, most", number(visibleTop(v.unowned))],
    ["imbalance, most", number(visibleTop(v.imbalance) / 1000)]]));
  out.push(commands("The same on the command line", command("diff", { from: iso(from), until: iso(until) }), command("log", { from: iso(from), until: iso(until) })));
  out.push(element("section", { className: "key" }, element("h3", {}, "Signs"), key()));
  out.push(element("p", { className: "hint" }, "Click an interval, a node or an event to see why it is there. Drag to move, scroll to zoom, drag along the ruler to zoom into a span."));
  return out;
}

// key explains forms and colours.
function key() {
  const box = element("div", { className: "keybox" });
  const add = (paintIt, name) => {
    const c = element("canvas", { className: "sample", width: 52, height: 32 });
    const p = c.getContext("2d");
    p.scale(2, 2);
    paintIt(p);
    box.append(element("span", {}, c, name));
  };
  header.statuses.forEach((name, i) => add(p => condition(p, [0, i, 0], 0, 2, 26, 12), name));
  add(p => { p.fillStyle = theme.empty; p.fillRect(0, 2, 26, 12); }, "unassigned");
  add(p => { p.fillStyle = header.nodes.length ? header.nodes[0].colour : theme.dim; p.fillRect(0, 2, 9, 12); p.fillStyle = theme.lost; p.fillRect(9, 2, 17, 12); }, "owner absent");
  const signs = [["joined, recovered", 2], ["suspected", 1], ["failed, forked", 0], ["left, removed", 3], ["coordinator", 4], ["configuration", 6], ["application", 7]];
  for (const [name, k] of signs) add(p => glyph(p, k, 13, 8), name);
  return box;
}

function partitionPanel(s) {
  const lanes = view().partitions, lane = lanes.place.get(s.id), i = lane === undefined ? -1 : lanes.find(lane, s.at);
  const subject = "partition/" + s.id, out = [];
  if (i < 0) {
    out.push(heading("partition " + s.id, "nobody yet, at " + full(s.at), true));
    out.push(commands("Ask", command("state", { at: iso(s.at) })));
    return out;
  }
  const label = data.owners[lanes.label[i]], from = lanes.start[i], until = lanes.end(lane, i), last = i + 1 === lanes.first[lane + 1];
  out.push(heading("partition " + s.id, word(label[0]) || "assigned", true));
  const owners = element("span", { className: "owners" });
  label.slice(1).forEach((w, k) => owners.append(chip(word(w), k > 0)));
  if (label.length < 2) owners.append("nobody");
  out.push(facts([["owners", owners], ["from", full(from)], ["until", last ? "the end" : full(until)], ["lasted", lasted(until - from)],
    ["epoch", lanes.upper[i] + "." + lanes.lower[i]]]));
  out.push(steps(() => step(-1), () => step(1), i - lanes.first[lane] + 1, lanes.first[lane + 1] - lanes.first[lane], from, until));
  const at = iso(from);
  out.push(commands("Why, on the command line", command("blame", { subject, at }), command("history", { subject, at: iso(Math.min(until, span)) }),
    command("state", { at })));
  if (data.views.length > 1) out.push(knownBy(s.id, lanes, i));
  out.push(around(lanes, lane, i));
  return out;
}

function steps(back, on, n, of, from, until) {
  return element("div", { className: "steps" }, element("button", { on: { click: back }, title: "The one before ([)" }, "‹"),
    element("span", {}, thousands(n) + " of " + thousands(of)), element("button", { on: { click: on }, title: "The next one (])" }, "›"),
    element("button", { on: { click: () => zoomTo(from, until) }, title: "Zoom to it (z)" }, "zoom"));
}

// knownBy says when each node came to know of an assignment: the interval of
// its own view with the same epoch.
function knownBy(id, lanes, i) {
  const list = element("dl", {}), from = data.views[0].partitions === lanes ? lanes.start[i] : null;
  let truth = from;
  const first = data.views[0].partitions, own = first.place.get(id);
  if (truth === null && own !== undefined) truth = startOf(first, own, lanes.upper[i], lanes.lower[i]);
  for (const v of data.views.slice(1)) {
    const lane = v.partitions.place.get(id);
    const at = lane === undefined ? null : startOf(v.partitions, lane, lanes.upper[i], lanes.lower[i]);
    let said = "not by itself"; // superseded before it came, or never
    if (at !== null) said = truth === null ? full(at) : at <= truth ? "at once" : "after " + lasted(at - truth);
    list.append(element("dt", {}, header.logs[v.source].title), element("dd", { className: at === null ? "never" : "" }, said));
  }
  return element("section", {}, element("h3", {}, "Who knew, and when"), list);
}

function startOf(lanes, lane, upper, lower) {
  for (let i = lanes.first[lane]; i < lanes.first[lane + 1]; i++) if (lanes.upper[i] === upper && lanes.lower[i] === lower) return lanes.start[i];
  return null;
}

// around lists the intervals about one.
function around(lanes, lane, i) {
  const list = element("ol", { className: "around" });
  for (let k = Math.max(i - 4, lanes.first[lane]); k < Math.min(i + 5, lanes.first[lane + 1]); k++) {
    const label = data.owners[lanes.label[k]], id = label.length > 1 ? word(label[1]) : "", place = nodePlace.get(id);
    list.append(element("li", { className: k === i ? "here" : "" }, element("button", { colour: place === undefined ? "transparent" : header.nodes[place].colour,
      on: { click: () => { choose({ kind: "partition", id: lanes.names[lane], at: lanes.start[k] }); reveal(lanes.start[k]); } } },
      element("span", {}, full(lanes.start[k]).slice(11)), element("b", {}, id || "nobody"), element("em", {}, word(label[0])))));
  }
  return element("section", {}, element("h3", {}, "Before and after"), list);
}

function nodePanel(s) {
  const v = view(), lanes = v.nodes, lane = lanes.place.get(s.id), i = lane === undefined ? -1 : lanes.find(lane, s.at), out = [];
  if (i < 0) {
    out.push(heading(s.id, "node, not known at " + full(s.at), true));
    out.push(commands("Ask", command("blame", { subject: "node/" + s.id, at: iso(span) })));
    return out;
  }
  const label = data.states[lanes.label[i]], from = lanes.start[i], until = lanes.end(lane, i), last = i + 1 === lanes.first[lane + 1];
  out.push(heading(s.id, "node, " + header.statuses[label[1]] + (label[2] ? ", draining" : "") + (word(label[0]) ? ": " + word(label[0]) : ""), true));
  const held = holdings(v, s.id, s.at);
  out.push(facts([["from", full(from)], ["until", last ? "the end" : full(until)], ["lasted", lasted(until - from)],
    ["incarnation", String(lanes.upper[i] * 4294967296 + lanes.lower[i])], ["owns then", thousands(held[0]) + " partitions"], ["holds then", thousands(held[1]) + " copies"]]));
  out.push(steps(() => step(-1), () => step(1), i - lanes.first[lane] + 1, lanes.first[lane + 1] - lanes.first[lane], from, until));
  out.push(element("button", { className: "wide", on: { click: () => focus(state.owner === s.id ? "" : s.id) } },
    state.owner === s.id ? "Show all owners" : "Show only what it owned"));
  const subject = "node/" + s.id;
  out.push(commands("Why, on the command line", command("blame", { subject, at: iso(from) }), command("history", { subject, at: iso(span) }),
    command("node", { id: s.id, from: iso(from), until: iso(until) })));
  return out;
}

function holdings(v, id, at) {
  let owns = 0, holds = 0;
  for (let lane = 0; lane < v.partitions.names.length; lane++) {
    const i = v.partitions.find(lane, at);
    if (i < 0) continue;
    const label = data.owners[v.partitions.label[i]];
    for (let k = 1; k < label.length; k++) if (word(label[k]) === id) { holds++; if (k === 1) owns++; }
  }
  return [owns, holds];
}

function markerPanel(s) {
  const m = data.markers, i = s.index, name = word(m.origin[i]) + ":" + m.seq[i], subject = word(m.subject[i]);
  const out = [heading(word(m.type[i]), word(m.what[i]) || subject, true)];
  out.push(facts([["time", full(m.at[i])], ["about", subject], ["event", name], ["by", word(m.actor[i])]]));
  out.push(steps(() => step(-1), () => step(1), i + 1, m.count, m.at[i] - 5000, m.at[i] + 5000));
  const lines = [command("show", { event: name })];
  if (/^(node|partition|value|config|coordinator)(\/|$)/.test(subject)) lines.push(command("blame", { subject, at: iso(m.at[i]) }));
  lines.push(command("state", { at: iso(m.at[i]) }));
  out.push(commands("On the command line", ...lines));
  const logs = header.logs.length;
  if (logs > 1) {
    const list = element("dl", {});
    header.logs.forEach((log, j) => {
      const at = m.learnt[i * logs + j];
      const said = at === -Infinity ? "does not hold it" : isNaN(at) ? "does not say" : at - m.at[i] < 1 ? "at once" : "after " + lasted(at - m.at[i]);
      list.append(element("dt", {}, log.title), element("dd", { className: at === -Infinity ? "never" : "" }, said));
    });
    out.push(element("section", {}, element("h3", {}, "Who knew, and when"), list));
  }
  return out;
}

function timePanel(s) {
  const v = view(), at = s.at, counts = new Map();
  for (let lane = 0; lane < v.nodes.names.length; lane++) {
    const i = v.nodes.find(lane, at);
    if (i < 0) continue;
    const status = header.statuses[data.states[v.nodes.label[i]][1]];
    counts.set(status, (counts.get(status) || 0) + 1);
  }
  const out = [heading("At " + full(at).slice(11), full(at).slice(0, 10), true)];
  out.push(facts([...[...counts].map(([k, n]) => [k, String(n)]), ["unowned", number(v.unowned.value(at))], ["imbalance", number(v.imbalance.value(at) / 1000)],
    ...data.behind.map((c, i) => [header.logs[i].title + " lacks", number(c.value(at)) + " events"])]));
  out.push(commands("The same on the command line", command("state", { at: iso(at) })));
  return out;
}
