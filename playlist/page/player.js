"use strict";
(() => {
const $ = (id) => document.getElementById(id);
const player = $("player"), video = $("video"), seek = $("seek"), start = $("start");

// Entries as the list shows them. done: played to its end here, so its rules are over, as they are for the server.
// free: the server has said that it may be left. failed: it cannot be played. retries: attempts to load it again, the
// last at the position failedAt.
const items = Array.from($("list").children, (li) => {
  const link = li.querySelector("a"), data = li.dataset;
  return {
    link, state: li.querySelector(".state"), url: link.href, name: li.querySelector(".name").textContent,
    id: data.id, seconds: Number(data.seconds) || 0, role: data.role,
    noSeek: "noSeek" in data, noForward: "noSkipForward" in data, noBack: "noSkipBack" in data,
    done: false, free: false, failed: false, retries: 0, failedAt: 0,
  };
});
if (!items.length) return;

let at = 0;            // the entry that plays
let wanted = false;    // whether it is meant to play; a pause of the viewer ends that
let last = 0;          // the position, in seconds, that playing has reached or the page has set
let state = "idle";    // idle, playing, paused, waiting, ended, gone
let loads = 0;         // counts sources, so that what is late for an earlier one is dropped
let timer = 0;         // of a new attempt
let trying = false;    // the message is about a new attempt
let probeAt = 0, probes = 0; // when to ask next whether the entry may be left, and how often that was done
const slack = 0.75;    // seconds by which a position may differ without being a seek

// One stream of all entries, where the browser plays HLS by itself.
const stitched = httpURL(player.dataset.stitched || "");
let spans = null;      // of entries in it, in seconds, if all lengths are known
let streaming = false;

function httpURL(s) {
  try {
    const u = new URL(s, location.href);
    return s && (u.protocol === "http:" || u.protocol === "https:") ? u.href : "";
  } catch { return ""; }
}

// What may be done.

const bound = (it) => !it.done && !it.failed;

// against returns the entry and the rule that forbid going from the present entry to another one, or null.
function against(to) {
  if (to > at) {
    for (let i = at; i < to; i++) {
      if (items[i].noForward && bound(items[i]) && !items[i].free) return { i, why: "cannot be skipped" };
    }
    return null;
  }
  if (to === at && !items[at].done) return null;
  for (let i = to; i <= at; i++) {
    if (items[i].noBack) return { i, why: to === at ? "cannot be played again" : "does not allow going back" };
  }
  return null;
}

// canSeek reports whether the position may be set: anywhere in the entry, or in one stream to a given time.
function canSeek(time) {
  if (!streaming) return !items[at].noSeek || items[at].done;
  if (!spans) return !items.some((it) => it.noSeek || it.noForward || it.noBack);
  if (time === undefined) return !items[at].noSeek || items[at].done;
  const to = indexAt(time);
  if (to === at) return !items[at].noSeek || items[at].done;
  return !against(to) && (!items[to].noSeek || items[to].done || time - spans[to] < slack);
}

// whyNot says what is against the position that canSeek has refused.
function whyNot(time) {
  if (!streaming || !spans || time === undefined) return "Seeking is off in " + quote(items[at]) + ".";
  const to = indexAt(time), no = to === at ? null : against(to);
  return no ? quote(items[no.i]) + " " + no.why + "." : "Seeking is off in " + quote(items[to]) + ".";
}

const quote = (it) => "“" + it.name + "”";

// Text of the page.

function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds)), h = Math.floor(s / 3600);
  const ms = Math.floor(s / 60) % 60 + ":" + String(s % 60).padStart(2, "0");
  return h ? h + ":" + ms.padStart(5, "0") : ms;
}

function setText(el, s) { if (el.textContent !== s) el.textContent = s; }

const say = (s) => setText($("message"), s);

function refuse(what) {
  player.dataset.refused = String(Number(player.dataset.refused || 0) + 1);
  $("message").textContent = "";
  say(what);
}

function setOff(el, off) { el.setAttribute("aria-disabled", String(off)); }

function reasons() {
  const it = items[at], off = [];
  if (it.noForward && bound(it) && !it.free) off.push("skipping is off until it has played");
  if (at > 0 && it.noBack) off.push("going back is off");
  if (!canSeek()) off.push("seeking is off");
  if (!off.length) return "";
  return (it.role === "advertisement" ? "Advertisement: " : "In this entry ") + off.join(", ") + ".";
}

function render() {
  const it = items[at];
  player.dataset.entry = it.id;
  player.dataset.state = state;
  setText($("place"), at + 1 + " of " + items.length);
  setText($("name"), it.name);
  setText($("after"), at + 1 < items.length ? "Next: " + items[at + 1].name : "This is the last entry.");
  setText($("reason"), reasons());
  $("badge").hidden = !it.role;
  setText($("badge"), it.role === "advertisement" ? "Advertisement" : it.role);
  setOff($("next"), at + 1 >= items.length || !!against(at + 1) || streaming && !spans);
  setOff($("previous"), at === 0 || !!against(at - 1) || streaming && !spans);
  setOff(seek, !canSeek() || !(video.duration > 0));
  const on = !video.paused && !video.ended;
  $("play").classList.toggle("is-on", on);
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  const over = state === "gone" || state === "ended" && !!against(0); // then only a new session can begin again
  start.hidden = on || over || state === "playing" || state === "waiting";
  $("again").hidden = !over;
  start.setAttribute("aria-label", state === "ended" ? "Play again" : "Play");
  $("mute").classList.toggle("is-on", video.muted);
  $("mute").setAttribute("aria-pressed", String(video.muted));
  items.forEach((e, i) => {
    if (i === at) e.link.setAttribute("aria-current", "true"); else e.link.removeAttribute("aria-current");
    setOff(e.link, i !== at && !!against(i) || streaming && !spans);
    setText(e.state, e.failed ? "not playable" : e.done ? "played" : "");
  });
  renderTime();
  renderSession();
}

function renderTime() {
  const d = video.duration, long = Number.isFinite(d) ? d : items[at].seconds;
  seek.max = String(Number.isFinite(d) ? d : 0);
  if (!seeking) seek.value = String(video.currentTime);
  const text = clock(video.currentTime) + (long > 0 ? " / " + clock(long) : "");
  if ($("time").textContent === text) return; // a screen reader is told once a second at most
  $("time").textContent = text;
  seek.setAttribute("aria-valuetext", text.replace(" / ", " of "));
}

// renderSession gives media keys and the lock screen the same rights as the page has.
function renderSession() {
  const s = navigator.mediaSession;
  if (!s) return;
  const set = (name, f) => { try { s.setActionHandler(name, f); } catch { /* not known to this browser */ } };
  const off = (el) => el.getAttribute("aria-disabled") === "true";
  set("nexttrack", off($("next")) ? null : () => go(at + 1));
  set("previoustrack", off($("previous")) ? null : () => go(at - 1));
  const free = canSeek();
  set("seekto", free ? (e) => seekTo(e.seekTime) : null);
  set("seekforward", free ? (e) => seekTo(video.currentTime + (e.seekOffset || 10)) : null);
  set("seekbackward", free ? (e) => seekTo(video.currentTime - (e.seekOffset || 10)) : null);
  if (window.MediaMetadata && (!s.metadata || s.metadata.title !== items[at].name)) {
    s.metadata = new MediaMetadata({ title: items[at].name, album: document.title });
  }
}

// Going from entry to entry.

function load(url, position) {
  clearTimeout(timer);
  loads++;
  last = position;
  video.src = url;
  if (position > 0) {
    const n = loads;
    video.addEventListener("loadedmetadata", () => { if (n === loads) video.currentTime = position; }, { once: true });
  }
}

function open(i) {
  at = i;
  probes = 0;
  probeAt = 0;
  items[i].retries = 0;
  if (streaming && !spans) {
    load(stitched, 0);
  } else if (streaming) {
    last = spans[i];
    video.currentTime = last;
  } else {
    load(items[i].url, 0);
  }
  say("");
  if (wanted) play();
  render();
}

function play() {
  wanted = true;
  state = "playing";
  const n = loads;
  video.play().catch((err) => {
    if (n !== loads || err.name !== "NotAllowedError") return; // the rest comes as an error of the video
    wanted = false;
    state = "paused";
    render();
  });
  render();
}

function pause() {
  clearTimeout(timer);
  wanted = false;
  state = "paused";
  video.pause();
  render();
}

function toggle() {
  if (state === "gone") return;
  if (state === "ended") return again();
  if (wanted) return pause();
  if (video.error) return load(items[at].url, last), play();
  play();
}

function again() {
  const no = against(0);
  if (no) return refuse(quote(items[no.i]) + " " + no.why + ".");
  wanted = true;
  open(0);
}

// go is a wish of the viewer.
function go(to) {
  if (to < 0 || to >= items.length || state === "gone") return;
  if (streaming && !spans) return refuse("Entries cannot be chosen in one stream.");
  const no = against(to);
  if (no) return refuse(quote(items[no.i]) + " " + no.why + ".");
  wanted = true;
  open(to);
}

// onward is what the end or the failure of an entry leads to.
function onward() {
  if (at + 1 < items.length) return open(at + 1);
  wanted = false;
  state = "ended";
  say(items.every((it) => it.failed) ? "None of the entries could be played." : "The end.");
  render();
}

function seekTo(time) {
  if (!(video.duration > 0)) return;
  time = Math.min(Math.max(0, time), video.duration);
  if (!canSeek(time)) {
    render();
    return refuse(whyNot(time));
  }
  last = time;
  video.currentTime = time;
  if (streaming && spans) at = indexAt(time);
  render();
}

// Errors.

// ask returns what the server says to a request for an entry without its content: its status, 200 if it leads
// elsewhere, 0 if there is no answer or none that this page may read; and after how many seconds to come back.
async function ask(url) {
  if (new URL(url).origin !== location.origin) return { status: 0, foreign: true };
  try {
    const r = await fetch(url, { method: "HEAD", cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(10000) });
    return { status: r.type === "opaqueredirect" ? 200 : r.status, after: Number(r.headers.get("Retry-After")) || 0 };
  } catch { return { status: 0 }; }
}

const later = new Set([403, 409, 425, 429, 503]);

async function failed() {
  const n = loads, it = items[at], code = video.error ? video.error.code : 0;
  state = "waiting";
  render();
  if (streaming) return leaveStream("The stream cannot be played. Going on entry by entry.");
  const answer = await ask(it.url);
  if (n !== loads) return;
  if (answer.status === 410) return gone();
  const refused = later.has(answer.status), lost = code === 2 || answer.status === 0 && !answer.foreign;
  if ((refused || lost) && it.retries < 5) {
    const wait = Math.min(answer.after || 2 ** it.retries, 60);
    it.retries++;
    it.failedAt = last;
    trying = true;
    say((refused ? "The server does not allow " + quote(it) + " yet." : "The connection was lost.") +
      " Trying again in " + Math.ceil(wait) + " s.");
    timer = setTimeout(() => {
      load(it.url, last);
      if (wanted) play(); else { state = "paused"; render(); }
    }, wait * 1000);
    return;
  }
  it.failed = true;
  trying = false;
  onward();
  say(quote(it) + " could not be played." + (state === "ended" ? " " + $("message").textContent : ""));
}

function gone() {
  wanted = false;
  state = "gone";
  say("This session has ended.");
  render();
}

// probe asks now and then, while an entry plays that may not be left, whether the server would allow it by now.
async function probe() {
  const it = items[at], now = Date.now();
  if (streaming || !it.noForward || !bound(it) || it.free || at + 1 >= items.length || probes >= 20) return;
  if (!probeAt) probeAt = now + 3000;
  if (now < probeAt) return;
  probeAt = Infinity;
  probes++;
  const answer = await ask(items[at + 1].url);
  if (items[at] !== it) return;
  probeAt = Date.now() + Math.max(5, Math.min(answer.after || 0, 60)) * 1000;
  if (answer.foreign) probes = Infinity;
  if (answer.status < 200 || answer.status > 299) return;
  it.free = true;
  say("You may go on to the next entry now.");
  render();
}

// One stream.

function indexAt(time) {
  let i = 0;
  while (i + 1 < items.length && time >= spans[i + 1] - 0.05) i++;
  return i;
}

function enterStream() {
  if (items.every((it) => it.seconds > 0)) {
    let sum = 0;
    spans = items.map((it) => { const s = sum; sum += it.seconds; return s; });
  }
  streaming = true;
  load(stitched, spans ? spans[at] : 0);
  if (!spans) at = 0;
  $("stream").setAttribute("aria-pressed", "true");
  say("All entries as one stream.");
  if (wanted) play();
  render();
}

function leaveStream(why) {
  streaming = false;
  $("stream").setAttribute("aria-pressed", "false");
  open(at);
  say(why);
}

// followStream keeps the present entry by the position.
function followStream() {
  if (!spans) return;
  const to = indexAt(video.currentTime);
  if (to <= at) return;
  for (let i = at; i < to; i++) items[i].done = true;
  at = to;
  say("");
  render();
}

// Events of the video.

let seeking = false; // the viewer holds the bar

video.addEventListener("timeupdate", () => {
  if (video.seeking) return;
  last = video.currentTime;
  if (last > items[at].failedAt + 5) items[at].retries = 0;
  if (streaming) followStream();
  renderTime();
  if (!video.paused) probe();
});
video.addEventListener("seeking", () => {
  if (Math.abs(video.currentTime - last) <= slack) return;
  if (canSeek(video.currentTime)) {
    last = video.currentTime;
    if (streaming && spans) at = indexAt(last);
    return render();
  }
  const why = whyNot(video.currentTime);
  video.currentTime = last; // a seek that did not come through this page's controls
  refuse(why);
});
video.addEventListener("ratechange", () => {
  const it = items[at];
  if (video.playbackRate === 1 || !bound(it) || !it.noSeek && !it.noForward) return;
  video.playbackRate = 1;
  refuse("The speed is fixed in " + quote(it) + ".");
});
video.addEventListener("ended", () => {
  if (streaming) { items.forEach((it) => { it.done = true; }); at = items.length - 1; } else items[at].done = true;
  onward();
});
video.addEventListener("error", () => { if (video.error) failed(); });
video.addEventListener("playing", () => {
  state = "playing";
  wanted = true;
  if (trying) { trying = false; say(""); }
  render();
});
video.addEventListener("pause", () => {
  if (video.ended || video.seeking || video.error) return;
  if (wanted && state === "playing") { wanted = false; state = "paused"; } // by the browser, as when headphones are pulled
  render();
});
for (const name of ["loadedmetadata", "durationchange", "volumechange", "seeked"]) video.addEventListener(name, render);
video.addEventListener("click", toggle);

// Controls.

start.addEventListener("click", () => { toggle(); $("play").focus({ preventScroll: true }); });
$("play").addEventListener("click", toggle);
$("next").addEventListener("click", () => go(at + 1));
$("previous").addEventListener("click", () => go(at - 1));
$("mute").addEventListener("click", () => { video.muted = !video.muted; });
$("volume").addEventListener("input", () => { video.volume = Number($("volume").value); video.muted = false; });
seek.addEventListener("input", () => {
  seeking = canSeek();
  if (!seeking) { seek.value = String(video.currentTime); refuse(whyNot()); }
});
seek.addEventListener("change", () => {
  if (!seeking) return;
  seeking = false;
  seekTo(Number(seek.value));
});
$("list").addEventListener("click", (e) => {
  const i = items.findIndex((it) => it.link === e.target.closest("a"));
  if (i < 0 || e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  go(i);
});
if (stitched && video.canPlayType("application/vnd.apple.mpegurl")) {
  $("stream").hidden = false;
  $("stream").addEventListener("click", () => { if (streaming) leaveStream(""); else enterStream(); });
}
if (!player.requestFullscreen) $("full").hidden = true;
$("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen(); else player.requestFullscreen().catch(() => {});
});

// Keys act only while something in the player has the focus, so that they are in nobody's way elsewhere.
player.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || state === "gone") return;
  const onButton = e.target.tagName === "BUTTON" || e.target.tagName === "A", onBar = e.target.tagName === "INPUT";
  const step = { ArrowLeft: -5, ArrowRight: 5 }[e.key];
  if (step) {
    if (e.target.id === "volume") return;
    e.preventDefault();
    return seekTo(video.currentTime + step);
  }
  if ((e.key === " " || e.key === "Enter") && (onButton || onBar)) return;
  const act = {
    " ": toggle, k: toggle, n: () => go(at + 1), p: () => go(at - 1), f: () => $("full").click(), m: () => $("mute").click(),
  }[e.key.toLowerCase()];
  if (!act) return;
  e.preventDefault();
  act();
});

player.hidden = false;
load(items[0].url, 0);
render();
})();
