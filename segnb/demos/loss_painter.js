// Paint a mask, slide a prediction: what does each loss say, and which pixels does its gradient pull at?
const demo = function (root, options) {
  const n = options.mask.length, side = 10, count = n * n;
  const names = ["cross-entropy", "weighted cross-entropy", "focal", "Dice, foreground", "Dice, both classes"];
  const state = { mask: options.mask.flat(), inside: 0.2, outside: 0.2, shift: 0, shown: 0, brush: 1 };
  const sum = (list) => list.reduce((a, b) => a + b, 0);

  // Probability of foreground: `inside` on the painted shape moved `shift` to the right, `outside` elsewhere.
  const predict = ({ mask, inside, outside, shift }) => mask.map(function (_, k) {
    const column = (k % n) - shift;
    return column >= 0 && column < n && mask[k - shift] ? inside : outside;
  });
  // For p and y of all pixels: each loss, and its gradient by the foreground logit z, where p = sigmoid(z).
  const losses = function (p, y) {
    const right = p.map((q, k) => (y[k] ? q : 1 - q)), pixels = p.length, front = sum(y), slope = p.map((q) => q * (1 - q));
    const mean = (values, w) => sum(values.map((v, k) => v * w[k])) / sum(w);
    const ones = p.map(() => 1), balance = y.map((t) => pixels / (2 * (t ? front : pixels - front)));
    const ce = right.map((q) => -Math.log(q));
    const pull = (w) => p.map((q, k) => w[k] * (q - y[k]) / sum(w));
    // d/dq of (1 − q)²·(−log q), times dq/dz = ±q(1 − q)
    const focal = right.map((q, k) => (y[k] ? 1 : -1) * (2 * (1 - q) * Math.log(q) - (1 - q) ** 2 / q) * slope[k] / pixels);
    // Soft Dice 2·Σpy / (Σp + Σy), and its gradient by each p: 2y/U − 2I/U²
    const dice = function (q, t) {
      const both = sum(q.map((v, k) => v * t[k])), all = sum(q) + sum(t);
      return { value: 2 * both / all, by: t.map((v) => 2 * v / all - 2 * both / all ** 2) };
    };
    const one = dice(p, y), zero = dice(p.map((q) => 1 - q), y.map((t) => 1 - t));
    const absent = front === 0, full = front === pixels;  // a class that is not there has no Dice
    return [
      { value: mean(ce, ones), pull: pull(ones) },
      { value: mean(ce, balance), pull: pull(balance) },
      { value: mean(ce.map((v, k) => (1 - right[k]) ** 2 * v), ones), pull: focal },
      { value: absent ? 0 : 1 - one.value, pull: slope.map((s, k) => (absent ? 0 : -one.by[k] * s)) },
      { value: absent ? 1 - zero.value : full ? 1 - one.value : 1 - (one.value + zero.value) / 2,
        pull: slope.map((s, k) => (absent ? zero.by[k] : full ? -one.by[k] : (zero.by[k] - one.by[k]) / 2) * s) },
    ];
  };
  // Which part of all pulling is done by the foreground.
  const share = function (pull, y) {
    const all = sum(pull.map(Math.abs));
    return all ? sum(pull.map((g, k) => (y[k] ? Math.abs(g) : 0))) / all : 0;
  };

  const view = `-1 -1 ${n * side + 2} ${n * side + 2}`, said = kit.said();
  const canvas = kit.make("svg", { viewBox: view }), field = kit.make("svg", { viewBox: view, role: "img" });
  const cells = kit.make("g"), sheet = () => kit.make("path", { d: lines, class: "ep-faint", "stroke-width": 0.3 });
  const lines = Array.from({ length: n + 1 }, (_, i) => `M0 ${i * side}h${n * side}M${i * side} 0v${n * side}`).join("");
  canvas.append(cells, sheet());
  field.append(sheet());
  // A square of `width` pixels in the middle, or where the middle would be.
  const square = (width) => () => fill((i, j) => [i, j].every((k) => k >= (n - width) >> 1 && k < ((n - width) >> 1) + width));
  const slide = (label, key, low, high, step, words) => kit.slider(label, low, high, state[key], (v) => { state[key] = v; draw(); }, { step, words });
  const head = kit.make("tr", {}, ...["gradient of", "value", "share"].map((text) => kit.make("th", { scope: "col" }, text)));
  const numbers = names.map(() => [kit.make("td"), kit.make("td")]);
  const table = kit.make("table", {}, head, ...names.map((name, i) => kit.make("tr", {},
    kit.make("th", { scope: "row" }, kit.make("label", {}, kit.radio(root, "gradient of", i, i === 0, (v) => { state.shown = v; draw(); }), name)), ...numbers[i])));
  const chance = (v) => `probability ${v}`, moved = (v) => (v ? `${Math.abs(v)} to the ${v > 0 ? "right" : "left"}` : "not moved");
  const ready = [["one pixel", square(1)], ["small square", square(2)], ["large square", square(6)], ["clear", square(0)]];
  canvas.style.maxWidth = "calc(1.4 * var(--ep-most))";
  root.append(kit.panels(
    ["your mask; orange: the prediction", canvas, slide("p on shape", "inside", 0.01, 0.99, 0.01, chance),
      slide("p elsewhere", "outside", 0.01, 0.99, 0.01, chance), slide("shift", "shift", -3, 3, 1, moved)],
    ["gradient: blue up, orange down", kit.make("div", { class: "ep-beside" }, field, kit.make("div", {}, ...ready.map(([text, press]) => kit.button(text, press)))),
      table]), said);
  kit.field(canvas, { rows: n, columns: n, side, label: `Mask of ${n} by ${n} pixels to paint`, drag: true, said,
    describe: (i, j) => (state.mask[i * n + j] ? "foreground" : "background"),
    press(i, j, first) {
      if (first) state.brush = 1 - state.mask[i * n + j];
      state.mask[i * n + j] = state.brush;
      draw();
    } });
  function fill(rule) { state.mask = state.mask.map((_, k) => (rule(Math.floor(k / n), k % n) ? 1 : 0)); draw(); }

  // All pixels that pass, as one path: far quicker to draw than 784 squares.
  const squares = (rule) => state.mask.map((_, k) => (rule(k) ? `M${(k % n) * side} ${Math.floor(k / n) * side}h${side}v${side}h${-side}z` : "")).join("");

  // The border of a shape: each side of its pixels that no other of its pixels shares.
  const outline = (shape) => shape.map(function (inside, k) {
    const x = (k % n) * side, y = Math.floor(k / n) * side, taken = (dx, dy) => shape[k + dx + n * dy] && (k % n) + dx >= 0 && (k % n) + dx < n;
    if (!inside) return "";
    return (taken(-1, 0) ? "" : `M${x} ${y}v${side}`) + (taken(1, 0) ? "" : `M${x + side} ${y}v${side}`)
      + (taken(0, -1) ? "" : `M${x} ${y}h${side}`) + (taken(0, 1) ? "" : `M${x} ${y + side}h${side}`);
  }).join("");

  function draw() {
    const p = predict(state), y = state.mask, all = losses(p, y), pull = all[state.shown].pull;
    const most = Math.max(...pull.map(Math.abs)) || 1, front = sum(y), shape = predict({ ...state, inside: 1, outside: 0 });
    cells.replaceChildren(
      kit.make("path", { d: squares((k) => y[k]), fill: options.colours.blue }),
      kit.make("path", { d: outline(shape), stroke: options.colours.orange, "stroke-width": 2.5 }));
    field.replaceChildren(field.firstChild);
    // Strength in ten steps of opacity; colour says which way the loss wants the pixel to go.
    for (const [sign, colour] of [[-1, options.colours.blue], [1, options.colours.orange]]) for (let level = 1; level <= 10; level++) {
      const d = squares((k) => pull[k] * sign > 0 && Math.ceil(10 * Math.abs(pull[k]) / most) === level);
      if (d) field.append(kit.make("path", { d, fill: colour, "fill-opacity": level / 10 }));
    }
    all.forEach(function (loss, i) {
      numbers[i][0].textContent = loss.value.toFixed(3);
      numbers[i][1].textContent = Math.round(100 * share(loss.pull, y)) + " %";
    });
    said.say(`${front} of ${count} pixels are foreground.`,
      `They get ${Math.round(100 * share(pull, y))}\u00a0% of the pull of ${names[state.shown]}.`);
    field.setAttribute("aria-label", `Gradient of ${names[state.shown]}: ${Math.round(100 * share(pull, y))} percent of it on the foreground`);
  }
  draw();
  return { state, predict, losses, share };
};
