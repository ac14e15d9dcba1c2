// A small Smooth Streaming player on Media Source Extensions: manifest in, fragments out, in plain JavaScript.
import { loadManifest } from "./manifest.js";
import { completeFragment, initSegment, mimeType, payload } from "./mp4.js";

const AHEAD = 20; // seconds to load in advance
const BEHIND = 20; // seconds to keep for seeking back
const GAP = 0.5; // seconds without content that playback steps over

// Track loads the fragments of one stream at a time into one source buffer.
class Track {
  constructor(player, streams) {
    this.player = player;
    this.streams = streams;
    this.stream = streams[0];
    this.forced = null; // the level the viewer chose, or null to adapt
    this.failures = new Map(); // chunk -> how often it could not be had
    this.buffer = player.mediaSource.addSourceBuffer(mimeType(this.stream, this.stream.levels[0]));
    this.initialised = null; // the level whose header the buffer got last
    this.outdated = new Set(); // chunks to load again, because the viewer chose another level
  }

  // level picks the quality of the next fragment: the best that needs at most 80% of the measured rate. With less
  // than one fragment in advance it is the lowest, so that playback starts and recovers fast.
  level(chunk) {
    const levels = this.stream.levels;
    if (this.forced) return this.forced;
    const ahead = this.bufferedEnd(this.player.video.currentTime) - this.player.video.currentTime;
    if (ahead < (chunk.end - chunk.start) / 2) return levels[0];
    return levels.findLast((l) => l.bitrate <= this.player.throughput * 0.8) ?? levels[0];
  }

  // holds reports whether the middle of a chunk is in the buffer, in the wanted level.
  holds(chunk) {
    if (this.outdated.has(chunk)) return false;
    const middle = (chunk.start + chunk.end) / 2, ranges = this.buffer.buffered;
    for (let i = 0; i < ranges.length; i++) if (ranges.start(i) <= middle && middle < ranges.end(i)) return true;
    return false;
  }

  bufferedEnd(time) {
    const ranges = this.buffer.buffered;
    for (let i = 0; i < ranges.length; i++) if (ranges.start(i) <= time + GAP && time < ranges.end(i)) return ranges.end(i);
    return time;
  }

  // next returns the first chunk from time on that is missing, or undefined.
  next(time) {
    return this.stream.chunks.find((c) => c.end > time && !this.holds(c) && (this.failures.get(c) ?? 0) < 3);
  }

  // fill loads one chunk if one is due, and reports whether it did.
  async fill() {
    const time = this.player.video.currentTime, chunk = this.next(time);
    if (!chunk || chunk.start > time + AHEAD) return false;
    const { stream } = this, level = this.level(chunk);
    this.failures.set(chunk, (this.failures.get(chunk) ?? 0) + 1); // taken back when it is in the buffer
    const data = await this.player.fetchFragment(stream, level, chunk);
    const wanted = () => stream === this.stream && (!this.forced || this.forced === level); // or the viewer chose anew
    await this.evict(time);
    await this.update((b) => {
      if (!wanted() || this.initialised === level) return false;
      this.initialised = level;
      b.changeType(mimeType(stream, level));
      b.appendBuffer(initSegment(stream, level));
    });
    await this.update((b) => wanted() && b.appendBuffer(completeFragment(data, chunk.time)));
    if (!wanted()) return this.failures.delete(chunk);
    this.outdated.delete(chunk);
    if (this.holds(chunk)) this.failures.delete(chunk);
    return true;
  }

  async evict(time) {
    if (this.buffer.buffered.length && this.buffer.buffered.start(0) < time - BEHIND - 10) {
      await this.update((b) => b.remove(0, time - BEHIND));
    }
  }

  // force chooses a level, or none. The chunks after the one that plays now are loaded again and replace what is in the
  // buffer. (Removing that first would leave a hole: pictures before the cut may need one behind it.)
  force(level) {
    this.forced = level;
    const playing = this.stream.chunks.findIndex((c) => c.end > this.player.video.currentTime);
    if (level) this.outdated = new Set(this.stream.chunks.slice(playing + 1));
  }

  // replace plays another stream from now on. What is buffered of the old one goes, and playback waits for the new one.
  replace(stream) {
    this.stream = stream;
    this.initialised = null;
    return this.update((b) => b.remove(0, Infinity));
  }

  // update makes one change to the source buffer and waits until it is done; changes queue up. A change that returns
  // false has found nothing to do.
  update(change) {
    this.queue = (this.queue ?? Promise.resolve()).catch(() => {}).then(() => new Promise((done, failed) => {
      if (this.player.closed) return failed(new Error("closed"));
      this.buffer.onupdateend = done;
      this.buffer.onerror = () => failed(new Error(`the browser refused a fragment of ${this.stream.name}`));
      if (change(this.buffer) === false) done();
    }));
    return this.queue;
  }
}

// Captions loads TTML fragments and shows them as cues of a text track.
class Captions {
  constructor(player, streams) {
    this.streams = streams;
    this.player = player;
    this.cues = player.video.textTracks[0] ?? player.video.addTextTrack("captions"); // it cannot be removed again
    this.cues.mode = "hidden";
    this.done = new Set();
    this.stream = null;
  }

  select(stream) {
    this.stream = stream;
    this.cues.mode = stream ? "showing" : "hidden";
    for (const cue of [...(this.cues.cues ?? [])]) this.cues.removeCue(cue);
    this.done.clear();
  }

  async fill() {
    const { stream } = this, time = this.player.video.currentTime;
    const chunk = stream?.chunks.find((c) => c.end > time && c.start < time + AHEAD && !this.done.has(c));
    if (!chunk) return false;
    this.done.add(chunk);
    const data = await this.player.fetchFragment(stream, stream.levels[0], chunk);
    if (stream === this.stream) this.show(new TextDecoder().decode(payload(data)), chunk);
    return true;
  }

  // show adds the paragraphs of a TTML document; its times count from the start of the fragment.
  show(xml, chunk) {
    const doc = new DOMParser().parseFromString(xml, "text/xml");
    for (const p of doc.getElementsByTagNameNS("*", "p")) {
      const begin = clock(p.getAttribute("begin")), end = clock(p.getAttribute("end"));
      for (const br of [...p.getElementsByTagNameNS("*", "br")]) br.replaceWith("\n");
      this.cues.addCue(new VTTCue(chunk.start + begin, chunk.start + end, p.textContent.trim()));
    }
  }
}

// clock reads the TTML times "00:01:02.500" and "2.5s".
function clock(s) {
  return (s ?? "0").replace(/s$/, "").split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

export class Player {
  // onerror is called with a message; video is the element to play in.
  constructor(video, onerror) {
    Object.assign(this, { video, onerror, closed: false, throughput: 0, tracks: [], aborter: new AbortController() });
  }

  async load(url) {
    const manifest = this.manifest = await loadManifest(url);
    if (manifest.isLive) throw new Error("this small player plays on-demand presentations only");
    if (manifest.isProtected) throw new Error("the presentation is protected; this small player has no keys");
    const playable = (type) => manifest.streams.map((s) => ({ ...s, levels: s.levels.filter((l) => MediaSource.isTypeSupported(mimeType(s, l))) }))
      .filter((s) => s.type === type && s.levels.length && s.chunks.length);
    const video = playable("video"), audio = playable("audio");
    if (!video.length && !audio.length) throw new Error("this browser plays none of the codecs of the presentation");

    this.mediaSource = new MediaSource();
    this.video.src = URL.createObjectURL(this.mediaSource);
    await new Promise((open) => this.mediaSource.addEventListener("sourceopen", open, { once: true }));
    URL.revokeObjectURL(this.video.src);
    if (this.closed) return;
    this.mediaSource.duration = Math.max(manifest.duration, ...[...video, ...audio].map((s) => s.chunks.at(-1).end));
    this.videoTrack = video.length ? new Track(this, video) : null;
    this.audioTrack = audio.length ? new Track(this, audio) : null;
    this.tracks = [this.videoTrack, this.audioTrack].filter(Boolean);
    const start = Math.min(...this.tracks.map((t) => t.stream.chunks[0].start)); // a part of a longer programme starts late
    if (start > 0) this.video.currentTime = start;
    this.captions = new Captions(this, manifest.streams.filter((s) => s.type === "text" && !s.sparse && /TTML|DFXP/.test(s.levels[0]?.fourCC)));
    for (const worker of [...this.tracks, this.captions]) this.run(worker);
  }

  // run keeps a track or the captions supplied until the player is closed.
  async run(worker) {
    let failing = false;
    while (!this.closed) {
      try {
        if (await worker.fill()) {
          if (failing) this.onerror("");
          failing = false;
          continue;
        }
        this.finish();
      } catch (err) {
        if (this.closed) return;
        failing = true;
        this.onerror(err.message);
        await this.pause(1000);
      }
      this.skipGap();
      await this.pause(200);
    }
  }

  pause(ms) { return new Promise((wake) => setTimeout(wake, ms)); }

  // fetchFragment loads one fragment and measures the rate, as a moving average over the larger ones.
  async fetchFragment(stream, level, chunk) {
    const url = stream.url(level, chunk), begin = performance.now();
    const answer = await fetch(url, { signal: this.aborter.signal });
    if (!answer.ok) throw new Error(`the server answered ${answer.status} to ${url}`);
    const data = new Uint8Array(await answer.arrayBuffer());
    const rate = (data.length * 8000) / Math.max(performance.now() - begin, 1);
    if (data.length > 10000) this.throughput = this.throughput ? 0.7 * this.throughput + 0.3 * rate : rate;
    return data;
  }

  // finish tells the browser that nothing follows once every track is complete up to the end.
  finish() {
    const complete = this.tracks.every((t) => !t.buffer.updating && !t.next(this.video.currentTime));
    if (complete && this.mediaSource.readyState === "open") this.mediaSource.endOfStream();
  }

  // skipGap steps over a short hole between fragments, or before the first picture. Where playback is stuck for another
  // reason, though there is something to play, a tiny step makes the browser look again.
  skipGap() {
    const { video } = this, ranges = video.buffered, now = video.currentTime;
    if (video.readyState >= 3 || video.seeking || video.paused || now !== this.stuckAt) {
      this.stuckAt = now;
      this.stuckSince = performance.now();
    }
    const stuck = performance.now() - this.stuckSince > 1000;
    for (let i = 0; i < ranges.length && video.readyState < 3; i++) {
      const start = ranges.start(i);
      if (start > now && start < now + GAP) video.currentTime = start + 0.001;
      else if (stuck && start <= now && now + 1 < ranges.end(i)) video.currentTime = now + 0.01;
    }
  }

  // selectQuality forces a level, or adapts again if level is null.
  selectQuality(level) { this.videoTrack.force(level); }

  // selectAudio changes the language.
  selectAudio(stream) { this.audioTrack.replace(stream).catch((err) => this.onerror(err.message)); }

  close() {
    this.closed = true;
    this.aborter.abort();
    this.captions?.select(null);
    this.video.removeAttribute("src");
    this.video.load();
  }
}
