// A small Smooth Streaming player on Media Source Extensions: manifest in, fragments out, in plain JavaScript.
import { DELAY, LiveEvent } from "./live.js";
import { loadManifest, refusal } from "./manifest.js";
import { completeFragment, initSegment, mimeType, payload } from "./mp4.js";

const AHEAD = 20; // seconds to load in advance
const BEHIND = 20; // seconds to keep for seeking back
const GAP = 0.5; // seconds without content that playback steps over at once
const TRIES = 3; // for one fragment
const WAIT = 10; // manifests of a live presentation to wait for its first fragments

// Track loads the fragments of one stream at a time into one source buffer.
class Track {
  constructor(player, stream) {
    this.player = player;
    this.stream = stream;
    this.forced = null; // the level the viewer chose, or null to adapt
    this.buffer = player.mediaSource.addSourceBuffer(mimeType(this.stream, this.stream.levels[0]));
    this.forget();
  }

  forget() {
    this.initialised = null; // the level whose header the buffer got last
    this.failures = new WeakMap(); // chunk -> how often it could not be had
    this.outdated = new WeakSet(); // chunks to load again, because the viewer chose another level
  }

  // level picks the quality of the next fragment: the best that needs at most 80% of the measured rate. With less
  // than one fragment in advance it is the lowest, so that playback starts and recovers fast. A fragment that one level
  // lacks is looked for in the next.
  level(chunk) {
    const levels = chunk.levels ?? this.stream.levels;
    if (this.forced) return levels.find((l) => l.bitrate === this.forced.bitrate) ?? this.forced;
    const ahead = this.bufferedEnd(this.player.video.currentTime) - this.player.video.currentTime;
    const best = ahead < (chunk.end - chunk.start) / 2 ? 0 : levels.findLastIndex((l) => l.bitrate <= this.player.throughput * 0.8);
    return levels[(Math.max(best, 0) + Math.floor(this.failures.get(chunk) ?? 0)) % levels.length];
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
    return this.stream.chunks.find((c) => c.end > time && !this.holds(c) && (this.failures.get(c) ?? 0) < TRIES);
  }

  // fill loads one chunk if one is due, and reports whether it did.
  async fill() {
    const time = this.player.video.currentTime, chunk = this.next(time);
    if (!chunk || chunk.start > this.resumes(time) + AHEAD) return false;
    const { stream } = this, level = this.level(chunk), failed = this.failures.get(chunk) ?? 0;
    this.failures.set(chunk, failed + 1); // taken back when it is in the buffer
    const data = await this.player.fetchFragment(stream, level, chunk).catch((err) => {
      if (err.status === 412) this.failures.set(chunk, failed + 0.25); // a node of the server is behind the others
      throw err;
    });
    const wanted = () => stream === this.stream && (!this.forced || this.forced.bitrate === level.bitrate); // or the viewer chose anew
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

  // resumes returns when content goes on: at time, or after the hole that is there or is about to come.
  resumes(time) {
    return Math.max(time, this.stream.chunks.find((c) => c.end > time + GAP)?.start ?? time);
  }

  // evict makes room, also of what was loaded before the viewer went back.
  async evict(time) {
    const ranges = this.buffer.buffered;
    if (!ranges.length) return;
    const last = ranges.end(ranges.length - 1), keep = this.resumes(time) + 3 * AHEAD;
    if (ranges.start(0) < time - BEHIND - 10) await this.update((b) => b.remove(0, time - BEHIND));
    if (last > keep + 10) await this.update((b) => b.remove(keep, last + 1));
  }

  // force chooses a level, or none. The chunks after the one that plays now are loaded again and replace what is in the
  // buffer. (Removing that first would leave a hole: pictures before the cut may need one behind it.)
  force(level) {
    this.forced = level;
    const playing = this.stream.chunks.findIndex((c) => c.end > this.player.video.currentTime);
    if (level) this.outdated = new WeakSet(this.stream.chunks.slice(playing + 1));
  }

  // replace plays another stream from now on. What is buffered of the old one goes, and playback waits for the new one.
  replace(stream) {
    this.stream = stream;
    return this.reset();
  }

  // reset loads everything again.
  reset() {
    this.forget();
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
  constructor(player) {
    this.player = player;
    this.cues = player.video.textTracks[0] ?? player.video.addTextTrack("captions"); // it cannot be removed again
    this.cues.mode = "hidden";
    this.done = new WeakSet();
    this.stream = null;
  }

  select(stream) {
    this.stream = stream;
    this.cues.mode = stream ? "showing" : "hidden";
    this.forget(() => true);
  }

  // forget removes cues.
  forget(which) {
    for (const cue of [...(this.cues.cues ?? [])].filter(which)) {
      this.cues.removeCue(cue);
      this.done.delete(cue.chunk);
    }
  }

  async fill() {
    const { stream } = this, time = this.player.video.currentTime;
    const chunk = stream?.chunks.find((c) => c.end > time && c.start < time + AHEAD && !this.done.has(c));
    if (!chunk) return false;
    this.forget((cue) => cue.endTime < time - 3 * BEHIND);
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
      this.cues.addCue(Object.assign(new VTTCue(chunk.start + begin, chunk.start + end, p.textContent.trim()), { chunk }));
    }
  }
}

// clock reads the TTML times "00:01:02.500" and "2.5s".
function clock(s) {
  return (s ?? "0").replace(/s$/, "").split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

export class Player {
  // video is the element to play in. onerror and onnote are called with messages, of which an empty one takes back the one
  // before; onchange when there is more or less to choose from.
  constructor(video, { onerror, onnote, onchange }) {
    Object.assign(this, { video, onerror, onnote, onchange, closed: false, throughput: 0, streams: [], tracks: [], live: null, aborter: new AbortController() });
  }

  async load(url) {
    const manifest = await this.firstManifest(url);
    if (this.closed) return;
    if (manifest.isProtected) throw new Error("the presentation is protected; this small player has no keys");
    this.streams = this.playable(manifest);
    const of = (type) => this.streams.filter((s) => s.type === type);
    if (!of("video").length && !of("audio").length) throw new Error("this browser plays none of the codecs of the presentation");

    this.mediaSource = new MediaSource();
    this.video.src = URL.createObjectURL(this.mediaSource);
    await new Promise((open) => this.mediaSource.addEventListener("sourceopen", open, { once: true }));
    URL.revokeObjectURL(this.video.src);
    if (this.closed) return;
    this.duration = Math.max(manifest.duration, ...this.streams.map((s) => s.chunks.at(-1)?.end ?? 0));
    this.mediaSource.duration = manifest.isLive ? Infinity : this.duration;
    this.videoTrack = of("video").length ? new Track(this, of("video")[0]) : null;
    this.audioTrack = of("audio").length ? new Track(this, of("audio")[0]) : null;
    this.tracks = [this.videoTrack, this.audioTrack].filter(Boolean);
    this.live = manifest.isLive ? new LiveEvent(this, url, manifest, this.onchange) : null;
    // A part of a longer programme starts late.
    const start = this.live?.target ?? Math.min(...this.tracks.map((t) => t.stream.chunks[0].start));
    if (start > 0) this.video.currentTime = start;
    this.captions = new Captions(this);
    for (const worker of [...this.tracks, this.captions]) this.run(worker);
    this.live?.follow();
  }

  // firstManifest loads the manifest. A live one is waited for until all streams have enough fragments to begin with: at
  // the start of an event they come one by one.
  async firstManifest(url) {
    for (let tries = 1; !this.closed; tries++) {
      try {
        const manifest = await loadManifest(url, { signal: this.aborter.signal });
        const media = manifest.streams.filter((s) => s.type !== "text" && !s.sparse);
        const enough = media.length && media.every((s) => s.chunks.length >= DELAY) || tries >= WAIT && media.some((s) => s.chunks.length);
        if (enough || !manifest.isLive) {
          if (tries > 1) this.onnote("");
          return manifest;
        }
      } catch (err) {
        if (err.status !== 412) throw err;
      }
      this.onnote("The event has not begun yet.");
      await this.pause(1000);
    }
    return null;
  }

  // playable returns the streams of a manifest with the levels that the browser can decode, and captions.
  playable(manifest) {
    return manifest.streams.map((s) => {
      if (s.type === "text") return !s.sparse && /TTML|DFXP/.test(s.levels[0]?.fourCC) ? s : null;
      const levels = s.levels.filter((l) => MediaSource.isTypeSupported(mimeType(s, l)));
      return { ...s, levels, chunks: s.chunks.map((c) => ({ ...c, levels })) };
    }).filter((s) => s && s.levels.length && (s.chunks.length || s.type === "text"));
  }

  // end turns a live event that is over into a presentation on demand.
  end(manifest) {
    this.live = null;
    this.duration = Math.max(manifest.duration, ...this.tracks.map((t) => t.stream.chunks.at(-1)?.end ?? 0));
    this.onchange();
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
        const early = this.live && (err.status === 404 || err.status === 412); // not there yet, or not any more
        if (!early) this.onerror(err.message);
        failing ||= !early;
        await this.pause(1000);
      }
      if (this.closed) return;
      this.skipGap();
      await this.pause(200);
    }
  }

  pause(ms) { return new Promise((wake) => setTimeout(wake, ms)); }

  // fetchFragment loads one fragment and measures the rate, as a moving average over the larger ones.
  async fetchFragment(stream, level, chunk) {
    const url = stream.url(level, chunk), begin = performance.now();
    const answer = await fetch(url, { signal: this.aborter.signal });
    if (!answer.ok) throw refusal(answer);
    const data = new Uint8Array(await answer.arrayBuffer());
    const rate = (data.length * 8000) / Math.max(performance.now() - begin, 1);
    if (data.length > 10000) this.throughput = this.throughput ? 0.7 * this.throughput + 0.3 * rate : rate;
    return data;
  }

  // finish tells the browser that nothing follows once every track is complete up to the end.
  finish() {
    const { mediaSource, video } = this;
    if (this.live || mediaSource.readyState !== "open" || this.tracks.some((t) => t.buffer.updating)) return;
    if (mediaSource.duration === Infinity) { // of an event that is over
      const { buffered } = video;
      mediaSource.clearLiveSeekableRange();
      mediaSource.duration = Math.max(this.duration, buffered.length ? buffered.end(buffered.length - 1) : 0);
    }
    if (this.tracks.every((t) => !t.next(video.currentTime))) mediaSource.endOfStream();
  }

  // skipGap steps over a short hole between fragments, or before the first picture, and over a longer one that no
  // fragment will fill. Where playback is stuck for another reason, though there is something to play, a tiny step makes
  // the browser look again.
  skipGap() {
    const { video } = this, ranges = video.buffered, now = video.currentTime;
    if (video.paused || now !== this.stuckAt) {
      this.stuckAt = now;
      this.stuckSince = performance.now();
    }
    const stuck = performance.now() - this.stuckSince > 1000;
    if (!stuck && video.readyState >= 3) return;
    const hole = (to) => stuck && this.tracks.every((t) => (t.next(now)?.start ?? to) >= to - GAP);
    let end = now, next = Infinity; // of what is buffered here, and after it
    for (let i = 0; i < ranges.length; i++) {
      if (ranges.start(i) <= now && now < ranges.end(i)) end = ranges.end(i);
      if (ranges.start(i) > now) next = Math.min(next, ranges.start(i));
    }
    if (end < now + GAP && next < Infinity && (next < now + GAP || hole(next))) video.currentTime = next + 0.001;
    else if (stuck && !video.seeking && now + 1 < end) video.currentTime = now + 0.01;
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
