// Drives the pages that check.sh made, and takes screenshots of them.

import puppeteer from "puppeteer-core";

const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--force-color-profile=srgb"], headless: true });
let failures = 0;

function check(ok, what) {
  console.log((ok ? "ok    " : "FAIL  ") + what);
  if (!ok) failures++;
}

const rest = ms => new Promise(resolve => setTimeout(resolve, ms));

async function open(name, { theme = "light", width = 1440, height = 900, ratio = 1, hash = "", script = true } = {}) {
  const page = await browser.newPage();
  await page.setViewport({ width, height, deviceScaleFactor: ratio });
  await page.setJavaScriptEnabled(script);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  page.on("console", m => check(false, name + ": console: " + m.text()));
  page.on("pageerror", e => check(false, name + ": " + e.message));
  page.on("dialog", d => { check(false, name + ": a dialog: " + d.message()); d.dismiss(); });
  page.on("request", r => { if (!r.url().startsWith("file:")) check(false, name + " asks for " + r.url()); });
  const begun = Date.now();
  await page.goto("file://" + process.cwd() + "/" + name + ".html" + hash, { waitUntil: "load" });
  page.loaded = Date.now() - begun;
  await rest(400);
  return page;
}

const text = (page, selector) => page.$eval(selector, e => e.textContent);
const hash = page => page.evaluate(() => decodeURIComponent(location.hash));
const shot = (page, name) => page.screenshot({ path: name + ".png" });

async function keys(page, ...list) {
  for (const k of list) { if (k.length > 1 && k.startsWith("=")) await page.keyboard.type(k.slice(1)); else await page.keyboard.press(k); await rest(60); }
  await rest(400);
}

{ // A real cluster, seen by three nodes.
  const page = await open("kvstore");
  check(/kvstore/.test(await text(page, "h1")), "the cluster is named");
  await shot(page, "kvstore-light");
  await keys(page, "+", "+", "+");
  check(/t=.*\.\./.test(await hash(page)), "zooming is in the link: " + await hash(page));
  await keys(page, "0");
  check(!/t=/.test(await hash(page)), "all of it again");
  await keys(page, "/", "=partition 5", "Enter");
  check(/sel=partition\/5@/.test(await hash(page)), "search finds a partition: " + await hash(page));
  check(/blame partition\/5 /.test(await text(page, "#panel")), "the panel shows the command");
  check(/Who knew/.test(await text(page, "#panel")), "and who knew it when");
  await shot(page, "kvstore-selected");
  const before = await hash(page);
  await keys(page, "]");
  check(await hash(page) !== before, "the next interval");
  await keys(page, "/", "=NodeFailed", "Enter", "z");
  check(/sel=event\//.test(await hash(page)), "search finds an event: " + await hash(page));
  await shot(page, "kvstore-event");
  const link = await page.evaluate(() => location.hash);
  const other = await open("kvstore", { hash: link, theme: "dark" });
  check(await hash(other) === await hash(page), "a link opens the same");
  check(await text(other, "#panel h2") === await text(page, "#panel h2"), "and selects the same");
  await shot(other, "kvstore-linked-dark");
  await keys(other, "v", "v");
  check(/view=n2/.test(await hash(other)), "the view of another node");
  await page.close(); await other.close();
}

{ // What a node that was down believed.
  const page = await open("incident", { hash: "#view=n3&differ=1&t=2000-01-01T00:00:30.000Z..2000-01-01T00:04:00.000Z&sel=partition/2@2000-01-01T00:02:00.000Z" });
  check(/n3 believed/.test(await text(page, "#views [aria-pressed=true]")), "what n3 believed");
  check(/--axis known/.test(await text(page, "#panel")), "its commands ask along the axis known");
  await shot(page, "incident-differences");
  const box = await (await page.$("#stage")).boundingBox();
  await page.mouse.click(box.x + 400, box.y + box.height - 200);
  await page.mouse.move(box.x + 300, box.y + 90);
  await page.mouse.down(); await page.mouse.move(box.x + 500, box.y + 90, { steps: 5 }); await page.mouse.up();
  await rest(400);
  check(!/t=2000-01-01T00:00:30.000Z/.test(await hash(page)), "dragging moves");
  await page.close();
}

{ // Names that want to be code.
  const page = await open("evil");
  await keys(page, "/", "=<", "Enter");
  for (const [x, y] of [[300, 200], [400, 230], [300, 420], [300, 560], [250, 150]]) { await page.mouse.click(x, y); await rest(150); }
  check(await page.evaluate(() => document.images.length === 0 && document.scripts.length === 2), "evil names stay text");
  await shot(page, "evil");
  await page.close();
}

{ // Without scripts.
  for (const theme of ["light", "dark"]) {
    const page = await open("kvstore", { script: false, theme });
    await shot(page, "kvstore-still-" + theme);
    await page.close();
  }
}

// A hundred thousand intervals: how long a frame takes while it moves.
for (const ratio of [1, 2]) {
  const page = await open("large", { ratio, theme: "dark" });
  console.log("large, ratio " + ratio + ": loaded in " + page.loaded + " ms");
  await shot(page, "large-" + ratio);
  const frames = await page.evaluate(async () => {
    const stage = document.getElementById("stage"), all = [];
    const wheel = e => stage.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, clientX: 600, clientY: 500, ...e }));
    for (let i = 0; i < 5; i++) wheel({ deltaY: -80 });
    let last = performance.now();
    for (let i = 0; i < 120; i++) {
      wheel({ deltaX: i % 60 < 30 ? 14 : -14 });
      await new Promise(resolve => requestAnimationFrame(resolve));
      const now = performance.now();
      all.push(now - last); last = now;
    }
    return all.slice(5).sort((a, b) => a - b);
  });
  const at = part => frames[Math.floor(frames.length * part)].toFixed(1);
  console.log("large, ratio " + ratio + ": a frame takes " + at(.1) + " ms (p10), " + at(.5) + " ms (p50), " + at(.95) + " ms (p95)");
  await rest(500);
  await shot(page, "large-moved-" + ratio);
  await page.close();
}

await browser.close();
process.exit(failures ? 1 : 0);
