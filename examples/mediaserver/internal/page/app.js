// The page: the list of presentations, the player's controls, the addresses and the keyboard.
import { findEngines } from "./engines.js";
import { element, entries, Lists } from "./list.js";
import { LiveBar } from "./livebar.js";

const REFRESH = 4000; // milliseconds between two looks at the list of presentations

const $ = (id) => document.getElementById(id);
const video = $("video");
const liveBar = new LiveBar(video, $("live"), { range: $("position"), output: $("behind"), button: $("to-live") });
const lists = new Lists({
  presentations: $("published"), playlists: $("playlists"), recordings: $("recordings"), none: $("none"), count: $("count"), empty: $("empty"), search: $("search"),
  alarms: $("alarms"), onplay: (p) => play(p),
});
const asks = new URLSearchParams(location.search); // a link to the page may say what to play, see playAsked
const embedded = asks.has("embed");
document.body.classList.toggle("embed", embedded);
let engines = [], engine = null, current = null, listed = [];

// The formats of a presentation. address names the member of its entry in the server's list, kind the engines that play it.
const formats = [
  { id: "smooth", kind: "smooth", address: "url", label: "Smooth" },
  { id: "hls", kind: "hls", address: "hls", label: "HLS" },
  { id: "hls-muxed", kind: "hls", address: "hlsMuxed", label: "HLS, sound muxed" },
  { id: "hls-fmp4", kind: "hls", address: "hlsFMP4", label: "HLS, fMP4" },
];
const format = () => formats.find((f) => f.id === $("format").value) ?? formats[0];
const addressOf = (presentation, f) => new URL(presentation[f.address], document.baseURI).href;
const enginesOf = (f) => engines.filter((e) => e.kind === f.kind);

// refresh shows presentations that are new, and no longer those that are gone. What plays goes on. A publishing point that
// was opened too early is opened again when its event has begun.
async function refresh() {
  const { presentations, playlists = [], archive } = await loadList();
  lists.link(playlists);
  if (JSON.stringify(presentations) === JSON.stringify(listed)) return;
  listed = presentations;
  const now = current && entries(presentations).find((p) => p.name === current.name);
  lists.show(presentations, archive, current);
  if (current?.recording) return followRecording(now, presentations);
  const begun = now?.state === "Started" && current.state !== "Started";
  if (now) current = now;
  if (!current && asks.has("play")) playAsked(entries(presentations).find((p) => p.name === asks.get("play")));
  else if (!current && presentations.length) play(presentations[0], false);
  else if (begun && video.readyState === HTMLMediaElement.HAVE_NOTHING) play(current, asked);
  else if (begun && !engine?.live()) $("note").textContent = "The event goes on: choose it in the list to watch it live.";
}

// followRecording notes what has become of the recorded event that is open: now is what the list has under its name.
function followRecording(now, presentations) {
  const ended = (current.live || current.recording.isSoFar) && presentations.find((p) => p.recording?.event === current.recording.event && !p.live);
  if (now && !ended) current = now;
  if (!ended) return;
  showPresentation(ended);
  $("note").textContent = "The event has ended: choose it in the list to watch all of it.";
}

async function loadList() {
  const answer = await fetch("presentations.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status} to the list of presentations`);
  return answer.json();
}

let asked = false; // whether the viewer has asked to play
let fromStart = false; // whether to go to the beginning of a live presentation when its window is known

// play opens a presentation and, if now, starts it; the address of the page remembers which.
async function play(presentation, now = true) {
  asked = now;
  fromStart = Boolean(presentation.live && presentation.recording);
  stop();
  if (now) video.scrollIntoView({ block: "nearest" }); // on a phone the list is below the picture
  if (current !== presentation) showPresentation(presentation);
  const chosen = format(), list = enginesOf(chosen);
  const create = (list[$("engine").selectedIndex] ?? list.find((e) => e.usable)).create;
  markPlaying();
  const fail = (message) => mine === engine && failed(message, chosen, now);
  const note = (message) => { if (mine === engine) $("note").textContent = message; };
  const mine = engine = create(video, () => mine === engine && showChoices(), fail, note);
  video.onerror = () => video.error && fail(video.error.message || "the browser cannot play this");
  try {
    await mine.load(addressOf(presentation, chosen));
    if (now) await video.play();
  } catch (err) {
    if (err.name === "AbortError" || err.name === "NotAllowedError") return; // another was chosen; the browser waits for a click
    fail(err.message);
  }
}

// failed shows what went wrong. HLS that does not even begin is played as Smooth Streaming instead.
function failed(message, chosen, now) {
  if (chosen.kind !== "hls" || video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
    $("error").textContent = message;
    return;
  }
  chooseFormat("smooth");
  play(current, now);
  $("note").textContent = `HLS does not play here (${message}): this is Smooth Streaming.`;
}

function showPresentation(presentation) {
  current = presentation;
  document.title = `${presentation.name} – smoothkit`;
  history.replaceState(null, "", `${location.pathname}${embedded ? "?embed=1" : ""}#${encodeURIComponent(presentation.name)}`);
  lists.mark(current);
  const rows = formats.map((f) => addressRow(f, addressOf(presentation, f)));
  if (presentation.push) rows.push(addressRow({ id: "push", label: "Encoders push to" }, new URL(presentation.push, document.baseURI).href));
  $("addresses").replaceChildren(...rows);
  markPlaying();
}

// markPlaying shows which of the addresses is the one that plays.
function markPlaying() {
  for (const li of $("addresses").children) li.classList.toggle("playing", li.dataset.format === format().id);
}

function addressRow(f, url) {
  const input = element("input", { id: `address-${f.id}`, readOnly: true, value: url });
  const copy = element("button", { type: "button" }, "Copy");
  copy.onclick = async () => {
    input.select();
    await navigator.clipboard?.writeText(url).catch(() => {});
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  };
  copy.setAttribute("aria-label", `Copy the address of ${f.label}`);
  const open = element("a", { href: url, target: "_blank", rel: "noopener" }, "Open");
  open.setAttribute("aria-label", `Open ${f.label} in a new tab`);
  const row = element("li", {}, element("label", { htmlFor: input.id }, f.label), input, copy, ...(f.address ? [open] : []));
  row.dataset.format = f.id;
  return row;
}

// chooseFormat selects a format and lists its players, the first usable one chosen.
function chooseFormat(id) {
  $("format").value = id;
  const list = enginesOf(format());
  $("engine").replaceChildren(...list.map((e) => element("option", { disabled: !e.usable }, e.name)));
  $("engine").selectedIndex = list.findIndex((e) => e.usable);
  $("engine-label").hidden = list.length < 2;
}

function stop() {
  video.onerror = null;
  engine?.close();
  engine = null;
  liveBar.update(null);
  $("error").textContent = $("note").textContent = "";
  for (const id of ["quality", "audio", "captions"]) choices(id, [], []);
}

function showChoices() {
  choices("quality", [{ id: "auto", label: "Automatic" }], engine.qualities());
  choices("audio", [], engine.audios());
  choices("captions", [{ id: "off", label: "Off" }], engine.texts());
}

// choices fills a select element and keeps what is chosen. It has one option at least, so that its width does not jump.
function choices(id, first, rest) {
  const select = $(id), chosen = select.value;
  const options = [...first, ...rest].map((c) => {
    const option = element("option", { value: c.id, lang: c.language ?? "" }, c.label);
    if (c.height) option.dataset.height = c.height;
    return option;
  });
  select.replaceChildren(...(options.length ? options : [element("option", {}, "–")]));
  if (options.some((o) => o.value === chosen)) select.value = chosen;
  select.disabled = options.length < 2;
}

$("quality").onchange = () => engine?.selectQuality($("quality").value === "auto" ? null : $("quality").value);
$("audio").onchange = () => engine?.selectAudio($("audio").value);
$("captions").onchange = () => engine?.selectText($("captions").value === "off" ? null : $("captions").value);
$("engine").onchange = () => current && play(current);
$("format").onchange = () => {
  chooseFormat($("format").value);
  if (current) play(current);
};

const keys = {
  " ": () => (video.paused ? video.play() : video.pause()),
  k: () => keys[" "](),
  ArrowLeft: () => { video.currentTime -= 5; },
  ArrowRight: () => { video.currentTime += 5; },
  ArrowUp: () => { video.volume = Math.min(1, video.volume + 0.1); },
  ArrowDown: () => { video.volume = Math.max(0, video.volume - 0.1); },
  m: () => { video.muted = !video.muted; },
  l: () => liveBar.toEdge(),
  f: () => (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen()),
  c() {
    const select = $("captions");
    select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
    select.onchange();
  },
};
document.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const typing = event.target.closest(key === " " ? "select, input:not(#position), button, a" : "select, input:not(#position)") !== null;
  if (!keys[key] || typing || event.ctrlKey || event.metaKey || event.altKey || !engine) return;
  event.preventDefault();
  Promise.resolve(keys[key]()).catch(() => {});
}, true);

setInterval(() => {
  if (!engine) return;
  const around = engine.live();
  liveBar.update(around);
  if (fromStart && around && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !video.seeking) { // some seek first themselves
    fromStart = false;
    if (video.currentTime > around.start + 1) video.currentTime = around.start + 0.1;
  }
  const ranges = video.buffered, now = video.currentTime;
  let ahead = 0;
  for (let i = 0; i < ranges.length; i++) if (ranges.start(i) <= now + 0.1 && now <= ranges.end(i)) ahead = ranges.end(i) - now;
  const rate = engine.rate();
  $("stat-picture").textContent = video.videoWidth ? `${video.videoWidth} × ${video.videoHeight}` : "–";
  $("stat-buffer").textContent = `${ahead.toFixed(1)} s`;
  $("stat-rate").textContent = rate ? `${(rate / 1e6).toFixed(1)} Mbit/s` : "–";
}, 250);

// playAsked plays what the address of the page asks for: ?play=NAME, and perhaps format=, the identifier of a format, engine=, that of
// a player, and embed=1, which shows the player only. It takes no other player than that.
function playAsked(presentation) {
  const wanted = asks.get("engine"), chosen = formats.find((f) => f.id === (asks.get("format") ?? "smooth"));
  const index = chosen ? enginesOf(chosen).findIndex((e) => e.usable && (!wanted || e.id === wanted)) : -1;
  if (!presentation || index < 0) {
    $("error").textContent = presentation ? "This player is not available here." : `There is no presentation ${asks.get("play")} here.`;
    return;
  }
  chooseFormat(chosen.id);
  $("engine").selectedIndex = index;
  play(presentation);
}

async function start() {
  const { presentations, players, archive } = await loadList();
  engines = await findEngines(players);
  $("format").replaceChildren(...formats.map((f) => element("option", { value: f.id, disabled: !enginesOf(f).some((e) => e.usable) }, f.label)));
  chooseFormat("smooth");
  listed = presentations;
  lists.show(presentations, archive, null);
  if (asks.has("play")) {
    playAsked(entries(presentations).find((p) => p.name === asks.get("play")));
    setInterval(() => refresh().catch(() => {}), REFRESH);
    return;
  }
  const named = decodeURIComponent(location.hash.slice(1));
  const first = entries(presentations).find((p) => p.name === named) ?? presentations[0];
  if (first) play(first, false);
  setInterval(() => refresh().catch(() => {}), REFRESH); // a server that is away for a moment is no news
}
start().catch((err) => { $("error").textContent = err.message; });
