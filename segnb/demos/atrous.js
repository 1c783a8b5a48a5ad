// Which input pixels does one output pixel look at, through a stack of convolutions with strides and rates?
const demo = function (root, options) {
  const state = { layers: options.layers.map((layer) => [...layer]), chosen: 0 }, side = 10;
  const presets = { "rates 1, 1, 1": [1, 1, 1], "rates 2, 2, 2": [2, 2, 2], "rates 1, 2, 5": [1, 2, 5], "rates 1, 2, 4": [1, 2, 4] };

  // From the last layer down: place in this layer's input → number of paths to the output pixel. One Map a level.
  const levels = function (layers) {
    const list = [new Map([[0, 1]])];
    for (const [kernel, stride, rate] of [...layers].reverse()) {
      const next = new Map();
      for (const [place, paths] of list[0]) for (let j = 0; j < kernel; j++) {
        const at = place * stride + (j - (kernel - 1) / 2) * rate;
        next.set(at, (next.get(at) || 0) + paths);
      }
      list.unshift(next);
    }
    return list;
  };
  // Field of view, pixels looked at, pixels left out, output stride, and the paths for each pixel of the field.
  const measure = function (layers) {
    const input = levels(layers)[0], low = Math.min(...input.keys()), size = Math.max(...input.keys()) - low + 1;
    const paths = Array.from({ length: size }, (_, i) => input.get(low + i) || 0);
    const stride = layers.reduce((product, layer) => product * layer[1], 1);
    return { size, seen: input.size, holes: size - input.size, stride, paths };
  };

  const tree = kit.make("svg", { role: "img" }), plane = kit.make("svg", { role: "img" }), said = kit.said();
  const edit = (part) => function (v) { state.layers[state.chosen][part] = v; draw(); };
  const words = (text) => (v) => `${text(v)}, layer ${state.chosen + 1}`;
  const kernel = kit.slider("kernel", 1, 5, 3, edit(0), { step: 2, words: words((v) => `${v} by ${v}`) });
  const stride = kit.slider("stride", 1, 2, 1, edit(1), { words: words((v) => `stride ${v}`) });
  const rate = kit.slider("rate", 1, 6, 1, edit(2), { words: words((v) => `rate ${v}`) });
  const settle = function () { [kernel, stride, rate].forEach((row, i) => row.set(state.layers[state.chosen][i])); draw(); };
  const quick = kit.make("div", { class: "ep-row" }, kit.make("span", {}, "start from"));
  for (const [text, rates] of Object.entries(presets)) {
    quick.append(kit.button(text.replace("rates ", ""), () => { state.layers = rates.map((r) => [3, 1, r]); settle(); }));
    quick.lastChild.setAttribute("aria-label", "three 3 by 3 layers, " + text);
  }
  const layer = kit.choice(root, "layer, from below", ["1", "2", "3"], 0, (v) => { state.chosen = v; settle(); });
  const title = (text) => kit.make("p", {}, text);
  root.append(
    kit.panels(
      [quick, layer, kernel, stride, rate, title("One output pixel (top), and what it reads, down to the image:"), tree],
      [title("The image pixels it sees:"), plane]),
    said);

  function draw() {
    const list = levels(state.layers), { size, seen, holes, stride, paths } = measure(state.layers);
    const places = list.map((level) => Math.max(...level.keys()));
    // Every level is drawn in pixels of the image, centred: a step of a higher level is wider by the strides below it.
    const scale = state.layers.reduce((all, layer) => [...all, all[all.length - 1] * layer[1]], [1]);
    const reach = Math.max(...places.map((p, l) => p * scale[l])), middle = (reach + 0.5) * side;
    const high = 3.4 * side * Math.max(1, size / 30), x = (level, at) => middle + at * scale[level] * side, y = (level) => (3 - level) * high;
    const most = list.map((level) => Math.max(...level.values()));
    tree.replaceChildren();
    tree.setAttribute("viewBox", `-1 -1 ${2 * middle + 2} ${3 * high + side + 2}`);
    tree.style.maxWidth = Math.min(24 / side, 180 / (3 * high + side)) * 2 * middle + "px";
    let lines = "";
    state.layers.forEach(function ([k, s, r], l) {
      for (const at of list[l + 1].keys()) for (let j = 0; j < k; j++) {
        lines += `M${x(l + 1, at)} ${y(l + 1) + side / 2}L${x(l, at * s + (j - (k - 1) / 2) * r)} ${y(l) + side / 2}`;
      }
    });
    tree.append(kit.make("path", { d: lines, class: "ep-faint", "stroke-width": side / 12 }));
    for (let i = -(size - 1) / 2; i <= (size - 1) / 2; i++) tree.append(kit.make("rect", { x: x(0, i) - side / 2, y: y(0), width: side - 0.6, height: side, class: "ep-faint", "stroke-width": 0.6 }));
    list.forEach(function (level, l) {
      for (const [at, count] of level) tree.append(kit.pixel(x(l, at) - side / 2, y(l), side - 0.6, kit.heat(0.25 + 0.7 * count / most[l])));
    });

    plane.replaceChildren();
    plane.setAttribute("viewBox", `-0.2 -0.2 ${size + 0.4} ${size + 0.4}`);
    plane.style.maxWidth = `min(${size * 24}px, var(--ep-most))`;
    let used = "";
    paths.forEach((a, i) => paths.forEach((b, j) => { if (a && b) used += `M${j} ${i}h.94v.94h-.94z`; }));
    plane.append(
      kit.make("rect", { width: size, height: size, class: "ep-faint", "stroke-width": size / 200 }),
      kit.make("path", { d: used, fill: options.colours.blue }));

    const weights = state.layers.reduce((sum, layer) => sum + layer[0] ** 2, 0), text = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
    const gaps = holes ? `It looks at ${seen} of them along a line and leaves ${text(holes, "hole")}: in two dimensions it sees ${seen * seen} of ${size * size} pixels.`
      : "It looks at every one of them.";
    said.say(`Field of view ${size} × ${size} pixels from ${text(weights, "weight")}.`, gaps, `Output stride ${stride}.`);
    tree.setAttribute("aria-label", `Paths from one output pixel to ${size} pixels of the image: ${paths.join(" ")}`);
    plane.setAttribute("aria-label", `Field of view of ${size} by ${size} pixels, ${size * size - seen * seen} of them not seen`);
  }
  settle();
  return { measure };
};
