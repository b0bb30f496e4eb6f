// What the page does: moving, choosing, searching, links.

let pending = false;

function refresh(link) {
  if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; draw(); drawOver(); if (!state.selection) later(showPanel); }); }
  if (link !== false) later(writeLink);
}

// later runs something once things have calmed down.
const waiting = new Map();
function later(f) {
  clearTimeout(waiting.get(f));
  waiting.set(f, setTimeout(f, 180));
}

// moved notes that the picture moves, and draws it finely once it rests.
function moved() { state.moving = true; later(rest); }

function rest() { state.moving = false; refresh(false); }

function show(from, until) {
  const length = clamp(until - from, Math.min(4, span), span);
  from = clamp(from, 0, span - length);
  state.from = from; state.until = from + length;
  moved(); refresh();
}

function zoom(factor, x) {
  const at = clamp(timeOf(x === undefined ? layout.left + layout.plot / 2 : x), 0, span);
  const length = clamp((state.until - state.from) * factor, Math.min(4, span), span);
  const part = (at - state.from) / (state.until - state.from);
  show(at - part * length, at + (1 - part) * length);
}

function zoomTo(from, until) { const margin = Math.max((until - from) * .15, 5); show(from - margin, until + margin); }

function reveal(at) {
  if (at >= state.from && at <= state.until) return;
  const half = (state.until - state.from) / 2;
  show(at - half, at + half);
}

function zoomLanes(factor, y) {
  const lanes = view().partitions.names.length, height = clamp(state.laneHeight * factor, layout.least, LANE_MOST);
  const offset = y === undefined ? layout.gridHeight / 2 : y - layout.grid, lane = state.lane + offset / state.laneHeight;
  state.laneHeight = height;
  state.lane = clamp(lane - offset / height, 0, Math.max(lanes - layout.gridHeight / height, 0));
  moved(); refresh();
}

function revealLane(lane) {
  const shown = layout.gridHeight / state.laneHeight;
  if (state.laneHeight < 12) state.laneHeight = Math.max(layout.least, 14);
  else if (lane >= state.lane + 1 && lane < state.lane + shown - 1) return;
  state.lane = Math.max(lane - layout.gridHeight / state.laneHeight / 2, 0);
}

// What lies under the pointer.
function hit(x, y) {
  const l = layout, v = view();
  if (y >= l.grid && y < l.grid + l.gridHeight) {
    const lane = Math.floor(state.lane + (y - l.grid) / state.laneHeight);
    if (lane < v.partitions.names.length) return { kind: "partition", id: v.partitions.names[lane], at: clamp(timeOf(Math.max(x, l.left)), 0, span) };
  }
  if (y >= l.nodes && y < l.nodes + l.nodesShown * l.nodeHeight)
    return { kind: "node", id: v.nodes.names[state.node + Math.floor((y - l.nodes) / l.nodeHeight)], at: clamp(timeOf(Math.max(x, l.left)), 0, span) };
  if (x < l.left) return null;
  if (y >= l.strip && y < l.strip + STRIP) {
    const index = nearestMarker(x, y);
    if (index >= 0) return { kind: "marker", index };
  }
  return { kind: "time", at: clamp(timeOf(x), 0, span) };
}

function nearestMarker(x, y) {
  const m = data.markers, ticks = y > layout.strip + 20;
  let best = -1, distance = 8;
  for (let i = firstMarker(timeOf(x - 8)); i < m.count && m.at[i] <= timeOf(x + 8); i++) {
    if ((SIGNS[sign(m.type[i])].form === "tick") !== ticks) continue;
    const d = Math.abs(xOf(m.at[i]) - x);
    if (d < distance) { distance = d; best = i; }
  }
  return best;
}

function drawOver() {
  const l = layout, p = top_;
  p.setTransform(l.ratio, 0, 0, l.ratio, 0, 0);
  p.clearRect(0, 0, l.width, l.height);
  const h = state.hover, s = state.selection;
  if (h && h.x >= l.left && h.x <= l.left + l.plot) {
    p.strokeStyle = theme.dim; p.globalAlpha = .6; p.lineWidth = 1;
    p.beginPath(); p.moveTo(Math.round(h.x) + .5, RULER); p.lineTo(Math.round(h.x) + .5, l.overview - 2); p.stroke(); p.globalAlpha = 1;
  }
  if (drag && drag.kind === "span") {
    p.fillStyle = theme.accent; p.globalAlpha = .18;
    p.fillRect(Math.min(drag.x, drag.now), RULER, Math.abs(drag.now - drag.x), l.overview - RULER - 4); p.globalAlpha = 1;
  }
  if (s) outline(p, s);
}

// outline marks the selection.
function outline(p, s) {
  const l = layout, v = view();
  p.strokeStyle = theme.text; p.lineWidth = 2;
  let at = s.at, box = null;
  if (s.kind === "marker") at = data.markers.at[s.index];
  if (s.kind === "partition") {
    const lane = v.partitions.place.get(s.id), y = l.grid + (lane - state.lane) * state.laneHeight, i = lane === undefined ? -1 : v.partitions.find(lane, s.at);
    if (i >= 0 && y > l.grid - state.laneHeight && y < l.grid + l.gridHeight) box = [v.partitions.start[i], v.partitions.end(lane, i), y, Math.max(state.laneHeight - 1, 3)];
  } else if (s.kind === "node") {
    const lane = v.nodes.place.get(s.id), k = lane - state.node, i = lane === undefined ? -1 : v.nodes.find(lane, s.at);
    if (i >= 0 && k >= 0 && k < l.nodesShown) box = [v.nodes.start[i], v.nodes.end(lane, i), l.nodes + k * l.nodeHeight + 1, l.nodeHeight - 2];
  }
  p.save();
  p.beginPath(); p.rect(l.left - 2, 0, l.plot + 4, l.height); p.clip();
  if (box) {
    const x0 = xOf(box[0]), x1 = Math.max(xOf(box[1]), x0 + 3);
    p.strokeRect(x0, box[2], x1 - x0, box[3]);
    p.strokeStyle = theme.back; p.lineWidth = 1; p.strokeRect(x0 + 1.5, box[2] + 1.5, Math.max(x1 - x0 - 3, 1), Math.max(box[3] - 3, 1));
    at = box[0];
  }
  p.strokeStyle = theme.accent; p.lineWidth = 1; p.setLineDash([4, 4]);
  p.beginPath(); p.moveTo(Math.round(xOf(at)) + .5, RULER); p.lineTo(Math.round(xOf(at)) + .5, l.overview - 2); p.stroke();
  p.restore();
}

// The tip at the pointer.
const tip = document.getElementById("tip");

function showTip() {
  const h = state.hover, found = h && !drag ? hit(h.x, h.y) : null;
  stage.style.cursor = drag ? "grabbing" : found && found.kind !== "time" ? "pointer" : "default";
  if (!found || h.y > layout.overview - 4) { tip.hidden = true; return; }
  const v = view(), lines = [];
  let at = found.at;
  if (found.kind === "partition") {
    const lane = v.partitions.place.get(found.id), i = v.partitions.find(lane, found.at);
    lines.push(element("b", {}, "partition " + found.id));
    if (i >= 0) {
      const label = data.owners[v.partitions.label[i]];
      lines.push(element("span", {}, label.slice(1).map(word).join(", ") || "nobody"), element("span", {}, word(label[0])), element("span", {}, lasted(v.partitions.end(lane, i) - v.partitions.start[i])));
    } else lines.push(element("span", {}, "nobody yet"));
  } else if (found.kind === "node") {
    const lane = v.nodes.place.get(found.id), i = v.nodes.find(lane, found.at);
    lines.push(element("b", {}, found.id));
    if (i >= 0) { const label = data.states[v.nodes.label[i]]; lines.push(element("span", {}, header.statuses[label[1]]), element("span", {}, word(label[0]))); }
  } else if (found.kind === "marker") {
    const m = data.markers;
    at = m.at[found.index];
    lines.push(element("b", {}, word(m.type[found.index])), element("span", {}, word(m.subject[found.index])), element("span", {}, word(m.what[found.index])));
  } else {
    lines.push(element("span", {}, "unowned " + number(v.unowned.value(at))), element("span", {}, "imbalance " + number(v.imbalance.value(at) / 1000)));
    data.behind.forEach((c, i) => lines.push(element("span", {}, header.logs[i].title + " lacks " + number(c.value(at)) + " events")));
  }
  tip.replaceChildren(element("time", {}, full(at)), ...lines);
  tip.hidden = false;
  const w = tip.offsetWidth, t = tip.offsetHeight;
  tip.style.left = clamp(h.x + 14 + w > layout.width ? h.x - w - 14 : h.x + 14, 0, layout.width - w) + "px";
  tip.style.top = clamp(h.y + 16, 0, layout.height - t - 4) + "px";
}

// Choosing.

function choose(s) {
  state.selection = s;
  showPanel(); refresh();
}

function selectNode(id) {
  const at = state.selection && state.selection.at !== undefined ? state.selection.at : (state.from + state.until) / 2;
  const lane = view().nodes.place.get(id);
  if (lane !== undefined && (lane < state.node || lane >= state.node + layout.nodesShown)) state.node = lane;
  choose({ kind: "node", id, at });
}

function focus(id) {
  state.owner = id;
  drawLegend(); showPanel(); refresh();
}

// step goes to the interval or event before or behind.
function step(by) {
  const s = state.selection;
  if (!s) return;
  if (s.kind === "marker") { const index = clamp(s.index + by, 0, data.markers.count - 1); choose({ kind: "marker", index }); reveal(data.markers.at[index]); return; }
  if (s.kind === "time") { choose({ kind: "time", at: clamp(s.at + by * (state.until - state.from) / 100, 0, span) }); return; }
  const lanes = s.kind === "node" ? view().nodes : view().partitions, lane = lanes.place.get(s.id);
  if (lane === undefined || lanes.first[lane] === lanes.first[lane + 1]) return;
  const i = clamp(lanes.find(lane, s.at) + by, lanes.first[lane], lanes.first[lane + 1] - 1);
  choose({ ...s, at: lanes.start[i] });
  reveal(lanes.start[i]);
}

// neighbour goes to the lane above or below.
function neighbour(by) {
  const s = state.selection;
  if (!s || s.kind === "time" || s.kind === "marker") {
    if (view().partitions.names.length) choose({ kind: "partition", id: view().partitions.names[Math.floor(state.lane)], at: s && s.at !== undefined ? s.at : (state.from + state.until) / 2 });
    return;
  }
  const lanes = s.kind === "node" ? view().nodes : view().partitions, lane = clamp((lanes.place.get(s.id) || 0) + by, 0, lanes.names.length - 1);
  if (s.kind === "partition" && (lane < state.lane || lane >= state.lane + layout.gridHeight / state.laneHeight - 1)) state.lane = Math.max(state.lane + by, 0);
  if (s.kind === "node") state.node = clamp(state.node, lane - layout.nodesShown + 1, lane);
  choose({ ...s, id: lanes.names[lane] });
}

// The pointer.

let drag = null;

stage.addEventListener("pointerdown", e => {
  if (e.button !== 0) return;
  const x = e.offsetX, y = e.offsetY;
  stage.setPointerCapture(e.pointerId);
  const kind = y >= layout.overview ? "overview" : y < RULER || e.shiftKey ? "span" : "move";
  drag = { kind, x, y, now: x, from: state.from, until: state.until, lane: state.lane, moved: false };
  if (kind === "overview") toOverview(x);
});

stage.addEventListener("pointermove", e => {
  const x = e.offsetX, y = e.offsetY;
  state.hover = { x, y };
  if (drag) {
    drag.moved = drag.moved || Math.abs(x - drag.x) + Math.abs(y - drag.y) > 4;
    drag.now = x;
    if (drag.kind === "overview") toOverview(x);
    else if (drag.kind === "move" && drag.moved) {
      const shift = (drag.x - x) / layout.plot * (drag.until - drag.from);
      const lanes = view().partitions.names.length;
      if (drag.y >= layout.grid) state.lane = clamp(drag.lane + (drag.y - y) / state.laneHeight, 0, Math.max(lanes - layout.gridHeight / state.laneHeight, 0));
      show(drag.from + shift, drag.until + shift);
    }
  }
  drawOver(); showTip();
});

stage.addEventListener("pointerup", e => {
  const d = drag;
  drag = null;
  if (!d) return;
  if (d.kind === "span" && d.moved) { const a = timeOf(Math.min(d.x, d.now)), b = timeOf(Math.max(d.x, d.now)); show(a, b); }
  else if (!d.moved && d.kind !== "overview") { const found = hit(e.offsetX, e.offsetY); if (found) choose(found); }
  drawOver(); showTip();
});

stage.addEventListener("pointercancel", () => { drag = null; drawOver(); });
stage.addEventListener("pointerleave", () => { state.hover = null; tip.hidden = true; drawOver(); });

stage.addEventListener("dblclick", e => {
  const found = hit(e.offsetX, e.offsetY), lanes = found && found.kind === "partition" ? view().partitions : found && found.kind === "node" ? view().nodes : null;
  if (!lanes) { zoom(.4, e.offsetX); return; }
  const lane = lanes.place.get(found.id), i = lanes.find(lane, found.at);
  if (i >= 0) zoomTo(lanes.start[i], lanes.end(lane, i));
});

stage.addEventListener("wheel", e => {
  e.preventDefault();
  const unit = e.deltaMode === 1 ? 16 : e.deltaMode === 2 ? 400 : 1, dx = e.deltaX * unit, dy = e.deltaY * unit;
  if (e.altKey) zoomLanes(Math.exp(-dy * .0022), e.offsetY);
  else if (e.shiftKey || Math.abs(dx) > Math.abs(dy)) { const by = (e.shiftKey && !dx ? dy : dx) / layout.plot * (state.until - state.from); show(state.from + by, state.until + by); }
  else if (!e.ctrlKey && e.offsetX < layout.left) scrollLanes(dy, e.offsetY);
  else zoom(Math.exp(clamp(dy, -300, 300) * .0022), Math.max(e.offsetX, layout.left));
}, { passive: false });

function scrollLanes(by, y) {
  const lanes = view().partitions.names.length;
  if (y < layout.curves) state.node = state.node + Math.sign(by);
  else state.lane = clamp(state.lane + by / state.laneHeight, 0, Math.max(lanes - layout.gridHeight / state.laneHeight, 0));
  moved(); refresh();
}

function toOverview(x) {
  const at = clamp((x - layout.left) / layout.plot, 0, 1) * span, half = (state.until - state.from) / 2;
  show(at - half, at + half);
}

// Keys.

const KEYS = [
  ["← →", "move in time; with shift, further"], ["+ −", "zoom in time"], ["0", "everything"], ["↑ ↓", "the lane above or below"],
  ["[ ]", "the interval or event before or behind"], ["z", "zoom to the selection"], [", .", "lower or higher lanes"], ["PgUp PgDn", "scroll the partitions"], ["/", "search"],
  ["v", "the next view, of several logs"], ["d", "only what a view believed wrongly"], ["o", "only what the selected node owned"], ["t", "light or dark"], ["Esc", "close"], ["?", "these keys"],
];

const ACTIONS = {
  ArrowLeft: e => pan(e.shiftKey ? -.8 : -.1), ArrowRight: e => pan(e.shiftKey ? .8 : .1), ArrowUp: () => neighbour(-1), ArrowDown: () => neighbour(1),
  "+": () => zoom(.7), "=": () => zoom(.7), "-": () => zoom(1 / .7), "0": all, Home: () => show(0, state.until - state.from), End: () => show(span - state.until + state.from, span),
  "[": () => step(-1), "]": () => step(1), z: zoomSelection, ",": () => zoomLanes(1 / 1.4), ".": () => zoomLanes(1.4),
  PageUp: () => scrollLanes(-layout.gridHeight * .9, layout.grid), PageDown: () => scrollLanes(layout.gridHeight * .9, layout.grid),
  "/": () => document.getElementById("search").focus(), v: () => setView((state.view + 1) % data.views.length), d: () => { state.differ = !state.differ; drawViews(); refresh(); },
  o: () => focus(state.selection && state.selection.kind === "node" && state.owner !== state.selection.id ? state.selection.id : ""),
  t: toggleTheme, Escape: () => { choose(null); focus(""); }, "?": () => document.getElementById("keys").showModal(),
};

document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.tagName === "INPUT" || document.getElementById("keys").open) return;
  const action = Object.hasOwn(ACTIONS, e.key) ? ACTIONS[e.key] : null;
  if (!action || e.key === "Enter") return;
  e.preventDefault();
  action(e);
});

function pan(part) { const by = part * (state.until - state.from); show(state.from + by, state.until + by); }

function all() { state.laneHeight = 0; state.lane = 0; show(0, span); }

function zoomSelection() {
  const s = state.selection;
  if (!s) return;
  if (s.kind === "marker") { const at = data.markers.at[s.index]; zoomTo(at - 3000, at + 3000); return; }
  if (s.kind === "time") { zoom(.3); return; }
  const lanes = s.kind === "node" ? view().nodes : view().partitions, lane = lanes.place.get(s.id), i = lane === undefined ? -1 : lanes.find(lane, s.at);
  if (i >= 0) zoomTo(lanes.start[i], lanes.end(lane, i));
}

// Views, legend, theme.

function setView(i) {
  const before = view().partitions.names[Math.floor(state.lane)];
  state.view = i;
  const lane = view().partitions.place.get(before);
  if (lane !== undefined) state.lane = lane;
  drawViews(); showPanel(); refresh();
}

function drawViews() {
  const box = document.getElementById("views");
  box.hidden = data.views.length < 2;
  box.replaceChildren(...data.views.map((v, i) => element("button", { "aria-pressed": String(i === state.view), on: { click: () => setView(i) } }, v.title)));
  if (data.views.length > 1) box.append(element("button", { className: "differ", "aria-pressed": String(state.differ), disabled: state.view === 0,
    title: "Only what this node believed wrongly keeps its colour (d)", on: { click: () => ACTIONS.d() } }, "differences"));
}

function drawLegend() {
  const box = document.getElementById("legend"), most = 40;
  box.replaceChildren(...header.nodes.slice(0, most).map(n => element("button", { className: "chip", colour: n.colour, "aria-pressed": String(state.owner === n.id),
    title: "Only what " + n.id + " owned", on: { click: () => focus(state.owner === n.id ? "" : n.id) } }, n.id)));
  if (header.nodes.length > most) box.append(element("span", {}, "and " + (header.nodes.length - most) + " more; search finds them"));
  box.classList.toggle("chosen", state.owner !== "");
}

function toggleTheme() {
  const root = document.documentElement;
  root.dataset.theme = theme.dark ? "light" : "dark";
  try { localStorage.setItem("clusterkit-theme", root.dataset.theme); } catch { /* a page in a file may have none */ }
  readTheme(); showPanel(); refresh();
}

// Search: partitions by number, nodes and owners by name, events by any word.

const search = document.getElementById("search"), results = document.getElementById("results");
let found = [], current = 0;

function find(q) {
  const out = [], v = view(), lower = q.toLowerCase(), most = 40;
  const exact = /^(?:partition[ \/]?|p)?(\d+)$/.exec(lower);
  if (exact && v.partitions.place.has(+exact[1])) out.push({ text: "partition " + exact[1], sub: "lane", go: () => goPartition(+exact[1]) });
  if (exact) for (const id of v.partitions.names) {
    if (out.length >= 12) break;
    if (String(id).startsWith(exact[1]) && id !== +exact[1]) out.push({ text: "partition " + id, sub: "lane", go: () => goPartition(id) });
  }
  for (const n of header.nodes) if (out.length < most && n.id.toLowerCase().includes(lower.replace(/^node\//, ""))) out.push({ text: n.id, sub: "node", go: () => selectNode(n.id) });
  const m = data.markers, match = new Map(), has = w => { if (!match.has(w)) match.set(w, word(w).toLowerCase().includes(lower)); return match.get(w); };
  for (let i = 0; i < m.count && out.length < most; i++) {
    if (!(has(m.type[i]) || has(m.subject[i]) || has(m.what[i]) || has(m.actor[i]) || (word(m.origin[i]) + ":" + m.seq[i]).toLowerCase() === lower)) continue;
    out.push({ text: word(m.type[i]) + "  " + word(m.subject[i]), sub: full(m.at[i]) + "  " + word(m.what[i]), go: () => { choose({ kind: "marker", index: i }); reveal(m.at[i]); } });
  }
  return out;
}

function goPartition(id) {
  revealLane(view().partitions.place.get(id));
  const s = state.selection;
  choose({ kind: "partition", id, at: s && s.at !== undefined && s.at >= state.from && s.at <= state.until ? s.at : (state.from + state.until) / 2 });
}

function showResults() {
  results.hidden = search.value.trim() === "";
  search.setAttribute("aria-expanded", String(!results.hidden));
  found = results.hidden ? [] : find(search.value.trim());
  current = clamp(current, 0, Math.max(found.length - 1, 0));
  results.replaceChildren(...found.map((f, i) => element("li", { role: "option", className: i === current ? "current" : "", on: { pointerdown: e => { e.preventDefault(); take(i); } } },
    element("b", {}, f.text), element("span", {}, f.sub))));
  if (!results.hidden && !found.length) results.append(element("li", { className: "nothing" }, "nothing of that name"));
}

function take(i) {
  if (!found[i]) return;
  found[i].go();
  results.hidden = true; search.value = ""; search.blur(); stage.focus();
}

search.addEventListener("input", () => { current = 0; showResults(); });
search.addEventListener("focus", showResults);
search.addEventListener("blur", () => { results.hidden = true; });
search.addEventListener("keydown", e => {
  if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); current += e.key === "ArrowDown" ? 1 : -1; showResults(); const c = results.querySelector(".current"); if (c) c.scrollIntoView({ block: "nearest" }); }
  else if (e.key === "Enter") take(current);
  else if (e.key === "Escape") { search.value = ""; search.blur(); stage.focus(); }
});

// Links: the fragment says what is seen and what is selected.

let written = "";

function writeLink() {
  const p = new URLSearchParams();
  if (state.view) p.set("view", header.logs[view().source].title);
  if (state.from > 0 || state.until < span) p.set("t", iso(state.from) + ".." + iso(state.until));
  if (state.laneHeight > layout.least * 1.01) p.set("rows", view().partitions.names[Math.round(state.lane)] + "x" + state.laneHeight.toFixed(1));
  if (state.owner) p.set("owner", state.owner);
  if (state.differ) p.set("differ", "1");
  const s = state.selection;
  if (s) p.set("sel", s.kind === "marker" ? "event/" + word(data.markers.origin[s.index]) + ":" + data.markers.seq[s.index] : (s.kind === "time" ? "time" : s.kind + "/" + s.id) + "@" + iso(s.at));
  written = p.size ? "#" + p.toString().replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%40", "@") : "";
  if (written !== location.hash) history.replaceState(null, "", written || location.pathname + location.search);
}

function readLink() {
  const p = new URLSearchParams(location.hash.slice(1)), time = s => { const ms = Date.parse(s); return isNaN(ms) ? null : clamp(ms - header.from, 0, span); };
  const index = data.views.findIndex(v => v.source >= 0 && header.logs[v.source].title === p.get("view"));
  state.view = Math.max(index, 0);
  state.owner = nodePlace.has(p.get("owner")) ? p.get("owner") : "";
  state.differ = p.get("differ") === "1";
  const [a, b] = (p.get("t") || "").split("..").map(time);
  if (a !== null && b !== null && a !== undefined && b !== undefined && b > a) { state.from = a; state.until = b; } else { state.from = 0; state.until = span; }
  measure();
  const rows = /^(\d+)x([\d.]+)$/.exec(p.get("rows") || "");
  state.laneHeight = rows ? clamp(+rows[2], layout.least, LANE_MOST) : 0;
  state.lane = rows ? view().partitions.place.get(+rows[1]) || 0 : 0;
  state.selection = readSelection(p.get("sel") || "", time);
}

function readSelection(s, time) {
  const m = /^(?:(partition|node)\/(.+)|time)@(.+)$/.exec(s), e = /^event\/(.+):(\d+)$/.exec(s);
  if (e) {
    for (let i = 0; i < data.markers.count; i++) if (data.markers.seq[i] === +e[2] && word(data.markers.origin[i]) === e[1]) return { kind: "marker", index: i };
  }
  if (!m || time(m[3]) === null) return null;
  return { kind: m[1] || "time", id: m[1] === "partition" ? +m[2] : m[2], at: time(m[3]) };
}

// The beginning.

function drawFrame() {
  document.getElementById("cluster").textContent = header.cluster || "cluster";
  const c = clock(0, false), d = clock(span, false);
  document.getElementById("summary").textContent = c.date + " " + c.time + " to " + (c.date === d.date ? "" : d.date + " ") + d.time + " " + (header.zone || "local time") + "  ·  " +
    thousands(header.events) + " events  ·  " + header.nodes.length + " nodes  ·  " + thousands(data.views[0].partitions.names.length) + " partitions" +
    (header.logs.length > 1 ? "  ·  " + header.logs.length + " logs" : header.axis === "known" ? "  ·  as " + header.logs[0].title + " believed" : "");
  const notes = document.getElementById("notes");
  for (const log of header.logs) for (const damage of log.damage || []) notes.append(element("p", { className: "damage" }, "Damaged: " + damage));
  if (header.filtered) notes.append(element("p", {}, "Filters were given: signs and lanes that they do not choose are not shown. Every lane and curve is made of all events."));
  if (header.omitted) notes.append(element("p", {}, "The application wrote very much: " + thousands(header.omitted) + " of its events have no sign here, evenly left out."));
  const list = document.getElementById("keylist");
  for (const [k, what] of KEYS) list.append(element("dt", {}, ...k.split(" ").map(x => element("kbd", {}, x))), element("dd", {}, what));
  document.getElementById("back").addEventListener("click", all);
  document.getElementById("theme").addEventListener("click", toggleTheme);
  document.getElementById("ask").addEventListener("click", () => document.getElementById("keys").showModal());
}

function begin() {
  try { const t = localStorage.getItem("clusterkit-theme"); if (t) document.documentElement.dataset.theme = t; } catch { /* then the system's */ }
  document.getElementById("app").hidden = false;
  readTheme(); drawFrame(); readLink(); drawViews(); drawLegend(); showPanel();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); refresh(false); });
  addEventListener("hashchange", () => { if (location.hash === written) return; readLink(); drawViews(); drawLegend(); showPanel(); refresh(false); });
  new ResizeObserver(() => refresh(false)).observe(stage);
  refresh(false);
}

begin();
