// What all demos share: making elements, controls with labels, a grid one can point at or walk with the arrow keys.
const kit = {
  // <tag attribute=...>children</tag>; tags of SVG are made as SVG.
  make(tag, attributes = {}, ...children) {
    const drawn = ["svg", "g", "rect", "text", "line", "path", "circle"].includes(tag);
    const element = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== false) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  },

  // words(value): what the slider's number means, for whoever does not see what it moves.
  slider(label, low, high, value, change, { step = 1, words = String } = {}) {
    const shown = kit.make("b", {});
    const input = kit.make("input", { type: "range", min: low, max: high, step, value, "aria-label": label,
      oninput() { tell(); change(Number(input.value)); } });
    const tell = function () {
      shown.textContent = input.value.replace("-", "−");
      input.setAttribute("aria-valuetext", words(Number(input.value)));
    };
    const row = kit.make("div", { class: "ep-row ep-slider" }, kit.make("span", {}, label), input, shown);
    row.set = function (to) { input.value = to; tell(); };
    tell();
    return row;
  },

  radio(root, label, value, chosen, change) {
    const twins = [...document.querySelectorAll(".ep-demo")];
    const input = kit.make("input", { type: "radio", name: "ep-" + label + twins.indexOf(root), value, onchange() { change(value); } });
    input.checked = chosen;
    return input;
  },

  choice(root, label, names, chosen, change) {
    const group = kit.make("div", { class: "ep-row", role: "radiogroup", "aria-label": label }, kit.make("span", {}, label));
    names.forEach((name, i) => group.append(kit.make("label", {}, kit.radio(root, label, i, i === chosen, change), name)));
    group.set = function (i) { group.querySelectorAll("input")[i].checked = true; };
    return group;
  },

  button(label, press) { return kit.make("button", { type: "button", onclick: press }, label); },

  // What there is to say, sentence by sentence. Only a sentence that has changed is written again, and so only that one
  // is read out. say(...) gives them all; point(text) sets one before them, about the pixel under the cursor.
  said() {
    const box = kit.make("div", { class: "ep-said", "aria-live": "polite", "aria-atomic": "false" });
    const write = function (i, text) {
      while (box.children.length <= i) box.append(kit.make("span", {}));
      const words = text ? text + " " : "";
      if (box.children[i].textContent !== words) box.children[i].textContent = words;
    };
    box.point = (text) => write(0, text);
    box.say = function (...sentences) {
      for (let i = 0; i < Math.max(sentences.length, box.children.length - 1); i++) write(i + 1, sentences[i]);
      box.point("");
    };
    return box;
  },

  // Pieces one beside the other, or one below the other where there is no room.
  panels(...pieces) { return kit.make("div", { class: "ep-panels" }, ...pieces.map((piece) => kit.make("div", {}, ...[piece].flat()))); },

  // The book's sequential map, dark to bright, for t in 0..1.
  heat(t) {
    const stops = [[0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122], [229, 80, 100], [251, 135, 97],
      [254, 194, 135], [252, 253, 191]];
    const x = Math.min(1, Math.max(0, t)) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(x));
    return stops[i].map((low, c) => Math.round(low + (x - i) * (stops[i + 1][c] - low)));
  },
  css(rgb) { return "rgb(" + rgb.join(",") + ")"; },
  ink(rgb) { return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 140 ? "#1c1c1e" : "#fff"; },

  // A number as short as a small pixel needs it: 3, .75, 1.5
  short(x) { return String(Number(x.toFixed(2))).replace(/^(-?)0\./, "$1."); },

  // One pixel: a square with a number in it. `rgb` null leaves it open, for "nothing here".
  pixel(x, y, side, rgb, text = "", size = side * 0.5) {
    const group = kit.make("g", { transform: `translate(${x} ${y})` });
    group.append(kit.make("rect", { width: side, height: side, fill: rgb ? kit.css(rgb) : "none", class: rgb ? "ep-pixel" : "ep-faint" }));
    if (text !== "") {
      const style = `font-size:${size}px` + (rgb ? `;fill:${kit.ink(rgb)}` : "");
      group.append(kit.make("text", { x: side / 2, y: side / 2, style }, text));
    }
    return group;
  },

  // Make an SVG (viewBox in units of `side` per pixel) a field of rows × columns to press: click, touch, or arrows and
  // space. press(row, column, first) is called once a pixel while the pointer is dragged if `drag`.
  // Who keeps the object of options may change its rows and columns later.
  field(svg, area) {
    const { side, left = 0, top = 0, label, describe, press, drag = false, said } = area;
    let at = [0, 0], last = null;
    const cursor = kit.make("rect", { width: side, height: side, fill: "none", stroke: "#d9760a", "stroke-width": side / 7,
      visibility: "hidden", class: "ep-cursor" });
    const place = function () {
      cursor.setAttribute("x", left + at[1] * side);
      cursor.setAttribute("y", top + at[0] * side);
      svg.append(cursor);
    };
    const under = function (event) {
      const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
      const column = Math.floor(((event.clientX - box.left) * view.width / box.width - left) / side);
      const row = Math.floor(((event.clientY - box.top) * view.height / box.height - top) / side);
      return row >= 0 && row < area.rows && column >= 0 && column < area.columns ? [row, column] : null;
    };
    const act = function (where, first) { at = where; last = String(where); press(where[0], where[1], first); place(); };
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("role", "application");
    svg.setAttribute("aria-label", label + ". Arrow keys move, space changes.");
    if (drag) svg.style.touchAction = "none";
    svg.addEventListener("pointerdown", function (event) {
      const where = under(event);
      if (!where) return;
      if (drag) svg.setPointerCapture(event.pointerId);
      act(where, true);
    });
    if (drag) svg.addEventListener("pointermove", function (event) {
      const where = event.buttons ? under(event) : null;
      if (where && String(where) !== last) act(where, false);
    });
    svg.addEventListener("keydown", function (event) {
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }, move = moves[event.key];
      if (move) {
        at = [Math.min(area.rows - 1, Math.max(0, at[0] + move[0])), Math.min(area.columns - 1, Math.max(0, at[1] + move[1]))];
        said.point(`Row ${at[0] + 1}, column ${at[1] + 1}: ${describe(at[0], at[1])}.`);
      } else if (event.key === " " || event.key === "Enter") act(at, true);
      else return;
      event.preventDefault();
      place();
    });
    svg.addEventListener("focus", function () { cursor.setAttribute("visibility", svg.matches(":focus-visible") ? "visible" : "hidden"); place(); });
    svg.addEventListener("blur", function () { cursor.setAttribute("visibility", "hidden"); });
    return place;
  },
};
