// Plays one presentation in headless Chromium with one player and reports what happened as one line of JSON.
//
//   node play.mjs '{"player":"dash","url":"http://127.0.0.1:8080/sample/sample.ism/Manifest"}'
//
// Fields of the argument: player (dash, rx, hls, native or page), url (a Smooth manifest, for "hls" and "native", which
// is the browser itself, an HLS master playlist, or for "page" the address of the example server's page), seconds (how
// long to play first), seek (where to, in seconds), after (how long to play there), chromium (path of the browser), captions (whether to show them and
// wait for one), screenshot (where to save one), missing (the address of a server whose files may be missing), brief (to
// switch nothing).
// For "page": name (which presentation of the list), format (which one to choose, as the page calls it), engine (which
// player to choose), and refused (part of the paths that shall be answered with 415 instead, so that the page must help
// itself).
// With live, a live presentation is watched instead, whose picture shows the number of each frame, see
// livecode_test.go: for seconds of wall-clock time, in which nothing is switched but by the player; with outlast, so many
// seconds more at most, until there are pictures of an encoder that has begun anew; with rewind, then from the start of
// its window, and again near its live edge; with over, from the very beginning, of an event that keeps it; with seek, from
// there; with last, then to that frame, the last of the event, or one of the dozen before it. A line {"step":"playing"} is
// printed when the player has begun.
// With list, a playlist is played, see playlist.mjs: on its own page with player "list", else as one presentation, to a
// position, to, or trying to get at the positions of cheat; with ahead, how many seconds the player loads ahead.
import { readFileSync, rmSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { watchList, watchPage } from "./playlist.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
];

// Scripts that a page needs before its adapter, per player.
const scripts = {
  dash: async () => ["dash.all.min.js", "dash.mss.min.js"].map((f) => readFileSync(join(modules, "dashjs/dist/modern/umd", f), "utf8")),
  rx: async () => {
    const { build } = createRequire(import.meta.url)("esbuild");
    const out = await build({
      entryPoints: [join(modules, "rx-player/dist/es2017/index.js")],
      bundle: true, minify: true, write: false, format: "iife", globalName: "rx", logLevel: "silent",
    });
    return [out.outputFiles[0].text];
  },
  hls: async () => [readFileSync(join(modules, "hls.js/dist/hls.min.js"), "utf8")],
  native: async () => [],
  page: async () => [],
};

// Each adapter runs in the page and gives the players one face:
//   load(url), levels() -> [{id, height}], pin(level), audios() -> [{id, lang, active}], speak(audio), errors,
//   caption(), which turns on the first text track
const adapters = {
  dash: () => {
    const player = dashjs.MediaPlayer().create();
    const errors = [];
    return {
      errors,
      load(url) {
        player.on("error", (e) => errors.push(`${e.error?.code ?? ""} ${e.error?.message ?? JSON.stringify(e.error)}`));
        const ahead = globalThis.ahead ?? 6;
        player.updateSettings({ streaming: { buffer: { bufferTimeDefault: ahead, bufferTimeAtTopQuality: ahead, bufferTimeAtTopQualityLongForm: ahead } } });
        player.updateSettings({ streaming: { utcSynchronization: { enabled: false } } }); // which asks a server on the internet
        player.initialize(document.querySelector("video"), url, true);
        player.attachTTMLRenderingDiv(document.getElementById("text"));
      },
      levels: () => player.getRepresentationsByType("video").map((r) => ({ id: r.id, height: r.height })),
      pin(level) {
        player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
        player.setRepresentationForTypeById("video", level.id, true);
      },
      audios: () => player.getTracksFor("audio").map((t) => ({ id: t.index, lang: t.lang, active: t.index === player.getCurrentTrackFor("audio")?.index })),
      speak: (audio) => player.setCurrentTrack(player.getTracksFor("audio").find((t) => t.index === audio.id)),
      caption() {
        player.enableText(true);
        player.setTextTrack(0);
      },
      window: () => player.getDvrWindow(),
    };
  },
  rx: () => {
    const errors = [];
    const player = new rx.default({ videoElement: document.querySelector("video"), wantedBufferAhead: 6 });
    player.addEventListener("error", (e) => errors.push(`${e.code} ${e.message}`));
    return {
      errors,
      load: (url) => player.loadVideo({
        url, transport: "smooth", autoPlay: true, textTrackMode: "html", textTrackElement: document.getElementById("text"),
      }),
      levels: () => (player.getVideoTrack()?.representations ?? []).map((r) => ({ id: r.id, height: r.height })),
      pin: (level) => player.lockVideoRepresentations({ representations: [level.id], switchingMode: "direct" }),
      audios: () => player.getAvailableAudioTracks().map((t) => ({ id: t.id, lang: t.normalized, active: t.active })),
      speak: (audio) => player.setAudioTrack(audio.id),
      caption() {
        const [first] = player.getAvailableTextTracks();
        if (first) player.setTextTrack(first.id);
      },
      window: () => ({ start: player.getMinimumPosition(), end: player.getMaximumPosition() }),
      seek: (position) => player.seekTo({ position }),
    };
  },
  hls: () => {
    const errors = [];
    const ahead = globalThis.ahead ?? 6;
    const player = new Hls({ maxBufferLength: ahead, maxMaxBufferLength: ahead });
    // On demand, what is not fatal counts too, but for what comes at the start. With B-frames the first picture is shown two frames after
    // the time it is decoded at, which is 0 on hls.js's clock. And hls.js 1.7.4 finds that its first append has brought
    // nothing where it was queued before there was a buffer.
    const buffered = new Set();
    player.on(Hls.Events.FRAG_BUFFERED, (_, e) => buffered.add(e.frag.type));
    const start = (e) => !e.fatal && (e.details === "bufferSeekOverHole" && e.reason.includes("seeking from 0 to") ||
      e.details === "bufferAppendNoProgress" && (e.frag.start === 0 || !buffered.has(e.frag.type)));
    player.on(Hls.Events.ERROR, (_, e) => {
      if (e.fatal || !globalThis.live && !start(e)) errors.push(`${e.type} ${e.details}${e.fatal ? ", fatal" : ""}: ${e.error?.message ?? e.reason ?? ""} ${e.frag?.relurl ?? ""}`);
    });
    const audios = () => player.audioTracks.map((t, i) => ({ id: i, lang: t.lang, active: i === player.audioTrack }));
    return {
      errors, audios,
      load(url) {
        player.on(Hls.Events.MANIFEST_PARSED, () => document.querySelector("video").play());
        player.loadSource(url);
        player.attachMedia(document.querySelector("video"));
      },
      levels: () => player.levels.map((l, i) => ({ id: i, height: l.height })).filter((l) => l.height > 0),
      pin: (level) => { player.nextLevel = level.id; },
      speak: (audio) => { player.audioTrack = audio.id; },
      caption() { player.subtitleTrack = 0; },
      window: () => ({ start: player.latestLevelDetails.fragmentStart, end: player.latestLevelDetails.edge }),
    };
  },
  // The browser by itself, which has no interface for levels and tracks.
  native: () => {
    const video = document.querySelector("video");
    const errors = [];
    video.addEventListener("error", () => errors.push(video.error.message));
    return {
      errors,
      load(url) {
        video.src = url;
        return video.play();
      },
      levels: () => [], audios: () => [], caption() {},
    };
  },
  // The example server's own page is used through its controls, as a viewer would.
  page: () => {
    const errors = [];
    const options = (id) => [...document.querySelectorAll(`#${id} option`)];
    const choose = (id, value) => {
      const select = document.getElementById(id);
      select.value = value;
      select.dispatchEvent(new Event("change"));
    };
    return {
      errors,
      load({ name, format, engine }) {
        const status = document.getElementById("error");
        new MutationObserver(() => { if (status.textContent.trim()) errors.push(status.textContent); })
          .observe(status, { childList: true, subtree: true, characterData: true });
        if (format) choose("format", format);
        if (engine) choose("engine", options("engine").find((o) => o.textContent === engine).value);
        const entries = [...document.querySelectorAll("#presentations button")];
        (entries.find((b) => b.dataset.name === name) ?? entries[0]).click();
      },
      levels: () => options("quality").filter((o) => o.value !== "auto").map((o) => ({ id: o.value, height: Number(o.dataset.height) })),
      pin: (level) => choose("quality", level.id),
      audios: () => options("audio").map((o) => ({ id: o.value, lang: o.lang, active: o.selected })),
      speak: (audio) => choose("audio", audio.id),
      caption() {
        if (options("captions").length > 1) choose("captions", options("captions")[1].value);
      },
      window() {
        const bar = document.getElementById("position");
        return { start: Number(bar.min), end: Number(bar.max) };
      },
      seek(position) {
        const bar = document.getElementById("position");
        bar.value = position;
        for (const event of ["input", "change"]) bar.dispatchEvent(new Event(event));
      },
      edge: () => document.getElementById("to-live").click(),
    };
  },
};

// step names what is being waited for, so that a timeout says where playback got stuck.
async function until(page, step, seconds, fn, arg) {
  try {
    await page.waitForFunction(fn, arg, { timeout: seconds * 1000, polling: 50 });
  } catch (err) {
    throw new Error(`${step}: not within ${seconds} s (${err.message.split("\n")[0]}), ${JSON.stringify(await state(page))}`);
  }
}

const state = (page) => page.evaluate(() => {
  const v = document.querySelector("video");
  const ranges = [...Array(v.buffered.length).keys()].map((i) => [v.buffered.start(i), v.buffered.end(i)]);
  return { time: v.currentTime, height: v.videoHeight, paused: v.paused, readyState: v.readyState, buffered: ranges, error: v.error?.message };
});

async function advance(page, step, seconds) {
  const from = (await state(page)).time;
  await until(page, step, seconds + 12, (t) => document.querySelector("video").currentTime >= t, from + seconds);
}

async function playFirst(page, seconds) {
  await until(page, "start", 15, () => document.querySelector("video").currentTime > 0.05);
  return playOn(page, "play", seconds);
}

async function playOn(page, step, seconds) {
  const start = Date.now(), from = (await state(page)).time;
  await advance(page, step, seconds);
  return { media: (await state(page)).time - from, wall: (Date.now() - start) / 1000 };
}

async function seek(page, to) {
  await page.evaluate((t) => { document.querySelector("video").currentTime = t; }, to);
  await advance(page, `seek to ${to}`, 1);
  return (await state(page)).time;
}

// switchQuality pins the level whose height differs most from what is shown, and waits until it is shown.
async function switchQuality(page) {
  const before = (await state(page)).height;
  const levels = await page.evaluate(() => adapter.levels());
  const far = (l) => Math.abs(l.height - before);
  const target = levels.filter((l) => l.height !== before).sort((a, b) => far(b) - far(a))[0];
  if (!target) return { levels: levels.length, from: before };
  await page.evaluate((l) => adapter.pin(l), target);
  await until(page, `switch from height ${before} to ${target.height}`, 15, (h) => document.querySelector("video").videoHeight === h, target.height);
  await advance(page, "play after the switch", 0.5);
  return { levels: levels.length, from: before, to: target.height };
}

async function switchAudio(page) {
  const audios = await page.evaluate(() => adapter.audios());
  const from = audios.find((a) => a.active), to = audios.find((a) => !a.active);
  if (!from || !to) return { tracks: audios.length, from: from?.lang };
  await page.evaluate((a) => adapter.speak(a), to);
  await until(page, `switch audio to ${to.lang}`, 10, (lang) => adapter.audios().find((a) => a.active)?.lang === lang, to.lang);
  await advance(page, "play after the audio switch", 0.5);
  return { tracks: audios.length, from: from.lang, to: to.lang };
}

// shownCaption waits for a caption and returns it with the time it is seen at.
async function shownCaption(page) {
  const seen = () => {
    const video = document.querySelector("video");
    const cues = [...video.textTracks].flatMap((t) => [...(t.activeCues ?? [])]).map((c) => c.text ?? "");
    const text = [document.getElementById("text")?.textContent ?? "", ...cues].join(" ").trim();
    return text && { text, time: video.currentTime };
  };
  await until(page, "caption", 5, seen);
  return page.evaluate(seen);
}

// playThrough plays a presentation on demand, switches what can be switched, and seeks. It notes the heights of the picture.
async function playThrough(page, args, report) {
  await page.evaluate(() => {
    const video = document.querySelector("video");
    globalThis.heights = video?.videoHeight > 0 ? [video.videoHeight] : [];
    video?.addEventListener("resize", () => { if (video.videoHeight > 0) heights.push(video.videoHeight); });
  });
  report.played = await playFirst(page, args.seconds ?? 8);
  if (!args.brief) {
    report.quality = await switchQuality(page);
    report.audio = await switchAudio(page);
  }
  if (args.captions) await page.evaluate(() => adapter.caption());
  if (args.seek) report.sought = { to: args.seek, time: await seek(page, args.seek) };
  if (args.after) report.after = await playOn(page, "play after the seek", args.after);
  if (args.captions) {
    report.caption = await shownCaption(page);
    report.cues = await page.evaluate(() => [...document.querySelector("video").textTracks]
      .flatMap((t) => [...(t.cues ?? [])]).map((c) => ({ text: c.text, start: c.startTime, end: c.endTime })));
  }
  report.heights = await page.evaluate(() => heights);
  report.frames = await page.evaluate(() => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames);
}

// observe has the page note every frame that is shown. Frames in a row whose numbers go with their times are one run:
//   {start, end} in seconds of the timeline, first and last frame number, frames shown, pause, the longest time between
//   two of them on the wall clock, in seconds, height
// unreadable counts frames without a number.
const observe = () => {
  const video = document.querySelector("video"), canvas = new OffscreenCanvas(160, 90);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rate = 25, bits = 14;
  const seen = globalThis.seen = { runs: [], unreadable: 0 };
  const number = () => {
    context.drawImage(video, 0, 0, 160, 90);
    const row = context.getImageData(0, 5, 160, 1).data, bright = (cell) => row[4 * (10 * cell + 5)] > 128;
    if (!bright(bits) || bright(bits + 1)) return -1;
    let n = 0;
    for (let i = 0; i < bits; i++) if (bright(i)) n += 2 ** i;
    return n;
  };
  const note = (now, { mediaTime }) => {
    video.requestVideoFrameCallback(note);
    const n = number(), time = mediaTime, run = seen.runs.at(-1);
    if (n < 0) {
      seen.unreadable++;
      return;
    }
    // A busy machine draws a later picture than the one that it tells of, by some frames.
    const follows = run && time >= run.end - 0.001 && time < run.end + 1 && Math.abs(time - run.end - (n - run.last) / rate) < 0.13;
    if (!follows) {
      seen.runs.push({ start: time, end: time, first: n, last: n, frames: 1, pause: 0, now, height: video.videoHeight });
      return;
    }
    if (n !== run.last) run.frames++;
    Object.assign(run, { end: time, last: n, pause: Math.max(run.pause, (now - run.now) / 1000), now, height: video.videoHeight });
  };
  video.requestVideoFrameCallback(note);
};

// watch watches a live presentation.
async function watch(page, args, report) {
  await page.evaluate(() => {
    adapter.seek ??= (time) => { document.querySelector("video").currentTime = time; };
    adapter.edge ??= adapter.seek;
  });
  await until(page, "start", 30, () => seen.runs.some((r) => r.frames > 20));
  console.log(JSON.stringify({ step: "playing" }));
  const from = (await state(page)).time, start = Date.now();
  await page.waitForTimeout(args.seconds * 1000);
  if (args.outlast) await until(page, "picture of an encoder that has begun anew", args.outlast, anew);
  report.played = { media: (await state(page)).time - from, wall: (Date.now() - start) / 1000 };
  report.window = await page.evaluate(() => adapter.window?.() ?? null);
  Object.assign(report, await page.evaluate(() => ({ ...seen })));
  if (args.rewind) {
    report.rewound = await jump(page, "rewind", "seek", report.window.start + (args.over ? 0 : 3)); // the window moves on
    const { end } = await page.evaluate(() => adapter.window());
    report.returned = await jump(page, "return to the live edge", "edge", end - 12);
  }
  if (args.seek) report.sought = await jump(page, "seek", "seek", args.seek);
  if (args.last) {
    await until(page, `frame ${args.last}`, 40, (last) => seen.runs.at(-1)?.last >= last - 12, args.last);
    report.end = await page.evaluate(() => seen.runs.at(-1));
  }
}

// anew reports, in the page, whether frames are shown for seconds whose numbers have gone back.
const anew = () => seen.runs.some((r, i) => r.frames > 75 && seen.runs.slice(0, i).some((before) => r.first < before.last));

// jump goes elsewhere and returns the run of frames that is shown from there for two seconds.
async function jump(page, step, how, to) {
  await page.evaluate(([how, to]) => {
    seen.runs.length = 0;
    adapter[how](to);
  }, [how, to]);
  await until(page, `${step} to ${to}`, 15, () => seen.runs.some((r) => r.frames >= 50));
  return { to, ...await page.evaluate(() => seen.runs.find((r) => r.frames >= 50)) };
}

async function act(page, args, report) {
  if (args.player === "list") return watchPage(page, args, report, { until });
  await prepare(page, args);
  const load = async () => {
    const asked = Date.now();
    await page.evaluate((what) => adapter.load(what), args.player === "page" ? args : args.url);
    report.loading = (Date.now() - asked) / 1000; // in the browser itself, until it has what it needs to play
  };
  if (args.list) return watchList(page, args, report, { until, load });
  if (args.live) await page.evaluate(observe);
  await load();
  await (args.live ? watch : playThrough)(page, args, report);
}

async function run(args) {
  const profile = mkdtempSync(join(tmpdir(), "smoothkit-e2e-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: args.chromium ?? "/usr/bin/chromium", args: flags, headless: true, viewport: { width: 960, height: 720 },
  });
  const report = { player: args.player, url: args.url, requests: {}, failed: [], errors: [] };
  try {
    const page = await browser.newPage();
    const refused = (url) => args.refused !== undefined && String(url).includes(args.refused);
    const mayFail = (r) => args.missing !== undefined && r.url().startsWith(args.missing) || refused(r.url());
    if (args.refused) await page.route(refused, (route) => route.fulfill({ status: 415, body: "" }));
    page.on("response", (r) => { if (!mayFail(r) && !args.list) count(report, r, args.live); });
    page.on("requestfailed", (r) => {
      if (r.failure()?.errorText !== "net::ERR_ABORTED" && !mayFail(r)) report.failed.push(`${r.failure()?.errorText} ${r.url()}`);
    });
    page.on("pageerror", (e) => report.errors.push(`script: ${e.message}`));
    await act(page, args, report);
  } catch (err) {
    report.errors.push(err.message);
  }
  try {
    const page = browser.pages().at(-1);
    report.errors.push(...await page.evaluate(() => globalThis.adapter?.errors ?? []));
    if (!report.runs && args.live) Object.assign(report, await page.evaluate(() => ({ ...globalThis.seen }))); // how far it came
    if (args.screenshot) await page.screenshot({ path: args.screenshot });
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
  return report;
}

// prepare opens a page on the server's own origin: the example's page, or an empty one with the player's scripts.
async function prepare(page, args) {
  if (args.player === "page") {
    await page.goto(args.url);
    await page.waitForSelector("#presentations button", { timeout: 10000 });
  } else {
    const blank = new URL("/e2e-blank.html", args.url).href;
    await page.route(blank, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><video muted></video><div id=text></div>" }));
    await page.goto(blank);
    for (const content of await scripts[args.player]()) await page.addScriptTag({ content });
  }
  await page.evaluate(({ live, ahead }) => Object.assign(globalThis, { live, ahead }), { live: args.live || args.list, ahead: args.ahead });
  await page.evaluate(`window.adapter = (${adapters[args.player]})()`);
}

// count sums up answers per track: {"video@300000": 5}.
function count(report, response, live) {
  const path = decodeURIComponent(new URL(response.url()).pathname);
  if (response.status() === 412 && live) report.early = (report.early ?? 0) + 1; // not there yet
  else if (response.status() >= 400 && !path.endsWith("/favicon.ico")) report.failed.push(`${response.status()} ${response.url()}`);
  const m = path.match(/QualityLevels\((\d+)[^)]*\)\/Fragments\(([^=]+)=\d+/i);
  if (m) report.requests[`${m[2]}@${m[1]}`] = (report.requests[`${m[2]}@${m[1]}`] ?? 0) + 1;
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2]))));
