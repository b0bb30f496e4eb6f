// The data of the page: a header in JSON, and a packed part whose layout
// data.go draws.

const header = JSON.parse(document.getElementById("header").textContent);
const span = Math.max(header.until - header.from, 1);

function unpack(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// Reader reads uvarints. They may be larger than 32 bits, so they are summed
// and not shifted.
class Reader {
  constructor(bytes) { this.bytes = bytes; this.at = 0; }
  next() {
    const bytes = this.bytes;
    let b = bytes[this.at++];
    if (b < 128) return b;
    let value = b & 127, unit = 128;
    do {
      b = bytes[this.at++];
      value += (b & 127) * unit;
      unit *= 128;
    } while (b >= 128);
    return value;
  }
  signed() { const v = this.next(); return v % 2 ? -(v + 1) / 2 : v / 2; }
}

function readLabels(r) {
  const all = new Array(r.next());
  for (let i = 0; i < all.length; i++) {
    const list = new Array(r.next());
    for (let j = 0; j < list.length; j++) list[j] = r.next();
    all[i] = list;
  }
  return all;
}

// Lanes holds the intervals of many lanes in columns. Those of lane i are
// first[i] to first[i+1]-1.
class Lanes {
  constructor(r, names) {
    this.names = names;
    this.first = new Uint32Array(names.length + 1);
    let room = 1024, n = 0;
    let start = new Float64Array(room), label = new Uint32Array(room), upper = new Uint32Array(room), lower = new Uint32Array(room);
    const grow = a => { const b = new a.constructor(room); b.set(a); return b; };
    for (let i = 0; i < names.length; i++) {
      this.first[i] = n;
      let at = 0, hi = 0, lo = 0;
      for (let count = r.next(); count > 0; count--) {
        at += r.next();
        const value = r.next(), step = value % 4;
        if (step === 1) { if (++lo === 4294967296) { lo = 0; hi++; } } else if (step === 2) { hi = r.next(); lo = r.next(); }
        if (n === room) { room *= 2; start = grow(start); label = grow(label); upper = grow(upper); lower = grow(lower); }
        start[n] = at; label[n] = (value - step) / 4; upper[n] = hi; lower[n++] = lo;
      }
    }
    this.first[names.length] = n;
    this.start = start; this.label = label; this.upper = upper; this.lower = lower;
    this.count = n;
    this.place = new Map(names.map((name, i) => [name, i]));
  }
  // find returns the interval of a lane that holds at a time, or -1.
  find(lane, at) {
    let lo = this.first[lane], hi = this.first[lane + 1];
    const begin = lo;
    while (lo < hi) {
      const mid = (lo + hi) >>> 1;
      if (this.start[mid] <= at) lo = mid + 1; else hi = mid;
    }
    return lo > begin ? lo - 1 : -1;
  }
  end(lane, i) { return i + 1 < this.first[lane + 1] ? this.start[i + 1] : span; }
}

// Curve is a number over time, in steps that keep the extremes within them.
class Curve {
  constructor(r) {
    const n = r.next();
    this.from = new Float64Array(n); this.low = new Float64Array(n); this.high = new Float64Array(n); this.end = new Float64Array(n);
    this.top = 0;
    for (let i = 0, at = 0; i < n; i++) {
      at += r.next();
      this.from[i] = at; this.low[i] = r.next(); this.high[i] = r.next(); this.end[i] = r.next();
      if (this.high[i] > this.top) this.top = this.high[i];
    }
  }
  find(at) {
    let lo = 0, hi = this.from.length;
    while (lo < hi) { const mid = (lo + hi) >>> 1; if (this.from[mid] <= at) lo = mid + 1; else hi = mid; }
    return lo - 1;
  }
  value(at) { const i = this.find(at); return i < 0 ? 0 : this.end[i]; }
}

function readMarkers(r) {
  const n = r.next(), logs = header.logs.length > 1 ? header.logs.length : 0;
  const m = { count: n, at: new Float64Array(n), type: new Uint32Array(n), subject: new Uint32Array(n), actor: new Uint32Array(n),
    what: new Uint32Array(n), origin: new Uint32Array(n), seq: new Float64Array(n), learnt: new Float64Array(n * logs) };
  for (let i = 0, at = 0; i < n; i++) {
    m.at[i] = at += r.next();
    m.type[i] = r.next(); m.subject[i] = r.next(); m.actor[i] = r.next(); m.what[i] = r.next(); m.origin[i] = r.next(); m.seq[i] = r.next();
    for (let j = 0; j < logs; j++) {
      const code = r.next(); // 0 is not said, 1 is not held
      m.learnt[i * logs + j] = code < 2 ? (code ? -Infinity : NaN) : at + ((code - 2) % 2 ? -(code - 1) / 2 : (code - 2) / 2);
    }
  }
  return m;
}

function readAll() {
  const element = document.getElementById("data");
  const r = new Reader(unpack(element.textContent));
  element.remove(); // the packed form is not needed again
  const data = { owners: readLabels(r), states: readLabels(r), views: [] };
  for (const v of header.views) {
    const numbers = [];
    for (const [first, last] of v.partitions) for (let i = first; i <= last; i++) numbers.push(i);
    const view = { source: v.source, known: v.axis === "known" };
    view.title = v.source < 0 ? (v.axis === "known" ? header.logs[0].title + " believed" : "what was so") : header.logs[v.source].title + " believed";
    view.nodes = new Lanes(r, v.nodes);
    view.partitions = new Lanes(r, numbers);
    view.unowned = new Curve(r);
    view.imbalance = new Curve(r);
    data.views.push(view);
  }
  data.behind = header.logs.length > 1 ? header.logs.map(() => new Curve(r)) : [];
  data.density = { width: r.next(), count: [] };
  for (let n = r.next(); n > 0; n--) data.density.count.push(r.next());
  data.markers = readMarkers(r);
  if (r.at !== r.bytes.length) throw new Error("the data ends at byte " + r.at + " of " + r.bytes.length);
  return data;
}

const word = i => header.words[i];
const data = readAll();
const nodePlace = new Map(header.nodes.map((n, i) => [n.id, i]));

// Times as people and commands read them.

const zone = header.zone || undefined;
const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
  minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function clock(at, digits) {
  const ms = Math.round(header.from + at), p = {};
  for (const part of parts.formatToParts(ms)) p[part.type] = part.value;
  const fraction = String(((ms % 1000) + 1000) % 1000).padStart(3, "0");
  return { date: p.year + "-" + p.month + "-" + p.day, time: p.hour + ":" + p.minute + ":" + p.second + (digits ? "." + fraction : ""),
    minute: p.hour + ":" + p.minute };
}

function full(at) { const c = clock(at, true); return c.date + " " + c.time; }

function iso(at) { return new Date(Math.round(header.from + at)).toISOString(); }

function lasted(ms) {
  ms = Math.round(ms);
  if (ms < 1000) return ms + " ms";
  if (ms < 60000) return (ms / 1000).toFixed(1) + " s";
  if (ms < 3600000) return Math.floor(ms / 60000) + " min " + Math.floor(ms / 1000 % 60) + " s";
  if (ms < 172800000) return Math.floor(ms / 3600000) + " h " + Math.floor(ms / 60000 % 60) + " min";
  return Math.floor(ms / 86400000) + " d " + Math.floor(ms / 3600000 % 24) + " h";
}

const thousands = n => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
