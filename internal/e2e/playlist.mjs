// The steps of play.mjs for playlists: the page that package playlist makes, used as a viewer would, and the presentation
// of all entries in a player.

// noteFrames has the page note what is shown: frames in a row of one size are one run, {width, height, start, end} in
// seconds of the timeline, frames, and pause, the longest time between two of them on the wall clock, in seconds.
const noteFrames = () => {
  const video = document.querySelector("video"), runs = globalThis.runs = [];
  const note = (now, { mediaTime, width, height }) => {
    video.requestVideoFrameCallback(note);
    let run = runs.at(-1);
    const pause = run ? (now - run.now) / 1000 : 0;
    if (!run || run.width !== width || Math.abs(mediaTime - run.end) > 1) {
      run = { width, height, start: mediaTime, frames: 0, pause: 0 };
      runs.push(run);
    }
    Object.assign(run, { end: mediaTime, frames: run.frames + 1, pause: Math.max(run.pause, pause), now });
  };
  video.requestVideoFrameCallback(note);
};

// watchList plays the one presentation of a playlist to a position, or asks for what must not be had yet: with cheat,
// positions that are sought one after the other, from where the player is first; or with parts, until so many have been
// shown. It counts answers by their status.
export async function watchList(page, args, report, { until, load }) {
  report.statuses = {};
  page.on("response", (r) => {
    if (!/Fragments\(/i.test(decodeURIComponent(r.url()))) return;
    report.statuses[r.status()] = (report.statuses[r.status()] ?? 0) + 1;
  });
  await page.evaluate(noteFrames);
  await load();
  await until(page, "start", 20, () => document.querySelector("video").currentTime > 0.3);
  const start = Date.now();
  if (args.cheat) {
    report.jumps = [];
    for (const to of args.cheat) report.jumps.push(await cheat(page, to));
  } else if (args.parts) {
    await until(page, `${args.parts} parts`, 60, (parts) => runs.length >= parts && runs.at(-1).frames >= 50, args.parts);
  } else {
    await until(page, `play to ${args.to}`, args.to + 15, (to) => document.querySelector("video").currentTime >= to, args.to);
  }
  report.wall = (Date.now() - start) / 1000;
  report.runs = await page.evaluate(() => runs);
}

// cheat goes to a position and returns what is shown there within three seconds.
async function cheat(page, to) {
  await page.evaluate((to) => {
    runs.length = 0;
    document.querySelector("video").currentTime = to;
  }, to);
  await page.waitForTimeout(3000);
  return page.evaluate((to) => ({ to, shown: runs.filter((r) => r.end >= to - 0.5), time: document.querySelector("video").currentTime }), to);
}

// watchPage plays a programme, an advertisement that is locked, and the rest of the programme on the page, and tries in
// the advertisement what the page must refuse. Each step notes what the page says.
export async function watchPage(page, args, report, { until }) {
  report.steps = {};
  const look = async (step) => {
    report.steps[step] = await page.evaluate(() => {
      const text = (id) => document.getElementById(id).textContent, video = document.getElementById("video");
      const off = (id) => document.getElementById(id).getAttribute("aria-disabled") === "true";
      const { entry, state, refused = "0" } = document.getElementById("player").dataset;
      return {
        entry, state, refused: Number(refused), reason: text("reason"), message: text("message"), time: video.currentTime,
        width: video.videoWidth, rate: video.playbackRate, muted: video.muted, nextOff: off("next"), seekOff: off("seek"),
        focus: document.activeElement?.id ?? "",
      };
    });
  };
  const at = (entry, state, time) => until(page, `entry ${entry} ${state}`, 30, ({ entry, state, time }) => {
    const { dataset } = document.getElementById("player");
    return dataset.entry === entry && dataset.state === state && document.getElementById("video").currentTime >= time;
  }, { entry, state, time });
  const attempt = async (step, act) => {
    await act();
    await page.waitForTimeout(250);
    await look(step);
  };
  await page.goto(args.url);
  await page.waitForSelector("#player:not([hidden])");
  await page.evaluate(() => { // how long the picture stands still between entries
    const video = document.getElementById("video"), gaps = globalThis.gaps = [];
    let ended = 0;
    video.addEventListener("ended", () => { ended = performance.now(); });
    video.addEventListener("playing", () => { if (ended) gaps.push((performance.now() - ended) / 1000); ended = 0; });
  });
  if (args.stream) { // all entries as one stream, to the advertisement, which then is not left
    await page.click("#stream");
    await page.click("#start");
    await until(page, "advertisement", 20, (width) => document.getElementById("video").videoWidth === width, args.stream);
    await page.waitForTimeout(500);
    await attempt("stream", () => page.keyboard.press("ArrowRight"));
    await attempt("script", () => page.evaluate(() => { document.getElementById("video").currentTime = 24; }));
    return;
  }
  await look("opened");
  await page.click("#start");
  await at("1", "playing", 0.3);
  await look("programme");
  await at("2", "playing", 0.5);
  await attempt("advertisement", () => {});
  if (args.screenshot) await page.screenshot({ path: args.screenshot.replace(".png", "-ad.png") });
  await attempt("arrow", () => page.keyboard.press("ArrowRight"));
  await attempt("n", () => page.keyboard.press("n"));
  await attempt("next", () => page.click("#next", { force: true }));
  await attempt("list", () => page.click("#list li:nth-child(3) a", { force: true }));
  if (args.screenshot) await page.screenshot({ path: args.screenshot.replace(".png", "-refused.png") });
  await attempt("bar", () => page.evaluate(() => {
    const bar = document.getElementById("seek");
    bar.value = 12;
    for (const event of ["input", "change"]) bar.dispatchEvent(new Event(event));
  }));
  await attempt("script", () => page.evaluate(() => { document.getElementById("video").currentTime = 12; }));
  await attempt("speed", () => page.evaluate(() => { document.getElementById("video").playbackRate = 4; }));
  report.asked = await page.evaluate(async () => {
    const answer = await fetch(document.querySelector("#list li:nth-child(3) a").href, { method: "HEAD" });
    return { status: answer.status, rule: answer.headers.get("X-Playlist-Rule") };
  });
  await page.focus("#play");
  await attempt("paused", () => page.keyboard.press("k"));
  await attempt("resumed", () => page.keyboard.press("Space"));
  await attempt("muted", () => page.keyboard.press("m"));
  await at("3", "playing", 0.3);
  await look("rest");
  report.gaps = await page.evaluate(() => gaps);
  await attempt("sought", () => page.keyboard.press("ArrowRight"));
  await until(page, "the end", 20, () => document.getElementById("player").dataset.state === "ended");
  await look("ended");
  if (args.screenshot) await page.screenshot({ path: args.screenshot, fullPage: true });
}
