// The client manifest of Smooth Streaming, [MS-SSTR] 2.2.2: what there is to play, and the URLs of its fragments.

// loadManifest fetches and parses the manifest at url, which ends in ".ism/Manifest". Of a live one, before is what it was
// last time: the browser asks the server whether that still holds, and before is returned if it does.
export async function loadManifest(url, { before, signal } = {}) {
  const answer = await fetch(url, { cache: before ? "no-cache" : "default", signal });
  if (!answer.ok) throw refusal(answer, "; its log says why");
  const tag = answer.headers.get("ETag");
  if (tag && tag === before?.tag) return before;
  const doc = new DOMParser().parseFromString(await answer.text(), "text/xml");
  const root = doc.documentElement;
  if (root.nodeName !== "SmoothStreamingMedia") throw new Error(`${url} is not a Smooth Streaming manifest`);
  const timescale = Number(root.getAttribute("TimeScale") ?? 10000000);
  const streams = [...root.querySelectorAll(":scope > StreamIndex")].map((el) => parseStream(el, timescale, answer.url));
  return {
    tag,
    streams,
    isLive: /^true$/i.test(root.getAttribute("IsLive") ?? ""),
    isProtected: root.querySelector(":scope > Protection") !== null,
    duration: Number(root.getAttribute("Duration")) / timescale || Math.max(...streams.map((s) => s.chunks.at(-1)?.end ?? 0)),
  };
}

// refusal is the error for an answer that is not the thing asked for.
export function refusal(answer, hint = "") {
  return Object.assign(new Error(`the server answered ${answer.status} to ${answer.url}${hint}`), { status: answer.status });
}

function parseStream(el, rootTimescale, base) {
  const type = el.getAttribute("Type").toLowerCase();
  const timescale = Number(el.getAttribute("TimeScale") ?? rootTimescale);
  return {
    type,
    timescale,
    name: el.getAttribute("Name") ?? type,
    language: el.getAttribute("Language") ?? "",
    sparse: el.hasAttribute("ParentStreamIndex"),
    levels: [...el.querySelectorAll(":scope > QualityLevel")].map((q) => parseLevel(q, el)).sort((a, b) => a.bitrate - b.bitrate),
    chunks: el.hasAttribute("Url") ? parseChunks(el, timescale) : [],
    // A fragment's URL is a template with two blanks, relative to the manifest.
    url: (level, chunk) => new URL(el.getAttribute("Url")
      .replace(/\{bitrate\}/i, level.bitrate).replace(/\{start[ _]time\}/i, chunk.time), base).href,
  };
}

function parseLevel(el, stream) {
  const number = (name) => Number(el.getAttribute(name) ?? stream.getAttribute(name) ?? 0);
  const hex = el.getAttribute("CodecPrivateData") ?? "";
  return {
    bitrate: number("Bitrate"),
    fourCC: (el.getAttribute("FourCC") ?? stream.getAttribute("FourCC") ?? "").toUpperCase(),
    width: number("MaxWidth"), height: number("MaxHeight"),
    rate: number("SamplingRate"), channels: number("Channels"),
    config: Uint8Array.from(hex.match(/../g) ?? [], (h) => parseInt(h, 16)),
  };
}

// parseChunks expands the c elements: t is the start (else the end of the one before), d the duration (else up to the
// next start), r how often it repeats. Ticks are 64 bits wide, so they are BigInt and go into URLs unrounded.
function parseChunks(el, timescale) {
  const ticks = (c, name) => (c?.hasAttribute(name) ? BigInt(c.getAttribute(name)) : null);
  const seconds = (t) => Number(t) / timescale;
  const chunks = [];
  let time = 0n;
  for (let c = el.querySelector(":scope > c"); c; c = c.nextElementSibling) {
    time = ticks(c, "t") ?? time;
    const next = ticks(c.nextElementSibling, "t");
    const duration = ticks(c, "d") ?? (next === null ? 0n : next - time);
    for (let r = Number(c.getAttribute("r") ?? 1); r > 0; r--, time += duration) {
      chunks.push({ time, start: seconds(time), end: seconds(time + duration) });
    }
  }
  return chunks;
}
