// The lists of the page: presentations and publishing points, recorded events, and the alarms of what records them.

export function element(name, properties, ...children) {
  const el = Object.assign(document.createElement(name), properties);
  el.append(...children);
  return el;
}

// What a badge says about a publishing point in a state, and its style.
const states = { Started: ["Live", "on"], Starting: ["Waiting", ""], Stopped: ["Ended", ""], Error: ["Error", "bad"] };

const badge = (text, style, title) => element("span", { className: `badge ${style}`, title }, text);

function badges(p) {
  if (p.recording?.interrupted) return [badge("Interrupted", "bad", "The event goes on, but see the message above")];
  if (p.recording) return p.live ? [badge("Recording", "on", "The event goes on")] : [];
  if (!p.live) return [];
  const [text, style] = states[p.state] ?? ["Off", ""];
  const list = [badge(text, style, `Publishing point: ${p.state}`)];
  if (p.alarms?.some((a) => a.sink === "Archive" && a.failing)) list.push(badge("Not recorded", "bad", "See the message above"));
  return list;
}

const two = (n) => String(n).padStart(2, "0");

// length writes seconds as 1:02:03 or 2:03.
export function length(seconds) {
  const s = Math.max(0, Math.round(seconds)), minutes = Math.floor(s / 60) % 60;
  return s < 3600 ? `${minutes}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(minutes)}:${two(s % 60)}`;
}

// describe says when a recorded event was, in the viewer's time, and how long it is.
function describe({ event, started, seconds }) {
  const when = started ? new Date(started).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : event.slice(event.lastIndexOf("/") + 1);
  return seconds ? `${when} · ${length(seconds)}` : when;
}

// entries returns all that can be played of what the server lists: an event that is being recorded is two, one from its beginning
// and one with what there is so far.
export function entries(presentations) {
  return presentations.flatMap((p) => {
    const soFar = p.recording?.soFar;
    return soFar ? [p, { ...soFar, recording: { event: p.recording.event, isSoFar: true } }] : [p];
  });
}

// trouble says what an alarm of a publishing point means for whom.
function trouble(point, { sink, failing, reason, dropped }) {
  const lost = dropped ? ` ${dropped} ${dropped === 1 ? "fragment is" : "fragments are"} missing.` : "";
  if (sink === "Archive" && failing) return [`${point} is not being recorded: ${reason}. Recording goes on by itself when that is over; live viewers are not affected.`, lost];
  if (sink === "Archive") return [`The recording of ${point} has gaps.`, lost];
  return [failing ? `${sink} of ${point} fails: ${reason}.` : `${sink} of ${point} has failed for a while.`, lost];
}

export class Lists {
  // presentations, playlists and recordings are the lists, others the elements around them; onplay is called with what was
  // chosen.
  constructor({ presentations, playlists, recordings, none, count, empty, search, alarms, onplay }) {
    Object.assign(this, { presentations, playlists, recordings, none, count, empty, search, alarms, onplay, shown: "" });
    search.oninput = () => this.filter();
  }

  buttons() { return [this.presentations, this.recordings].flatMap((ul) => [...ul.querySelectorAll("button")]); }

  // show fills the lists. What has the focus keeps it. records tells whether the server records anything.
  show(list, records, current) {
    const focused = this.buttons().includes(document.activeElement) ? document.activeElement.dataset.name : null;
    const published = list.filter((p) => !p.recording), recorded = list.filter((p) => p.recording);
    this.count.textContent = published.length || "";
    this.empty.hidden = published.length > 0;
    this.search.hidden = list.length < 12;
    this.presentations.replaceChildren(...published.map((p) => element("li", {}, this.button(p, p.name))));
    this.recordings.replaceChildren(...recorded.map((p) => this.recorded(p)));
    this.none.hidden = recorded.length > 0;
    this.none.replaceChildren(...(records ? this.howTo(published) : ["Start the server with ", element("code", {}, "-archive DIR"), " to record live events."]));
    this.warn(published);
    this.mark(current);
    this.filter();
    if (focused !== null) this.buttons().find((b) => b.dataset.name === focused)?.focus();
  }

  // link shows the playlists, each of which has a page of its own.
  link(list) {
    const urls = JSON.stringify(list);
    if (urls === this.linked) return;
    this.linked = urls;
    this.playlists.hidden = !list.length;
    this.playlists.querySelector("ul").replaceChildren(...list.map((p) => {
      const title = p.name.slice(p.name.lastIndexOf("/") + 1).replace(/\.isx$/i, "");
      return element("li", {}, element("a", { href: `${p.url}?format=html`, title: p.name }, title, element("small", {}, p.name)));
    }));
  }

  button(p, small) {
    const title = p.name.slice(p.name.lastIndexOf("/") + 1).replace(/\.isml?$/i, "");
    const button = element("button", { type: "button", title: p.name, onclick: () => this.onplay(p) }, ...badges(p), title, element("small", {}, small));
    button.dataset.name = p.name;
    return button;
  }

  // recorded returns the entry of an event, with a second button for what there is so far if it goes on.
  recorded(p) {
    const main = this.button(p, describe(p.recording));
    if (!p.live) return element("li", {}, main);
    main.title = `${p.name}\nFrom the beginning of the event`;
    const soFar = entries([p])[1];
    const second = element("button", { type: "button", className: "second", title: `${soFar.name}\nOn demand`, onclick: () => this.onplay(soFar) }, "What there is so far");
    second.dataset.name = soFar.name;
    return element("li", {}, main, second);
  }

  // howTo says what to do to record something.
  howTo(published) {
    const point = published.find((p) => p.recorded);
    if (!point) return ["No publishing point here is recorded: ", element("code", {}, "Archives"), " is missing in their ", element("code", {}, "publishing"), "."];
    const open = element("button", { type: "button", className: "link", onclick: () => this.onplay(point) }, point.name);
    return ["Nothing is recorded yet. Whatever an encoder sends to ", open, " will be, and can be watched here from its beginning, during the event and after it. The address to push to is below the player."];
  }

  // warn shows what is wrong with recordings. The numbers are no reason to read a message out again.
  warn(published) {
    const list = published.flatMap((p) => (p.alarms ?? []).map((a) => ({ failing: a.failing, words: trouble(p.name, a) })));
    const shown = JSON.stringify(list);
    if (shown === this.shown) return;
    this.shown = shown;
    list.forEach(({ failing, words: [message, lost] }, i) => {
      const line = this.alarms.children[i] ?? this.alarms.appendChild(element("p", {}, element("span"), element("span", { ariaLive: "off" })));
      line.classList.toggle("failing", Boolean(failing));
      [message, lost].forEach((text, j) => { if (line.children[j].textContent !== text) line.children[j].textContent = text; });
    });
    while (this.alarms.children.length > list.length) this.alarms.lastChild.remove();
  }

  mark(current) {
    for (const b of this.buttons()) b.setAttribute("aria-current", b.dataset.name === current?.name);
  }

  filter() {
    const wanted = this.search.value.toLowerCase();
    for (const ul of [this.presentations, this.recordings]) {
      for (const li of ul.children) li.hidden = !li.firstChild.dataset.name.toLowerCase().includes(wanted);
    }
  }
}
