// What is drawn, and where. All positions are in CSS pixels except in the grid
// of partitions, which is painted pixel by pixel of the device.

const stage = document.getElementById("stage"), base = document.getElementById("base"), over = document.getElementById("over");
const pen = base.getContext("2d", { alpha: false }), top_ = over.getContext("2d");
const GUTTER = 128, RULER = 26, STRIP = 34, OVERVIEW = 44, GAP = 10, NODE_MOST = 22, LANE_MOST = 34;

const state = {
  view: 0, from: 0, until: span, // the visible time
  lane: 0, laneHeight: 0,        // first visible partition, may be fractional; height of one
  node: 0,                       // first visible node
  owner: "",                     // whose partitions alone are in colour
  differ: false,                 // only what the view believed wrongly is in colour
  selection: null, hover: null,
  moving: false,                 // the picture is, so it may be coarse
};
let layout = null, theme = null;

const view = () => data.views[state.view];

function readTheme() {
  const css = getComputedStyle(document.documentElement), get = name => css.getPropertyValue(name).trim();
  theme = { back: get("--back"), raised: get("--raised"), line: get("--line"), text: get("--text"), dim: get("--dim"), accent: get("--accent"),
    empty: get("--empty"), lost: get("--lost"), warn: get("--warn"), dark: get("--dark") === "1",
    status: header.statuses.map(s => get("--" + s)) };
  prepareColours();
}

// Colours of the grid, as the pixels of an ImageData. A node beyond the first
// seven shares its hue with others, and has a pattern too.

let paint = { owner: [], faded: [], none: 0, back: 0, lost: 0 };
const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function pixel(css) {
  const n = parseInt(css.slice(1), 16), r = n >> 16, g = n >> 8 & 255, b = n & 255;
  return littleEndian ? (255 << 24 | b << 16 | g << 8 | r) >>> 0 : (r << 24 | g << 16 | b << 8 | 255) >>> 0;
}

function mix(a, b, part) {
  let out = 0;
  for (let shift = 0; shift < 32; shift += 8) {
    const x = a >>> shift & 255, y = b >>> shift & 255;
    out = (out | Math.round(x + (y - x) * part) << shift) >>> 0;
  }
  return out;
}

function prepareColours() {
  const back = pixel(theme.back), colours = header.nodes.map(n => pixel(n.colour));
  paint.back = back; paint.none = pixel(theme.empty); paint.lost = pixel(theme.lost);
  paint.owner = new Uint32Array(data.owners.length);
  paint.faded = new Uint32Array(data.owners.length);
  paint.ownerLost = new Uint32Array(data.owners.length);
  paint.fadedLost = new Uint32Array(data.owners.length);
  paint.node = new Int32Array(data.owners.length);
  data.owners.forEach((list, i) => {
    const node = list.length > 1 ? nodePlace.get(word(list[1])) : -1;
    paint.node[i] = node;
    paint.owner[i] = node < 0 ? paint.none : theme.dark ? mix(colours[node], back, .08) : colours[node];
    paint.faded[i] = node < 0 ? paint.none : mix(colours[node], back, .86);
    paint.ownerLost[i] = mix(paint.owner[i], paint.lost, .82);
    paint.fadedLost[i] = mix(paint.faded[i], paint.lost, .2);
  });
}

// Spans in which a node was failed, left or removed, per view: what it owns
// then is without a living owner.

function absences(v) {
  if (v.absent) return v.absent;
  v.absent = header.nodes.map(() => null);
  v.nodes.names.forEach((id, lane) => {
    const list = [];
    for (let i = v.nodes.first[lane]; i < v.nodes.first[lane + 1]; i++) {
      const status = header.statuses[data.states[v.nodes.label[i]][1]];
      if (status !== "failed" && status !== "left" && status !== "removed") continue;
      const end = v.nodes.end(lane, i);
      if (list.length && list[list.length - 1] === v.nodes.start[i]) list[list.length - 1] = end;
      else list.push(v.nodes.start[i], end);
    }
    if (list.length) v.absent[nodePlace.get(id)] = Float64Array.from(list);
  });
  return v.absent;
}

// absent reports whether a node was absent at a time.
function absent(v, node, at) {
  const spans = absences(v)[node];
  if (!spans) return false;
  let lo = 0, hi = spans.length / 2;
  while (lo < hi) { const mid = (lo + hi) >>> 1; if (spans[2 * mid + 1] <= at) lo = mid + 1; else hi = mid; }
  return lo < spans.length / 2 && spans[2 * lo] <= at;
}

function measure() {
  const width = stage.clientWidth, height = stage.clientHeight, v = view();
  const nodes = v.nodes.names.length, partitions = v.partitions.names.length;
  const curves = 2 + (data.behind.length ? 1 : 0);
  let y = RULER;
  const l = { width, height, left: GUTTER, plot: Math.max(width - GUTTER - 12, 50) };
  l.strip = y; y += STRIP + GAP;
  const rest = height - y - OVERVIEW - 4 * GAP, wanted = nodes * NODE_MOST + partitions * LANE_MOST;
  l.curve = clamp((rest - wanted) / curves, 46, 84);
  const room = Math.max(rest - curves * l.curve, 120);
  l.nodeHeight = clamp(room * .42 / Math.max(nodes, 1), 13, NODE_MOST);
  l.nodesShown = clamp(Math.floor(room * .42 / l.nodeHeight), Math.min(nodes, 1), nodes);
  l.nodes = y; y += l.nodesShown * l.nodeHeight + GAP;
  l.curves = y; l.curveCount = curves; y += curves * l.curve + GAP;
  l.grid = y;
  l.overview = height - OVERVIEW - 4;
  l.gridHeight = Math.max(l.overview - GAP - y, 40);
  l.least = Math.min(LANE_MOST, l.gridHeight / Math.max(partitions, 1));
  layout = l;
  state.laneHeight = Math.min(Math.max(state.laneHeight, l.least), LANE_MOST);
  state.lane = clamp(state.lane, 0, Math.max(partitions - l.gridHeight / state.laneHeight, 0));
  state.node = clamp(Math.round(state.node), 0, nodes - l.nodesShown);
  const ratio = window.devicePixelRatio || 1;
  for (const c of [base, over]) {
    const w = Math.round(width * ratio), h = Math.round(height * ratio);
    if (c.width !== w || c.height !== h) { c.width = w; c.height = h; c.style.width = width + "px"; c.style.height = height + "px"; }
  }
  l.ratio = ratio;
}

const clamp = (v, lo, hi) => Math.max(lo, Math.min(hi, v));
const xOf = at => layout.left + (at - state.from) / (state.until - state.from) * layout.plot;
const timeOf = x => state.from + (x - layout.left) / layout.plot * (state.until - state.from);

function text(p, s, x, y, colour, font, align) {
  p.fillStyle = colour; p.font = font || "12px system-ui, sans-serif"; p.textAlign = align || "left"; p.textBaseline = "middle";
  p.fillText(s, x, y);
}

// shorten cuts a text to a width. Measuring is slow, and names come again.
const widths = new Map();

function measured(p, s) {
  const key = p.font + s;
  let w = widths.get(key);
  if (w === undefined) { if (widths.size > 20000) widths.clear(); widths.set(key, w = p.measureText(s).width); }
  return w;
}

function shorten(p, s, width) {
  if (measured(p, s) <= width) return s;
  let cut = s;
  while (cut.length > 1 && measured(p, cut + "…") > width) cut = cut.slice(0, -1);
  if (cut.endsWith("…")) cut = cut.slice(0, -1);
  return cut.length < 3 && s.length > 3 ? "" : cut + "…";
}

// brief shortens the name of a node by what all of them end and begin with, up to
// a separator, so that names which differ still do.
let shared = null;

function brief(p, id, width) {
  if (measured(p, id) <= width) return id;
  shared = shared || common(header.nodes.map(n => n.id));
  const tail = shared.tail ? "…" : "", front = id.slice(0, id.length - shared.tail) + tail;
  return !shared.head || measured(p, front) <= width ? shorten(p, front, width) : shorten(p, "…" + front.slice(shared.head), width);
}

function common(names) {
  if (names.length < 2) return { head: 0, tail: 0 };
  let head = names[0], tail = names[0];
  for (const n of names) {
    while (!n.startsWith(head)) head = head.slice(0, -1);
    while (!n.endsWith(tail)) tail = tail.slice(1);
  }
  const first = tail.search(/[-._]/), length = { head: head.search(/[^-._]*$/), tail: first < 0 ? 0 : tail.length - first };
  return names.some(n => n.length <= length.head + length.tail) ? { head: 0, tail: 0 } : length;
}

function draw() {
  measure();
  pen.setTransform(layout.ratio, 0, 0, layout.ratio, 0, 0);
  pen.fillStyle = theme.back;
  pen.fillRect(0, 0, layout.width, layout.height);
  drawRuler();
  drawGrid();
  drawNodes();
  drawCurves();
  drawMarkers();
  drawOverview();
}

// Ticks at round times.

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 108e5, 216e5, 432e5,
  864e5, 1728e5, 6048e5, 12096e5, 2592e6, 7776e6, 31536e6];

function ticks() {
  const visible = state.until - state.from;
  const most = Math.max(Math.floor(layout.plot / (visible < 1e4 ? 110 : 80)), 2); // labels with milliseconds are wider
  const step = STEPS.find(s => visible / s <= most) || STEPS[STEPS.length - 1];
  const list = [], first = Math.ceil((header.from + state.from) / step) * step - header.from;
  for (let at = first; at <= state.until && list.length < 100; at += step) list.push(at);
  return { step, list };
}

function drawRuler() {
  const { step, list } = ticks();
  let day = "";
  const now = clock(state.from, false).date;
  text(pen, now, 12, RULER / 2, theme.dim);
  for (const at of list) {
    const x = Math.round(xOf(at)) + .5, c = clock(at, step < 1000);
    pen.strokeStyle = theme.line; pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(x, RULER - 4); pen.lineTo(x, layout.overview - 4); pen.stroke();
    let label = step >= 864e5 ? c.date : step >= 6e4 ? c.minute : c.time;
    if (c.date !== now && c.date !== day && step < 864e5) label = c.date.slice(5) + " " + label;
    day = c.date;
    pen.font = "11px system-ui, sans-serif";
    const half = pen.measureText(label).width / 2;
    text(pen, label, Math.min(x, layout.width - half - 1), RULER / 2 - 1, theme.dim, pen.font, "center");
  }
}

// The grid of partitions. A row takes as many steps as it has intervals in
// view, or pixels, whichever is less; what is narrower than a pixel shows who
// owned the partition in the pixel's middle.

let image = null, cost = 0; // cost is what a frame of the grid takes at full resolution, in milliseconds
const sketch = document.createElement("canvas");

function drawGrid() {
  const begun = performance.now(), v = view(), l = layout, lanes = v.partitions;
  // While the picture moves it is as coarse as it must be to keep moving.
  const coarse = state.moving ? clamp(Math.ceil(Math.sqrt(cost / 9)), 1, 4) : 1, r = l.ratio / coarse;
  const width = Math.round(l.plot * r), height = Math.round(l.gridHeight * r);
  if (width < 1 || height < 1 || !lanes.names.length) return;
  if (!image || image.width !== width || image.height !== height) image = pen.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(paint.back);
  const laneHeight = state.laneHeight * r, count = lanes.names.length;
  const truth = state.differ && state.view > 0 ? data.views[0].partitions : null;
  const row = new Uint32Array(width), other = truth ? new Uint32Array(width) : null;
  let drawn = -1;
  const make = lane => {
    fillRow(row, v, lane, width, false);
    if (!truth) return;
    const same = data.views[0].partitions.place.get(lanes.names[lane]);
    if (same === undefined) return;
    fillRow(other, data.views[0], same, width, true);
    for (let x = 0; x < width; x++) if (row[x] === other[x]) row[x] = mix(row[x], paint.back, .88);
  };
  if (laneHeight < 2) {
    for (let y = 0; y < height; y++) {
      const lane = Math.floor(state.lane + (y + .5) / laneHeight);
      if (lane >= count) break;
      if (lane !== drawn) make(drawn = lane);
      pixels.set(row, y * width);
    }
  } else {
    const first = Math.floor(state.lane), gap = laneHeight >= 5 ? Math.max(Math.round(r), 1) : 0;
    for (let lane = first; lane < count; lane++) {
      const y0 = Math.max(Math.round((lane - state.lane) * laneHeight), 0), y1 = Math.min(Math.round((lane + 1 - state.lane) * laneHeight) - gap, height);
      if (y0 >= height) break;
      make(lane);
      for (let y = y0; y < y1; y++) pixels.set(row, y * width);
    }
  }
  if (coarse === 1) pen.putImageData(image, Math.round(l.left * r), Math.round(l.grid * r));
  else {
    if (sketch.width !== width || sketch.height !== height) { sketch.width = width; sketch.height = height; }
    sketch.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(sketch, l.left, l.grid, l.plot, l.gridHeight);
  }
  const took = (performance.now() - begun) * coarse * coarse;
  cost = cost ? cost * .7 + took * .3 : took;
  drawPatterns();
  drawLaneNames();
}

function fillRow(row, v, lane, width, plain) {
  const lanes = v.partitions, start = lanes.start, label = lanes.label, last = lanes.first[lane + 1] - 1;
  const per = (state.until - state.from) / width, origin = state.from + per / 2; // the middle of pixel 0
  const away = absences(v), only = state.owner ? nodePlace.get(state.owner) : -1;
  let i = lanes.find(lane, origin), x = 0;
  if (i < 0) {
    const begin = lanes.first[lane] <= last ? start[lanes.first[lane]] : Infinity;
    x = clamp(Math.ceil((begin - origin) / per), 0, width);
    row.fill(paint.none, 0, x);
    i = lanes.first[lane];
  }
  while (x < width) {
    const at = origin + x * per;
    if (i < last && start[i + 1] <= at) i = ahead(start, i + 1, last, at);
    const end = i < last ? clamp(Math.ceil((start[i + 1] - origin) / per), x + 1, width) : width;
    const k = label[i], node = paint.node[k];
    const faded = only >= 0 && node !== only && !plain, colour = faded ? paint.faded[k] : paint.owner[k];
    if (end - x === 1) row[x] = colour; else row.fill(colour, x, end);
    if (node >= 0 && away[node] && !plain) shade(row, away[node], x, end, origin, per, faded ? paint.fadedLost[k] : paint.ownerLost[k]);
    x = end;
  }
}

// ahead returns the last interval from i on that has begun at a time. It looks
// near first: the next pixel is seldom far.
function ahead(start, i, last, at) {
  let leap = 1;
  while (i + leap <= last && start[i + leap] <= at) { i += leap; leap *= 2; }
  while (leap > 1) {
    leap /= 2;
    if (i + leap <= last && start[i + leap] <= at) i += leap;
  }
  return i;
}

// shade marks the part of a run whose owner was absent.
function shade(row, spans, from, to, origin, per, colour) {
  const begin = origin + from * per, n = spans.length;
  let lo = 0, hi = n / 2; // first span that ends behind the beginning
  while (lo < hi) { const mid = (lo + hi) >>> 1; if (spans[2 * mid + 1] <= begin) lo = mid + 1; else hi = mid; }
  for (let k = 2 * lo; k < n; k += 2) {
    const a = Math.max(Math.ceil((spans[k] - origin) / per), from);
    if (a >= to) return;
    const b = Math.min(Math.ceil((spans[k + 1] - origin) / per), to);
    for (let x = a; x < b; x++) row[x] = colour;
  }
}

// runs yields what is visible of a lane: interval, left and right edge.
function* runs(lanes, lane, most) {
  let i = Math.max(lanes.find(lane, state.from), lanes.first[lane]);
  for (; i < lanes.first[lane + 1] && most-- > 0; i++) {
    if (lanes.start[i] > state.until) return;
    const left = Math.max(xOf(lanes.start[i]), layout.left), right = Math.min(xOf(lanes.end(lane, i)), layout.left + layout.plot);
    if (right >= layout.left) yield [i, left, right];
  }
}

// drawPatterns puts names and patterns over the intervals that have room.
function drawPatterns() {
  const v = view(), l = layout, lanes = v.partitions, h = state.laneHeight;
  const patterned = header.nodes.length > 7;
  if (h < 11 && !(patterned && h >= 5)) return;
  pen.save();
  pen.beginPath(); pen.rect(l.left, l.grid, l.plot, l.gridHeight); pen.clip();
  pen.font = "11px system-ui, sans-serif";
  const last = Math.min(lanes.names.length, Math.ceil(state.lane + l.gridHeight / h));
  let left = 6000;
  for (let lane = Math.floor(state.lane); lane < last; lane++) {
    const y = l.grid + (lane - state.lane) * h;
    for (const [i, x0, x1] of runs(lanes, lane, 3000)) {
      if (x1 - x0 < 6 || left-- < 0) continue;
      const node = paint.node[lanes.label[i]];
      if (node < 0) continue;
      if (patterned && node >= 7) hatch(pen, x0, y, x1 - x0, h - 1, Math.floor(node / 7));
      pen.fillStyle = theme.back; pen.fillRect(x1 - .5, y, 1, h - 1);
      if (h < 11 || x1 - x0 < 26 || state.owner && header.nodes[node].id !== state.owner) continue;
      const name = brief(pen, header.nodes[node].id, x1 - x0 - 8);
      if (name.length < 2) continue;
      const dim = state.differ && state.view > 0, dark = absent(v, node, timeOf(x0 + 10));
      text(pen, name, x0 + 5, y + h / 2, dim ? theme.dim : dark ? "#c9d1d9" : ink(header.nodes[node].colour), "11px system-ui, sans-serif");
    }
  }
  pen.restore();
}

// ink is black or white, whichever can be read on a colour.
function ink(css) {
  const n = parseInt(css.slice(1), 16);
  return (n >> 16) * .299 + (n >> 8 & 255) * .587 + (n & 255) * .114 > 140 ? "#10161c" : "#ffffff";
}

function hatch(p, x, y, w, h, kind) {
  p.save();
  p.beginPath(); p.rect(x, y, w, h); p.clip();
  p.strokeStyle = "rgba(0,0,0,.35)"; p.lineWidth = 1;
  p.beginPath();
  for (let k = -h; k < w && k < 4000; k += 7) {
    if (kind % 3 === 1) { p.moveTo(x + k, y + h); p.lineTo(x + k + h, y); }
    else if (kind % 3 === 2) { p.moveTo(x + k, y); p.lineTo(x + k + h, y + h); }
    else { p.moveTo(x + k, y); p.lineTo(x + k, y + h); }
  }
  p.stroke();
  p.restore();
}

function drawLaneNames() {
  const l = layout, lanes = view().partitions, h = state.laneHeight;
  const step = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384].find(s => s * h >= 15) || 65536;
  pen.font = "11px system-ui, sans-serif";
  const last = Math.min(lanes.names.length, Math.floor(state.lane + l.gridHeight / h));
  for (let lane = Math.ceil(state.lane / step) * step; lane < last; lane += step) {
    const y = l.grid + (lane - state.lane) * h + (h >= 11 ? h / 2 : Math.min(6, h));
    text(pen, "partition " + lanes.names[lane], l.left - 12, y, theme.dim, "11px system-ui, sans-serif", "right");
  }
}

// Nodes: colour says the status, and so does the form, for those who see no
// colours.

function drawNodes() {
  const v = view(), l = layout, h = l.nodeHeight;
  for (let k = 0; k < l.nodesShown; k++) {
    const lane = state.node + k, id = v.nodes.names[lane], y = l.nodes + k * h;
    const place = nodePlace.get(id);
    pen.fillStyle = header.nodes[place].colour;
    pen.fillRect(12, y + h / 2 - 4, 8, 8);
    pen.font = (h < 16 ? "11" : "12") + "px system-ui, sans-serif";
    text(pen, brief(pen, id, l.left - 40), 27, y + h / 2, theme.text, pen.font);
    drawConditions(v.nodes, lane, y + (h < 16 ? 1.5 : 2), h - (h < 16 ? 3 : 4));
  }
  if (l.nodesShown < v.nodes.names.length)
    text(pen, state.node + 1 + " to " + (state.node + l.nodesShown) + " of " + v.nodes.names.length, l.left - 12, l.nodes - 6, theme.dim, "10.5px system-ui, sans-serif", "right");
}

function drawConditions(lanes, lane, y, h) {
  const width = layout.plot, per = (state.until - state.from) / width;
  let edge = -1, worst = -1;
  for (let i = Math.max(lanes.find(lane, state.from), lanes.first[lane]); i < lanes.first[lane + 1]; i++) {
    const at = lanes.start[i];
    if (at > state.until) break;
    const x0 = Math.max(xOf(at), layout.left), x1 = Math.max(Math.min(xOf(lanes.end(lane, i)), layout.left + width), x0 + .75);
    const label = data.states[lanes.label[i]];
    if (x1 - x0 < 1.5 && Math.floor(x0) === edge && label[1] !== 2) continue; // of many in a pixel, failures are seen
    if (x1 - x0 < 1.5 && Math.floor(x0) === edge && worst === 2) continue;
    edge = Math.floor(x0); worst = label[1];
    condition(pen, label, x0, y, x1 - x0, h);
  }
}

function condition(p, label, x, y, w, h) {
  const status = header.statuses[label[1]];
  p.fillStyle = theme.status[label[1]];
  if (status === "left" || status === "removed") { p.fillRect(x, y + h / 2 - 1.5, w, 3); return; }
  if (status === "failed") { p.fillRect(x, y, w, h); if (w > 8) cross(p, x, y, w, h); return; }
  p.fillRect(x, y, w, h);
  if (status === "suspected" && w > 3) hatch(p, x, y, w, h, 1);
  if (status === "leaving" && w > 3) hatch(p, x, y, w, h, 2);
  if (label[2] && w > 3) { p.fillStyle = theme.back; p.fillRect(x, y + h / 2 - 1, w, 2); } // draining
}

function cross(p, x, y, w, h) {
  p.save();
  p.beginPath(); p.rect(x, y, w, h); p.clip();
  p.strokeStyle = "rgba(255,255,255,.55)"; p.lineWidth = 1;
  p.beginPath();
  for (let k = 0; k < w && k < 4000; k += h + 4) { p.moveTo(x + k + 3, y + 3); p.lineTo(x + k + h - 3, y + h - 3); p.moveTo(x + k + h - 3, y + 3); p.lineTo(x + k + 3, y + h - 3); }
  p.stroke();
  p.restore();
}

// Curves.

function curveList() {
  const v = view(), list = [
    { name: "unowned", unit: 1, floor: 0, least: 1, lines: [{ curve: v.unowned, colour: theme.status[2], fill: true }] },
    { name: "imbalance", unit: 1000, floor: 1000, least: 1200, lines: [{ curve: v.imbalance, colour: theme.accent }] },
  ];
  if (data.behind.length) list.push({ name: "not received", unit: 1, floor: 0, least: 1,
    lines: data.behind.map((curve, i) => ({ curve, colour: colourOfLog(i) })) });
  return list;
}

function colourOfLog(i) {
  const place = nodePlace.get(header.logs[i].title);
  return place === undefined ? ["#0072b2", "#e69f00", "#009e73", "#cc79a7"][i % 4] : header.nodes[place].colour;
}

function drawCurves() {
  curveList().forEach((c, k) => {
    const l = layout, y = l.curves + k * l.curve, high = y + 6, low = y + l.curve - 6;
    let most = c.least;
    for (const line of c.lines) most = Math.max(most, visibleTop(line.curve));
    text(pen, c.name, l.left - 12, y + 16, theme.text, "12px system-ui, sans-serif", "right");
    text(pen, "to " + number(most / c.unit), l.left - 12, y + 31, theme.dim, "11px system-ui, sans-serif", "right");
    pen.strokeStyle = theme.line; pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(l.left, low + .5); pen.lineTo(l.left + l.plot, low + .5); pen.stroke();
    pen.save();
    pen.beginPath(); pen.rect(l.left, y, l.plot, l.curve); pen.clip();
    for (const line of c.lines) drawCurve(line, v => low - Math.max(v - c.floor, 0) / (most - c.floor) * (low - high));
    pen.restore();
  });
}

function visibleTop(c) {
  let most = 0;
  for (let i = Math.max(c.find(state.from), 0); i < c.from.length && c.from[i] <= state.until; i++) most = Math.max(most, c.high[i]);
  return most;
}

const number = n => n >= 1000 ? thousands(Math.round(n)) : String(Math.round(n * 100) / 100);

function drawCurve(line, y) {
  const c = line.curve, n = c.from.length;
  let i = c.find(state.from), x = layout.left, last = i < 0 ? 0 : c.end[i];
  const path = new Path2D();
  path.moveTo(x, y(last));
  let low = last, high = last;
  for (i++; i < n && c.from[i] <= state.until; i++) {
    const at = xOf(c.from[i]);
    if (at - x >= 1) { // of many points in a pixel, the extremes are seen
      path.lineTo(x, y(low)); path.lineTo(x, y(high)); path.lineTo(x, y(last)); path.lineTo(at, y(last));
      x = at; low = high = last;
    }
    low = Math.min(low, c.low[i]); high = Math.max(high, c.high[i]); last = c.end[i];
  }
  path.lineTo(x, y(low)); path.lineTo(x, y(high)); path.lineTo(x, y(last));
  const right = Math.min(xOf(span), layout.left + layout.plot);
  path.lineTo(right, y(last));
  pen.strokeStyle = line.colour; pen.lineWidth = 1.5; pen.lineJoin = "round";
  if (line.fill) {
    const area = new Path2D(path);
    area.lineTo(right, y(0)); area.lineTo(layout.left, y(0));
    pen.globalAlpha = .22; pen.fillStyle = line.colour; pen.fill(area); pen.globalAlpha = 1;
  }
  pen.stroke(path);
}

// Events as signs. Of the same sort at the same place one is drawn.

const SIGNS = [
  { match: /^Node(Failed)$/, form: "cross", status: 2 }, { match: /^NodeSuspected$/, form: "diamond", status: 1 },
  { match: /^Node(Joined|Recovered|Undrained)$/, form: "up", status: 0 }, { match: /^Node(Left|Leaving|Removed|Drained)$/, form: "down", status: 5 },
  { match: /^CoordinatorClaimed$/, form: "star" }, { match: /^LogForked$/, form: "cross", status: 2 },
  { match: /^(Rebalance|ClusterConfigured|NodeUpdated|LogStarted)/, form: "dot" }, { match: /./, form: "tick" },
];
const signOf = new Map();

function sign(type) {
  if (!signOf.has(type)) signOf.set(type, SIGNS.findIndex(s => s.match.test(word(type))));
  return signOf.get(type);
}

function firstMarker(at) {
  let lo = 0, hi = data.markers.count;
  while (lo < hi) { const mid = (lo + hi) >>> 1; if (data.markers.at[mid] < at) lo = mid + 1; else hi = mid; }
  return lo;
}

function drawMarkers() {
  const m = data.markers, l = layout, y = l.strip + 10, taken = new Int32Array(SIGNS.length).fill(-99);
  text(pen, "events", l.left - 12, l.strip + 12, theme.text, "12px system-ui, sans-serif", "right");
  for (let i = firstMarker(state.from); i < m.count && m.at[i] <= state.until; i++) {
    const k = sign(m.type[i]), x = xOf(m.at[i]), tick = SIGNS[k].form === "tick";
    if (x - taken[k] < (tick ? 1 : 4)) continue;
    taken[k] = x;
    glyph(pen, k, x, tick ? l.strip + 26 : y);
  }
}

function glyph(p, k, x, y) {
  const s = SIGNS[k];
  p.fillStyle = p.strokeStyle = s.status === undefined ? (s.form === "star" ? theme.accent : theme.dim) : theme.status[s.status];
  p.lineWidth = 2;
  p.beginPath();
  switch (s.form) {
    case "up": p.moveTo(x, y - 5); p.lineTo(x + 5, y + 4); p.lineTo(x - 5, y + 4); p.fill(); break;
    case "down": p.moveTo(x, y + 5); p.lineTo(x + 5, y - 4); p.lineTo(x - 5, y - 4); p.fill(); break;
    case "diamond": p.moveTo(x, y - 6); p.lineTo(x + 5, y); p.lineTo(x, y + 6); p.lineTo(x - 5, y); p.fill(); break;
    case "cross": p.moveTo(x - 4, y - 4); p.lineTo(x + 4, y + 4); p.moveTo(x + 4, y - 4); p.lineTo(x - 4, y + 4); p.stroke(); break;
    case "star": for (let a = 0; a < 10; a++) { const r = a % 2 ? 2.6 : 6.5, t = a * Math.PI / 5 - Math.PI / 2; p.lineTo(x + r * Math.cos(t), y + r * Math.sin(t)); } p.fill(); break;
    case "dot": p.arc(x, y, 3, 0, 7); p.fill(); break;
    default: p.fillRect(x - .5, y - 3, 1, 7);
  }
}

// The overview: all of the time, how much happened, and what is visible of it.

function drawOverview() {
  const l = layout, y = l.overview, d = data.density;
  pen.fillStyle = theme.raised;
  pen.fillRect(l.left, y, l.plot, OVERVIEW);
  const columns = new Float64Array(Math.ceil(l.plot)), per = span / l.plot;
  d.count.forEach((n, i) => { // spread evenly over the columns that it touches
    const a = i * d.width / per, b = Math.max(Math.min((i + 1) * d.width / per, columns.length), a + 1e-9);
    for (let x = Math.floor(a); x < b && x < columns.length; x++) columns[x] += n * (Math.min(b, x + 1) - Math.max(a, x)) / (b - a);
  });
  const most = columns.reduce((a, b) => Math.max(a, b), 1e-9);
  pen.fillStyle = theme.dim;
  columns.forEach((n, x) => {
    if (n <= 0) return;
    const h = Math.max(Math.sqrt(n / most) * (OVERVIEW - 8), 2);
    pen.fillRect(Math.round(l.left) + x, y + OVERVIEW - h, 1, h);
  });
  text(pen, "all events", l.left - 12, y + OVERVIEW / 2, theme.dim, "11px system-ui, sans-serif", "right");
  const [a, b] = overviewWindow();
  pen.fillStyle = theme.back; pen.globalAlpha = .65;
  pen.fillRect(l.left, y, a - l.left, OVERVIEW); pen.fillRect(b, y, l.left + l.plot - b, OVERVIEW);
  pen.globalAlpha = 1;
  pen.strokeStyle = theme.accent; pen.lineWidth = 1.5;
  pen.strokeRect(a + .5, y + .5, Math.max(b - a - 1, 2), OVERVIEW - 1);
}

function overviewWindow() {
  const l = layout;
  return [l.left + state.from / span * l.plot, l.left + state.until / span * l.plot];
}
