// The landing page's street, a mark beside the chapters that one has read to the end, and paper that is light.

document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure.ep-wipe")) wipe(figure);
  readingMarks();
});

// On paper there is no night: colours of code and formulas are those of the day.
{
  const root = document.documentElement;
  let theme;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
  });
}

// Picture and mask of a street, one over the other. The slider lies on the picture: dragged by mouse or finger or moved by
// the keys, the edge between the two follows, and the class under the finger, the pointer or the edge is named there.
function wipe(figure) {
  const layers = figure.querySelector(".ep-layers");
  const slider = figure.querySelector("input");
  const readout = figure.querySelector("output");
  const tag = figure.querySelector(".ep-pointed");
  const columns = Number(figure.dataset.columns);
  const labels = figure.dataset.labels;
  const rows = labels.length / columns;
  const names = Object.fromEntries(figure.dataset.names.split(" ").map((pair) => pair.split(":")));
  let row = Math.floor(rows / 2);

  const name = (column) => names[labels[row * columns + column]];
  const atEdge = () => Math.min(columns - 1, Math.floor((1 - slider.value / 100) * columns));
  const cut = (percent) => {
    slider.value = percent;
    layers.style.setProperty("--cut", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `Row ${row}, column ${atEdge()}: ${name(atEdge())}`);
  };
  // The name stands above its pixel, or below where there is no room, and never outside the picture.
  const say = (column) => {
    readout.textContent = `Row ${row}, column ${column}: ${name(column)}`;
    tag.textContent = name(column);
    tag.hidden = false;
    const box = layers.getBoundingClientRect();
    const half = tag.offsetWidth / 2;
    const x = ((column + 0.5) / columns) * box.width;
    const y = ((row + 0.5) / rows) * box.height;
    const away = 28;
    tag.style.left = `${Math.max(half, Math.min(box.width - half, x)) - half}px`;
    tag.style.top = `${y - away - tag.offsetHeight < 0 ? y + away : y - away - tag.offsetHeight}px`;
  };
  const place = (event) => {
    const box = layers.getBoundingClientRect();
    const inside = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    const across = (event.clientX - box.left) / box.width;
    row = inside((event.clientY - box.top) / box.height, rows);
    return { percent: 100 * (1 - across), column: inside(across, columns) };
  };
  const drag = (event) => {
    const at = place(event);
    if (event.buttons) cut(at.percent);
    say(at.column);
  };

  slider.addEventListener("input", () => {
    cut(slider.value);
    say(atEdge());
  });
  // Up and down choose the row that is read out; left and right move the edge, as on every slider.
  slider.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    row = Math.min(rows - 1, Math.max(0, row + step));
    cut(slider.value);
    say(atEdge());
  });
  layers.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // no text is selected, and the slider keeps the keys
    slider.focus({ preventScroll: true, focusVisible: false });
    if (event.isTrusted) layers.setPointerCapture(event.pointerId);
    drag(event);
  });
  layers.addEventListener("pointermove", drag);
  for (const leaving of ["pointerleave", "pointercancel"]) layers.addEventListener(leaving, () => (tag.hidden = true));
  slider.addEventListener("blur", () => (tag.hidden = true));
  slider.disabled = false;
  cut(slider.value);
}

// Kept in this browser and nowhere else. A lecture counts as read when its summary has been on the screen.
function readingMarks() {
  const key = "every-pixel-read";
  let read;
  try {
    read = new Set(JSON.parse(localStorage.getItem(key) || "[]"));
  } catch {
    return; // a browser that keeps nothing
  }
  const name = (url) => new URL(url, location).pathname.split("/").slice(-2).join("/");
  const mark = () => {
    for (const link of document.querySelectorAll(".bd-sidebar-primary a.reference.internal")) {
      if (!read.has(name(link.href)) || link.querySelector(".ep-read")) continue;
      link.insertAdjacentHTML("beforeend", '<span class="ep-read" title="read"><span class="ep-unseen">, read</span></span>');
    }
  };
  mark();
  const summary = document.querySelector("article #summary");
  if (!summary || !("IntersectionObserver" in window)) return;
  new IntersectionObserver((seen, observer) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    read.add(name(location.href));
    try {
      localStorage.setItem(key, JSON.stringify([...read]));
    } catch {
      return;
    }
    mark();
  }).observe(summary.querySelector("h2") || summary);
}
