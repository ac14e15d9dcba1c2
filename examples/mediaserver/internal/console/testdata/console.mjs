// Uses the console in headless Chromium and reports as one line of JSON what is wrong: {"errors": [...], "seen": {...}}.
//
//   node console.mjs '{"url":"http://127.0.0.1:8080/console/","modules":"internal/e2e/node_modules/","chromium":"/usr/bin/chromium"}'
//
// Fields of the argument: url (of the console, with a slash at the end), modules (where playwright-core is, an absolute path with a
// slash at the end), chromium (path of the browser), pages (those to look at, relative to url), screenshots (a directory to save
// them in), and, to use them, chart (a page with a timeline), point (the page of a started publishing point) and counting (the selector
// of something on the first page that changes by itself).
import { createRequire } from "node:module";

const args = JSON.parse(process.argv[2]);
const { chromium } = createRequire(args.modules)("playwright-core");
const report = { errors: [], seen: {} };
const looks = {
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 900 } },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark", reducedMotion: "reduce" },
};

// open opens a page of the console and notes what the browser complains about, such as violations of the policy.
async function open(context, path) {
  const page = await context.newPage();
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) report.errors.push(`${path}: ${m.text()}`); });
  page.on("pageerror", (e) => report.errors.push(`${path}: script: ${e.message}`));
  await page.goto(args.url + path);
  await page.waitForFunction(() => !document.querySelector("main[data-live]") || document.getElementById("link").dataset.state === "on", null, { timeout: 10000 });
  return page;
}

// contrasts returns texts whose colour is too near to that behind them: WCAG 2.2, success criterion 1.4.3.
function contrasts() {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (el) => {
    for (; el; el = el.parentElement) {
      const c = numbers(getComputedStyle(el).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const low = new Set();
  for (const el of document.querySelectorAll("body *")) {
    const own = [...el.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!own || !el.checkVisibility() || el.closest(":disabled, .off, svg")) continue;
    const [a, b] = [light(numbers(getComputedStyle(el).color)), light(behind(el))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.add(`${el.textContent.trim().slice(0, 30)} (${((a + 0.05) / (b + 0.05)).toFixed(1)})`);
  }
  return [...low];
}

// look takes pictures of the pages, and checks that nothing is wider than the screen or hard to read.
async function look(browser) {
  for (const [name, options] of Object.entries(looks)) {
    const context = await browser.newContext(options);
    for (const path of args.pages ?? [""]) {
      const page = await open(context, path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) report.errors.push(`${path}: ${wide} pixels too wide (${name})`);
      for (const text of await page.evaluate(contrasts)) report.errors.push(`${path}: too little contrast (${name}): ${text}`);
      const file = `${path.replace(/[^a-z0-9]+/gi, "-") || "overview"}-${name}.png`;
      if (args.screenshots) await page.screenshot({ path: `${args.screenshots}/${file}`, fullPage: true });
      await page.close();
    }
    await context.close();
  }
}

// keyboard goes through a page by Tab and reports where one does not see the focus.
async function keyboard(context, path) {
  const page = await open(context, path);
  await page.keyboard.press("Tab");
  report.seen.firstFocus ??= await page.evaluate(() => document.activeElement.textContent);
  for (let i = 0; i < 60; i++) {
    const { done, hidden } = await page.evaluate(() => {
      const el = document.activeElement, plot = el.classList.contains("slider") ? el.parentElement.querySelector(".plot") : el;
      const style = getComputedStyle(plot);
      return { done: el === document.body, hidden: style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2 ? el.outerHTML.slice(0, 80) : "" };
    });
    if (done) break;
    if (hidden) report.errors.push(`${path}: the focus cannot be seen: ${hidden}`);
    await page.keyboard.press("Tab");
  }
  await page.close();
}

// charts moves the cursor of a chart with the mouse and by keyboard, and zooms by both.
async function charts(context) {
  const page = await open(context, args.chart), chart = page.locator("figure.timeline").first();
  await chart.locator("svg[data-x]").hover({ position: { x: 200, y: 50 } });
  report.seen.hover = await chart.locator("[data-cursor]").textContent();
  await page.mouse.move(2, 2);
  await chart.locator("input").focus();
  await page.keyboard.press("Home");
  report.seen.home = await chart.locator("[data-cursor]").textContent();
  report.seen.spoken = await chart.locator("input").getAttribute("aria-valuetext");
  const box = await chart.locator("svg[data-x]").boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
  await Promise.all([page.waitForURL(/from=/), page.mouse.up()]);
  report.seen.zoomed = new URL(page.url()).search;
  await page.focus("[data-zoom=all]");
  await Promise.all([page.waitForURL((u) => !u.search.includes("from=")), page.keyboard.press("Enter")]);
  await page.close();
}

// commands stops, starts and shuts down a publishing point; the focus stays where it is while the page is updated.
async function commands(context) {
  const page = await open(context, args.point);
  const state = (s) => page.waitForSelector(`section[data-state="${s}"]`, { timeout: 10000 });
  await state("Started");
  await page.click("button[value=stop]");
  await state("Stopped");
  await page.focus("button[value=shutdown]");
  await page.waitForTimeout(2500);
  report.seen.focus = await page.evaluate(() => document.activeElement.value);
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-confirm]");
  report.seen.confirm = new URL(page.url()).pathname.split("/").at(-1);
  await page.click("[data-confirm] button");
  await state("Idle");
  await page.click("button[value=start]");
  await state("Starting");
  await page.close();
}

// updates waits until something changes by itself, while what has been opened stays open.
async function updates(context) {
  const page = await open(context, "");
  const before = await page.textContent(args.counting);
  await page.click("summary");
  await page.waitForFunction(([selector, text]) => document.querySelector(selector).textContent !== text, [args.counting, before], { timeout: 10000 });
  report.seen.open = await page.evaluate(() => document.querySelector("details").open);
  await page.close();
}

const browser = await chromium.launch({ executablePath: args.chromium, args: ["--no-sandbox", "--disable-gpu"] });
try {
  await look(browser);
  const context = await browser.newContext(looks.desktop);
  for (const path of [...new Set(["", args.chart, args.point])]) if (path !== undefined) await keyboard(context, path);
  if (args.counting) await updates(context);
  if (args.chart) await charts(context);
  if (args.point) await commands(context);
} catch (err) {
  report.errors.push(err.message);
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
