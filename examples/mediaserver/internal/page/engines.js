// The players that the page can use, behind one face: the small one of this directory, which plays Smooth Streaming, the
// browser itself where it plays HLS, and dash.js and hls.js where the server was started with -players.
//
//   load(url), close(), qualities() -> [{id, height, label}], audios() and texts() -> [{id, language, label}],
//   selectQuality(id or null), selectAudio(id), selectText(id or null), rate() -> bits per second or 0,
//   live() -> {start, end, target}, the window of a live presentation and where its live edge is to be watched; else null
//
// onerror and onnote get messages, of which an empty one takes the last back; onready is called when the lists may be asked
// for, perhaps again.
import { Player } from "./player.js";

const kbits = (bitrate) => `${Math.round(bitrate / 1000)} kbit/s`;
const quality = (id, height, bitrate) => ({ id: String(id), height, label: height ? `${height}p · ${kbits(bitrate)}` : kbits(bitrate) });

function languageName(tag) {
  try {
    return tag && tag !== "und" ? new Intl.DisplayNames(undefined, { type: "language" }).of(tag) ?? tag : "Default";
  } catch {
    return tag;
  }
}

// tracks names each track by its language, and by its own name too where two share a language.
function tracks(list) {
  const named = list.map((t) => ({ ...t, id: String(t.id), label: languageName(t.language) }));
  const shared = (label) => named.filter((t) => t.label === label).length > 1;
  return named.map((t) => ({ ...t, label: shared(t.label) && t.name ? `${t.label} (${t.name})` : t.label }));
}

function builtIn(video, onready, onerror, onnote) {
  const player = new Player(video, { onerror, onnote, onchange: onready });
  const of = (type) => player.streams.filter((s) => s.type === type);
  const named = (type, id) => of(type).find((s) => s.name === id);
  const listed = (streams) => tracks(streams.map((s) => ({ id: s.name, language: s.language, name: s.name })));
  return {
    load: (url) => player.load(url).then(() => player.closed || onready()),
    close: () => player.close(),
    qualities: () => (player.videoTrack?.stream.levels ?? []).map((l) => quality(l.bitrate, l.height, l.bitrate)),
    audios: () => listed(player.audioTrack ? of("audio") : []),
    texts: () => listed(of("text")),
    selectQuality: (id) => player.selectQuality(player.videoTrack.stream.levels.find((l) => String(l.bitrate) === id) ?? null),
    selectAudio: (id) => player.selectAudio(named("audio", id)),
    selectText: (id) => player.captions.select(named("text", id) ?? null),
    rate: () => player.throughput,
    live: () => player.live,
  };
}

const NO_TFRF = 200; // what dash.js calls an error where the last fragment of a live event announces none

function dashJS(video, onready, onerror) {
  const player = dashjs.MediaPlayer().create();
  const of = (type) => tracks(player.getTracksFor(type).map((t) => ({ id: t.index, language: t.lang, name: t.id })));
  const choose = (type, id) => player.setCurrentTrack(player.getTracksFor(type).find((t) => String(t.index) === id));
  return {
    async load(url) {
      player.on("error", (e) => {
        if (e.error?.code !== NO_TFRF) onerror(e.error?.message ?? "dash.js reports an error");
      });
      player.on("streamInitialized", onready);
      const defaultTimingSource = { scheme: "urn:mpeg:dash:utc:http-head:2014", value: url }; // not somebody else's server
      player.updateSettings({ streaming: { text: { defaultEnabled: false }, utcSynchronization: { defaultTimingSource } } }); // no text until one is chosen
      player.initialize(video, url, false);
      player.attachTTMLRenderingDiv(document.getElementById("text"));
    },
    close() {
      player.destroy();
      document.getElementById("text").replaceChildren();
    },
    qualities: () => player.getRepresentationsByType("video").map((r) => quality(r.id, r.height, r.bandwidth)),
    audios: () => of("audio"),
    texts: () => of("text"),
    selectQuality(id) {
      player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: id === null } } } });
      if (id !== null) player.setRepresentationForTypeById("video", id, true);
    },
    selectAudio: (id) => choose("audio", id),
    selectText(id) {
      player.enableText(id !== null);
      if (id !== null) choose("text", id);
    },
    rate: () => player.getAverageThroughput("video") * 1000 || 0,
    live() {
      const range = player.isReady() && player.isDynamic() && player.getDvrWindow();
      return range ? { ...range, target: range.end - player.getTargetLiveDelay() } : null;
    },
  };
}

function hlsJS(video, onready, onerror) {
  const player = new Hls({ backBufferLength: 60, liveDurationInfinity: true });
  player.subtitleDisplay = false; // until one is chosen, whatever the playlist's default is
  const listed = (list) => tracks(list.map((t, i) => ({ id: i, language: t.lang, name: t.name })));
  return {
    async load(url) {
      player.on(Hls.Events.ERROR, (_, e) => e.fatal && onerror(`${e.type}: ${e.details}`));
      for (const e of ["MANIFEST_PARSED", "AUDIO_TRACKS_UPDATED", "SUBTITLE_TRACKS_UPDATED"]) player.on(Hls.Events[e], onready);
      player.loadSource(url);
      player.attachMedia(video);
    },
    close: () => player.destroy(),
    qualities: () => player.levels.map((l, i) => (l.videoCodec ? quality(i, l.height, l.bitrate) : { id: String(i), label: `Sound only · ${kbits(l.bitrate)}` })),
    audios: () => listed(player.audioTracks),
    texts: () => listed(player.subtitleTracks),
    selectQuality: (id) => { player.nextLevel = id === null ? -1 : Number(id); },
    selectAudio: (id) => { player.audioTrack = Number(id); },
    selectText(id) {
      player.subtitleDisplay = id !== null;
      player.subtitleTrack = id === null ? -1 : Number(id);
    },
    rate: () => player.bandwidthEstimate,
    live() {
      const details = player.latestLevelDetails;
      if (!details?.live || !details.fragments.length) return null;
      return { start: details.fragments[0].start, end: details.edge, target: player.liveSyncPosition ?? details.edge };
    },
  };
}

// browser leaves everything to the video element. Safari says what languages there are, Chromium decides by itself.
function browser(video, onready) {
  const listening = new AbortController(), { signal } = listening;
  const before = new Set(video.textTracks); // of other players; a text track cannot be removed
  const sounds = () => [...(video.audioTracks ?? [])];
  const subtitles = () => [...video.textTracks].filter((t) => !before.has(t) && t.kind !== "metadata");
  const listed = (list) => tracks(list.map((t, i) => ({ id: i, language: t.language, name: t.label })));
  return {
    async load(url) {
      video.addEventListener("loadedmetadata", onready, { signal });
      for (const list of [video.audioTracks, video.textTracks]) list?.addEventListener("addtrack", onready, { signal });
      video.src = url;
    },
    close() {
      listening.abort();
      video.removeAttribute("src");
      video.load();
    },
    qualities: () => [],
    audios: () => listed(sounds()),
    texts: () => listed(subtitles()),
    selectQuality() {},
    selectAudio: (id) => sounds().forEach((t, i) => { t.enabled = String(i) === id; }),
    selectText: (id) => subtitles().forEach((t, i) => { t.mode = String(i) === id ? "showing" : "disabled"; }),
    rate: () => 0,
    live() {
      const { seekable, duration } = video;
      if (duration !== Infinity || !seekable.length) return null;
      const end = seekable.end(seekable.length - 1);
      return { start: seekable.start(0), end, target: end };
    },
  };
}

function script(src) {
  return new Promise((done, failed) => {
    const el = document.createElement("script");
    Object.assign(el, { src, onload: done, onerror: () => failed(new Error(`cannot load ${src}`)) });
    document.head.append(el);
  });
}

// external makes an engine of scripts. One that cannot be loaded is listed as such and plays nothing.
async function external(id, kind, name, sources, create) {
  try {
    for (const src of sources) await script(src);
    return { id, kind, name, create, usable: true };
  } catch (err) {
    console.warn(err.message);
    return { id, kind, name: `${name} (cannot be loaded)`, create, usable: false };
  }
}

// findEngines returns [{id, kind, name, create, usable}], the preferred ones of each kind of format first: smooth and hls. The
// identifiers are dash, built-in, hls and native; links to the page have them.
// scripts is what the server says about -players: {dash: [urls], hls: [urls]}.
export async function findEngines(scripts) {
  const engines = [];
  if (scripts?.dash) engines.push(await external("dash", "smooth", "dash.js", scripts.dash, dashJS));
  engines.push({ id: "built-in", kind: "smooth", name: "Built in", create: builtIn, usable: true });
  if (scripts?.hls) engines.push(await external("hls", "hls", "hls.js", scripts.hls, hlsJS));
  const native = document.createElement("video").canPlayType("application/vnd.apple.mpegurl") !== "";
  if (native) engines.push({ id: "native", kind: "hls", name: "Browser", create: browser, usable: true });
  return engines;
}
