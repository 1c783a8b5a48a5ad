// The landing page's street, words that explain themselves, a mark beside the chapters that one has read to the end, and
// paper, which is light.

document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure.ep-wipe")) wipe(figure);
  explainWords();
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
  slider.disabled = slider.hidden = false;
  figure.querySelector(".ep-scripted").hidden = false;
  cut(slider.value);
}

// A link to a word of the glossary says in a card what the word means, while the mouse is over it or the keyboard on it.
// A finger's first tap opens the card, its second follows the link. The meanings stand in the page itself.
function explainWords() {
  const data = document.getElementById("ep-words");
  if (!data) return;
  const words = JSON.parse(data.textContent);
  const card = document.createElement("div");
  card.id = "ep-word";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  document.querySelector("article").append(card);
  let link = null;
  let waiting;

  const close = () => {
    clearTimeout(waiting);
    if (link) link.removeAttribute("aria-describedby");
    link = null;
    card.hidden = true;
  };
  const open = (word, entry, hint) => {
    close();
    link = word;
    const name = document.createElement("strong");
    name.textContent = entry.word;
    card.replaceChildren(name, ` ${entry.meaning}`);
    if (hint) card.insertAdjacentHTML("beforeend", "<small>Tap the word again: the glossary.</small>");
    link.setAttribute("aria-describedby", card.id);
    card.hidden = false;
    settle();
  };
  // Below the word, or above it where there is no room below; never beyond the window's sides.
  const settle = () => {
    const box = link.getBoundingClientRect(); // of a word over two lines: both
    const room = document.documentElement.clientWidth;
    const below = box.bottom + 6 + card.offsetHeight <= innerHeight || box.top < card.offsetHeight + 6;
    card.style.left = `${Math.max(8, Math.min(link.getClientRects()[0].left, room - card.offsetWidth - 8))}px`;
    card.style.top = `${below ? box.bottom + 6 : box.top - card.offsetHeight - 6}px`;
  };
  const later = (what, wait) => {
    clearTimeout(waiting);
    waiting = setTimeout(what, wait);
  };

  for (const word of document.querySelectorAll('article a[href*="glossary.html#term-"]')) {
    const entry = words[decodeURIComponent(word.hash.slice(1))];
    if (!entry) continue;
    word.classList.add("ep-word");
    word.addEventListener("focus", () => word.matches(":focus-visible") && open(word, entry));
    word.addEventListener("blur", close);
    word.addEventListener("pointerenter", (event) => {
      if (event.pointerType !== "touch") later(() => open(word, entry), 120);
    });
    word.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") later(close, 200);
    });
    word.addEventListener("click", (event) => {
      if (event.pointerType !== "touch" || link === word) return;
      event.preventDefault();
      open(word, entry, true);
    });
  }
  // One may move the mouse onto the card, to select what it says.
  card.addEventListener("pointerenter", () => clearTimeout(waiting));
  card.addEventListener("pointerleave", () => later(close, 200));
  addEventListener("keydown", (event) => event.key === "Escape" && close());
  addEventListener("pointerdown", (event) => link && !link.contains(event.target) && !card.contains(event.target) && close());
  addEventListener("scroll", () => link && settle(), { passive: true });
  addEventListener("resize", () => link && settle());
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
