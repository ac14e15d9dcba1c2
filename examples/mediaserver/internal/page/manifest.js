// The client manifest of Smooth Streaming, [MS-SSTR] 2.2.2: what there is to play, and the URLs of its fragments.

// loadManifest fetches and parses the manifest at url, which ends in ".ism/Manifest".
export async function loadManifest(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`The server answered ${answer.status} to ${url}; its log says why.`);
  const doc = new DOMParser().parseFromString(await answer.text(), "text/xml");
  const root = doc.documentElement;
  if (root.nodeName !== "SmoothStreamingMedia") throw new Error(`${url} is not a Smooth Streaming manifest`);
  const timescale = Number(root.getAttribute("TimeScale") ?? 10000000);
  const streams = [...root.querySelectorAll(":scope > StreamIndex")].map((el) => parseStream(el, timescale, answer.url));
  return {
    streams,
    isLive: /^true$/i.test(root.getAttribute("IsLive") ?? ""),
    isProtected: root.querySelector(":scope > Protection") !== null,
    duration: Number(root.getAttribute("Duration")) / timescale || Math.max(...streams.map((s) => s.chunks.at(-1)?.end ?? 0)),
  };
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
