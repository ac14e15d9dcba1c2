// Uses the console of examples/mediaserver in headless Chromium, and reports as one line of JSON what is wrong and what was seen:
// {"errors": [...], "seen": {...}}.
//
//   node console.mjs '{"url":"http://127.0.0.1:8080/console/","live":"live/event.isml","spare":"live/spare.isml"}'
//
// Fields of the argument: url (of the console, with a slash at the end), live (a publishing point that an encoder pushes to), spare (one
// that nobody uses, to be started and stopped), shots (a directory for screenshots) and chromium (path of the browser).
import { chromium } from "playwright-core";

const args = JSON.parse(process.argv[2]);
const report = { errors: [], seen: {} };
const live = `point?name=${encodeURIComponent(args.live)}`, spare = `point?name=${encodeURIComponent(args.spare)}`;

// open opens a page, notes what the browser complains about, and waits until it is kept up to date.
async function open(context, path) {
  const page = await context.newPage();
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) report.errors.push(`${path}: ${m.text()}`); });
  page.on("pageerror", (e) => report.errors.push(`${path}: script: ${e.message}`));
  page.on("response", (r) => { if (r.status() >= 400) report.errors.push(`${path}: ${r.status()} ${r.url()}`); });
  await page.goto(args.url + path);
  await page.waitForFunction(() => document.getElementById("link")?.dataset.state === "on", null, { timeout: 20000 });
  return page;
}

// changes waits until something changes without anybody doing anything.
async function changes(page, selector) {
  const text = (s) => document.querySelector(s)?.textContent;
  const before = await page.evaluate(text, selector);
  if (before === undefined) throw new Error(`${page.url()} has no ${selector}`);
  await page.waitForFunction(([s, was]) => document.querySelector(s)?.textContent !== was, [selector, before], { timeout: 30000 });
  return [before, await page.evaluate(text, selector)];
}

// use looks at the point that is pushed to, and starts and stops the other one by its buttons.
async function use(context) {
  const page = await open(context, live);
  await page.waitForSelector('section[data-state="Started"]', { timeout: 30000 });
  await page.waitForSelector("[data-encoder]", { timeout: 30000 });
  report.seen.window = await changes(page, '[data-number="window"] dd');
  await page.close();
  const other = await open(context, spare);
  await other.click("button[value=start]");
  await other.waitForSelector('section[data-state="Starting"], section[data-state="Started"]', { timeout: 20000 });
  await other.click("button[value=stop]");
  await other.waitForSelector('section[data-state="Stopped"]', { timeout: 20000 });
  report.seen.stopped = await other.textContent("section[data-state] .badge");
  await other.close();
}

// look takes pictures, and finds what is wider than the screen.
async function look(browser) {
  const looks = {
    phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
    dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  };
  report.seen.shots = 0;
  for (const [name, options] of Object.entries(looks)) {
    const context = await browser.newContext(options);
    for (const [what, path] of Object.entries({ overview: "", point: live, presentations: "presentations" })) {
      const page = await open(context, path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) report.errors.push(`${path}: ${wide} pixels too wide (${name})`);
      if (args.shots) await page.screenshot({ path: `${args.shots}/${what}-${name}.png`, fullPage: true });
      report.seen.shots++;
      await page.close();
    }
    report.seen[name] = await context.newPage().then((p) => p.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches));
    await context.close();
  }
}

const browser = await chromium.launch({ executablePath: args.chromium ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  await use(await browser.newContext());
  await look(browser);
} catch (err) {
  report.errors.push(err.message);
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
