// What the pages of the console do by themselves: they are kept up to date, charts have a cursor, addresses can be copied. All else
// works without scripts.
import { equip } from "./chart.js";
import { morphHTML } from "./morph.js";

const AGAIN = 10000; // milliseconds until a refused stream of updates is asked for again

document.documentElement.classList.add("js");
const main = document.getElementById("main"), link = document.getElementById("link");
let stream = null, again = 0, gone = false;

function say(state, text) {
  if (link.dataset.state === state && link.textContent === text) return;
  link.dataset.state = state;
  link.textContent = text;
}

function update({ id, html }) {
  const part = document.getElementById(id);
  if (!part?.hasAttribute("data-part")) return;
  morphHTML(part, html);
  dress(part);
}

// dress gives new elements what scripts add to them.
function dress(root) {
  equip(root);
  for (const a of root.querySelectorAll("[data-url]")) if (a.textContent !== a.href) a.textContent = a.href;
  mark();
}

let playing = "";
function mark() {
  for (const a of document.querySelectorAll('a[target="player"]')) {
    if (a.getAttribute("href") === playing) a.setAttribute("aria-current", "true");
    else a.removeAttribute("aria-current");
  }
}

function connect() {
  clearTimeout(again);
  if (gone || document.hidden || stream) return;
  stream = new EventSource(main.dataset.live);
  stream.onopen = () => say("on", "Up to date");
  stream.addEventListener("part", (event) => {
    say("on", "Up to date");
    update(JSON.parse(event.data));
  });
  stream.addEventListener("trouble", (event) => say("off", JSON.parse(event.data)));
  stream.addEventListener("gone", (event) => {
    gone = true;
    disconnect();
    say("off", JSON.parse(event.data));
  });
  stream.onerror = () => {
    say("off", "Not connected, trying again");
    if (stream?.readyState !== EventSource.CLOSED) return;
    disconnect();
    again = setTimeout(connect, AGAIN);
  };
}

// disconnect also spares the server and the battery while nobody looks.
function disconnect() {
  clearTimeout(again);
  stream?.close();
  stream = null;
}

if (main.dataset.live) {
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);
  connect();
}

// copyText copies; without the clipboard API, which needs a secure context, by selection.
async function copyText(source) {
  if (navigator.clipboard) return navigator.clipboard.writeText(source.href);
  getSelection().selectAllChildren(source);
  if (!document.execCommand("copy")) throw new Error("the browser does not let this page copy");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await copyText(button.parentElement.querySelector("[data-url]"));
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

document.addEventListener("click", (event) => {
  const choice = event.target.closest('a[target="player"]');
  if (!choice || event.ctrlKey || event.metaKey || event.shiftKey) return;
  playing = choice.getAttribute("href");
  document.querySelector("[data-player]").classList.add("on");
  mark();
});

dress(main);
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }); // the navigation is wider than a phone
