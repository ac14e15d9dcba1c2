// The cursor of charts: with the mouse or a finger on the plot, and by keyboard, as a slider that gets the focus.

const WIDTH = 600; // of the plot, as the server draws it
const SVG = "http://www.w3.org/2000/svg";

const values = (svg) => ({ x: svg.dataset.x.split(" ").map(Number), labels: svg.dataset.labels.split("|") });

function own(parent, namespace, name, attributes) {
  const el = namespace ? document.createElementNS(namespace, name) : document.createElement(name);
  el.setAttribute("data-own", "");
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, value);
  parent.append(el);
  return el;
}

// nearest returns the index of the value that is nearest to a place.
function nearest(x, place) {
  let best = 0;
  x.forEach((v, i) => { if (Math.abs(v - place) < Math.abs(x[best] - place)) best = i; });
  return best;
}

// point moves the cursor to a value, or hides it.
function point(figure, index) {
  const svg = figure.querySelector(".plot svg"), output = figure.querySelector("[data-cursor]"), slider = figure.querySelector("input");
  const line = svg.querySelector("line[data-own]") ?? own(svg, SVG, "line", { class: "cursor", y1: 0, y2: 100 });
  const { x, labels } = values(svg);
  const shown = index !== null && index < x.length;
  line.setAttribute("visibility", shown ? "visible" : "hidden");
  output.value = shown ? labels[index] : "";
  if (!shown) return;
  line.setAttribute("x1", x[index]);
  line.setAttribute("x2", x[index]);
  slider.value = index;
  slider.setAttribute("aria-valuetext", labels[index]);
}

const place = (svg, event) => {
  const box = svg.getBoundingClientRect();
  return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * WIDTH;
};

// select lets a part of a timeline be chosen with the mouse, which is then shown.
function select(figure, svg) {
  let begin = null, shade = null;
  const end = () => {
    shade?.remove();
    begin = shade = null;
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    begin = place(svg, event);
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => {
    if (begin === null) return;
    const now = place(svg, event);
    shade ??= own(svg, SVG, "rect", { class: "shade", y: 0, height: 100 });
    shade.setAttribute("x", Math.min(begin, now));
    shade.setAttribute("width", Math.abs(now - begin));
  });
  svg.addEventListener("pointercancel", end);
  svg.addEventListener("pointerup", (event) => {
    if (begin === null) return;
    const [from, to] = [begin, place(svg, event)].sort((a, b) => a - b);
    end();
    if (to - from < 5) return; // a click
    const start = Number(figure.dataset.from), length = Number(figure.dataset.to) - start;
    const url = new URL(location.href);
    url.searchParams.set("from", (start + (length * from) / WIDTH).toFixed(1));
    url.searchParams.set("to", (start + (length * to) / WIDTH).toFixed(1));
    url.hash = "timeline";
    location.assign(url);
  });
}

// equip adds the cursor to the charts that have none yet.
export function equip(root) {
  for (const figure of root.querySelectorAll("figure.chart")) {
    const svg = figure.querySelector(".plot svg");
    if (!svg) continue;
    const last = values(svg).x.length - 1;
    const slider = figure.querySelector("input[data-own]") ?? own(figure, null, "input", { type: "range", min: 0, class: "hidden slider", "aria-label": figure.querySelector("figcaption span").textContent });
    if (slider.max !== String(last)) {
      slider.max = last;
      if (document.activeElement !== slider) slider.value = last;
    }
    if (svg.equipped) {
      if (document.activeElement === slider) point(figure, Number(slider.value));
      continue;
    }
    svg.equipped = true;
    svg.addEventListener("pointermove", (event) => point(figure, nearest(values(svg).x, place(svg, event))));
    svg.addEventListener("pointerleave", () => point(figure, null));
    if (figure.classList.contains("timeline")) select(figure, svg);
    if (slider.equipped) continue;
    slider.equipped = true;
    slider.addEventListener("input", () => point(figure, Number(slider.value)));
    slider.addEventListener("focus", () => point(figure, Number(slider.value)));
    slider.addEventListener("blur", () => point(figure, null));
  }
}
