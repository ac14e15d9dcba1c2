// Following a live presentation: its manifest is loaded again and again, and what is new in it joins what is known.
import { loadManifest } from "./manifest.js";

export const DELAY = 3; // fragments between the live edge and where playback begins
const PATIENCE = 5; // failures to load the manifest before the viewer is told
const POLL = [500, 5000]; // the least and the most milliseconds between two manifests

// join brings a stream up to date with the one of a newer manifest. Chunks and levels that were known stay the same
// objects. A chunk keeps the levels that it was listed with, for an encoder may come back with another configuration.
export function join(stream, newer) {
  const same = (a, b) => a.bitrate === b.bitrate && a.fourCC === b.fourCC && String(a.config) === String(b.config);
  const known = new Map(stream.chunks.map((c) => [c.time, c]));
  stream.url = newer.url;
  stream.levels = newer.levels.map((l) => stream.levels.find((old) => same(old, l)) ?? l);
  stream.chunks = newer.chunks.map((c) => {
    const old = known.get(c.time);
    return old?.end === c.end ? old : Object.assign(c, { levels: stream.levels });
  });
}

export class LiveEvent {
  // onchange is called when there are other streams or levels to choose from.
  constructor(player, url, manifest, onchange) {
    Object.assign(this, { player, url, manifest, onchange, failures: 0 });
  }

  // The window, in seconds of the timeline: what all tracks have.
  get start() { return Math.max(...this.lines().map((chunks) => chunks[0].start)); }
  get end() { return Math.min(...this.lines().map((chunks) => chunks.at(-1).end)); }

  // target is where a viewer of the live edge is.
  get target() { return Math.max(this.start, ...this.lines().slice(0, 1).map((chunks) => (chunks.at(-DELAY) ?? chunks[0]).start)); }

  // fragment is the length of the newest one, in seconds.
  get fragment() { return Math.min(...this.lines().map((chunks) => chunks.at(-1).end - chunks.at(-1).start)); }

  lines() { return this.player.tracks.map((t) => t.stream.chunks).filter((chunks) => chunks.length); }

  // follow keeps up with the event until it ends or the player is closed.
  async follow() {
    const { player } = this;
    this.show();
    while (player.live === this && !player.closed) {
      await player.pause(Math.min(Math.max(this.fragment * 500, POLL[0]), POLL[1]));
      try {
        const manifest = await loadManifest(this.url, { before: this.manifest, signal: player.aborter.signal });
        if (player.closed) return;
        if (this.failures >= PATIENCE) {
          player.onerror("");
          player.onnote("");
        }
        this.failures = 0;
        if (manifest !== this.manifest) this.adopt(manifest);
      } catch (err) {
        if (player.closed) return;
        this.complain(err);
      }
      if (player.live === this) this.keepInside();
    }
  }

  // complain tells the viewer that the manifest cannot be had. 412 is no fault: a server that has begun anew waits for the encoder.
  complain(err) {
    this.failures++;
    if (this.failures >= PATIENCE && err.status === 412) this.player.onnote("Waiting for the encoder.");
    else if (this.failures === PATIENCE) this.player.onerror(err.message);
  }

  // adopt takes over a newer manifest.
  adopt(manifest) {
    const { player } = this, { end } = this, before = this.manifest;
    this.manifest = manifest;
    const known = player.streams.length;
    for (const newer of player.playable(manifest)) {
      const stream = player.streams.find((s) => s.type === newer.type && s.name === newer.name);
      if (stream) join(stream, newer);
      else player.streams.push(newer);
    }
    const levels = (m) => m.streams.map((s) => s.levels.map((l) => l.bitrate)).join(";");
    if (player.streams.length > known || levels(before) !== levels(manifest)) this.onchange();
    this.show();
    if (this.end < end - this.fragment) this.restart();
    if (!manifest.isLive) player.end(manifest);
  }

  // show tells the browser the window, which is what its video element can seek in.
  show() {
    const { mediaSource } = this.player, { start, end } = this;
    if (mediaSource.readyState === "open" && start < end) mediaSource.setLiveSeekableRange(start, end);
  }

  // restart plays an event that has begun anew, on a timeline of its own.
  restart() {
    this.player.tracks.forEach((t) => t.reset().catch(() => {}));
    this.player.video.currentTime = this.target;
  }

  // keepInside leads a viewer back who has fallen out of the window, by pausing for long.
  keepInside() {
    const { video, tracks } = this.player, time = video.currentTime;
    if (video.paused || time >= this.start || tracks.every((t) => t.bufferedEnd(time) > time)) return;
    video.currentTime = Math.min(this.start + this.fragment, this.target);
  }
}
