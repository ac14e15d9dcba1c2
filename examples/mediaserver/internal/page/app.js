// The page: the list of presentations, the player's controls and the keyboard.
import { findEngines } from "./engines.js";

const $ = (id) => document.getElementById(id);
const video = $("video");
let engines = [], engine = null, current = null;

function element(name, properties, ...children) {
  const el = Object.assign(document.createElement(name), properties);
  el.append(...children);
  return el;
}

// showList fills the list of presentations, each a button.
function showList(presentations) {
  $("count").textContent = presentations.length || "";
  $("empty").hidden = presentations.length > 0;
  $("search").hidden = presentations.length < 12;
  $("presentations").replaceChildren(...presentations.map((p) => {
    const slash = p.name.lastIndexOf("/");
    const button = element("button", { type: "button", onclick: () => play(p) }, p.name.slice(slash + 1).replace(/\.isml?$/i, ""),
      element("small", {}, p.name));
    button.dataset.name = p.name;
    return element("li", {}, button);
  }));
}

$("search").oninput = () => {
  const wanted = $("search").value.toLowerCase();
  for (const li of $("presentations").children) li.hidden = !li.textContent.toLowerCase().includes(wanted);
};

// play opens a presentation and, if now, starts it; the address of the page remembers which.
async function play(presentation, now = true) {
  stop();
  if (now) video.scrollIntoView({ block: "nearest" }); // on a phone the list is below the picture
  current = presentation;
  const url = new URL(presentation.url, document.baseURI).href;
  $("url").value = url;
  document.title = `${presentation.name} – smoothkit`;
  history.replaceState(null, "", `#${encodeURIComponent(presentation.name)}`);
  for (const b of $("presentations").querySelectorAll("button")) b.setAttribute("aria-current", b.dataset.name === presentation.name);

  const usable = await Promise.all(engines.map((e) => e.plays(url)));
  [...$("engine").options].forEach((o, i) => { o.disabled = !usable[i]; });
  if (!usable[$("engine").selectedIndex]) $("engine").selectedIndex = 0;
  if (current !== presentation) return;
  const fail = (message) => { if (current === presentation) $("error").textContent = message; };
  const mine = engine = engines[$("engine").selectedIndex].create(video, () => mine === engine && showChoices(), fail);
  try {
    await mine.load(url);
    if (now) await video.play();
  } catch (err) {
    if (mine !== engine || err.name === "AbortError") return;
    if (err.name !== "NotAllowedError") fail(err.message); // else the browser waits for a click
  }
}

function stop() {
  engine?.close();
  engine = null;
  $("error").textContent = "";
  for (const id of ["quality", "audio", "captions"]) choices(id, [], []);
}

function showChoices() {
  choices("quality", [{ id: "auto", label: "Automatic" }], engine.qualities());
  choices("audio", [], engine.audios());
  choices("captions", [{ id: "off", label: "Off" }], engine.texts());
}

// choices fills a select element. It has one option at least, so that its width does not jump.
function choices(id, first, rest) {
  const select = $(id);
  const options = [...first, ...rest].map((c) => {
    const option = element("option", { value: c.id, lang: c.language ?? "" }, c.label);
    if (c.height) option.dataset.height = c.height;
    return option;
  });
  select.replaceChildren(...(options.length ? options : [element("option", {}, "–")]));
  select.disabled = options.length < 2;
}

$("quality").onchange = () => engine?.selectQuality($("quality").value === "auto" ? null : $("quality").value);
$("audio").onchange = () => engine?.selectAudio($("audio").value);
$("captions").onchange = () => engine?.selectText($("captions").value === "off" ? null : $("captions").value);
$("engine").onchange = () => current && play(current);
$("copy").onclick = async () => {
  $("url").select();
  await navigator.clipboard?.writeText($("url").value).catch(() => {});
  $("copy").textContent = "Copied";
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
};
video.addEventListener("error", () => { if (engine && video.error) $("error").textContent = video.error.message; });

const keys = {
  " ": () => (video.paused ? video.play() : video.pause()),
  k: () => keys[" "](),
  ArrowLeft: () => { video.currentTime -= 5; },
  ArrowRight: () => { video.currentTime += 5; },
  ArrowUp: () => { video.volume = Math.min(1, video.volume + 0.1); },
  ArrowDown: () => { video.volume = Math.max(0, video.volume - 0.1); },
  m: () => { video.muted = !video.muted; },
  f: () => (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen()),
  c() {
    const select = $("captions");
    select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
    select.onchange();
  },
};
document.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const typing = event.target.closest("select, input, button") !== null;
  if (!keys[key] || typing || event.ctrlKey || event.metaKey || event.altKey || !engine) return;
  event.preventDefault();
  Promise.resolve(keys[key]()).catch(() => {});
}, true);

setInterval(() => {
  if (!engine) return;
  const ranges = video.buffered, now = video.currentTime;
  let ahead = 0;
  for (let i = 0; i < ranges.length; i++) if (ranges.start(i) <= now + 0.1 && now <= ranges.end(i)) ahead = ranges.end(i) - now;
  const rate = engine.rate();
  $("stat-picture").textContent = video.videoWidth ? `${video.videoWidth} × ${video.videoHeight}` : "–";
  $("stat-buffer").textContent = `${ahead.toFixed(1)} s`;
  $("stat-rate").textContent = rate ? `${(rate / 1e6).toFixed(1)} Mbit/s` : "–";
}, 250);

async function start() {
  const answer = await fetch("presentations.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status} to the list of presentations`);
  const { presentations, players } = await answer.json();
  engines = await findEngines(players);
  $("engine").replaceChildren(...engines.map((e) => element("option", {}, e.name)));
  if (engines.length > 1) $("engine").selectedIndex = 1; // -players asks for them instead
  $("engine-label").hidden = engines.length < 2;
  showList(presentations);
  const wanted = decodeURIComponent(location.hash.slice(1));
  const first = presentations.find((p) => p.name === wanted) ?? presentations[0];
  if (first) play(first, false);
}
start().catch((err) => { $("error").textContent = err.message; });
