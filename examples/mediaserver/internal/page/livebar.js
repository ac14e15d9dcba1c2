// The bar below the picture of a live presentation: the window one can rewind in, how far behind the live edge one is, and
// the button that goes there.

const NEAR = 3; // seconds behind the place of live viewers that still count as live

const clock = (seconds) => {
  const s = Math.max(0, Math.round(seconds)), two = (n) => String(n).padStart(2, "0");
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
};

export class LiveBar {
  // video is what plays; range, output and button are the parts of the element bar.
  constructor(video, bar, { range, output, button }) {
    Object.assign(this, { video, bar, range, output, button, window: null, dragging: false });
    range.oninput = () => {
      this.dragging = true;
      this.label(Number(range.value));
    };
    range.onchange = () => {
      this.dragging = false;
      video.currentTime = Number(range.value);
    };
    button.onclick = () => this.toEdge();
  }

  // update shows a window {start, end, target}, or hides the bar if there is none.
  update(window) {
    this.window = window && Number.isFinite(window.start) && window.end > window.start ? window : null;
    this.bar.hidden = !this.window;
    if (!this.window) return;
    const { start, end } = window, { range, video } = this;
    Object.assign(range, { min: start, max: end });
    if (!this.dragging) range.value = Math.min(Math.max(video.currentTime, start), end);
    range.style.setProperty("--played", `${((range.value - start) / (end - start)) * 100}%`);
    this.label(this.dragging ? Number(range.value) : video.currentTime);
    this.button.classList.toggle("on", !video.paused && video.currentTime > window.target - NEAR);
  }

  label(time) {
    const { start, end, target } = this.window;
    const behind = time > target - NEAR ? "" : `${clock(end - time)} behind live`;
    this.output.value = behind || `${clock(end - start)} to rewind`;
    this.range.setAttribute("aria-valuetext", behind || "live");
  }

  // toEdge goes to where live viewers are.
  toEdge() {
    if (!this.window) return Promise.resolve();
    this.video.currentTime = this.window.target;
    return this.video.play();
  }
}
