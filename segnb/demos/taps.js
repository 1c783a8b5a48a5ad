// One kernel with holes, dragged over a map: which of its taps meet the map, and which lie in the padding?
const demo = function (root, options) {
  const state = { side: options.side, rate: options.rate, kernel: 3, row: 0, column: 0 };

  // Along one axis: how many of the kernel's taps lie on the map when its centre is at `at`.
  const along = (side, rate, kernel, at) => Array.from({ length: kernel }, (_, j) => at + (j - (kernel - 1) / 2) * rate).filter((p) => p >= 0 && p < side).length;
  const alive = (side, rate, kernel, row, column) => along(side, rate, kernel, row) * along(side, rate, kernel, column);
  // The mean over all places of the map.
  const mean = function (side, rate, kernel) {
    let sum = 0;
    for (let at = 0; at < side; at++) sum += along(side, rate, kernel, at);
    return (sum / side) ** 2;
  };

  const svg = kit.make("svg", { role: "application", tabindex: 0, style: "touch-action:none;cursor:grab" }), said = kit.said();
  const bar = kit.make("svg", { role: "img", viewBox: "0 0 100 5", preserveAspectRatio: "none", style: "height:26px" });
  const reading = kit.make("p", {});
  const settle = function () {
    for (const axis of ["row", "column"]) state[axis] = Math.min(state.side - 1, Math.max(0, state[axis]));
    draw();
  };
  const slide = (key, low, high, words, step = 1) => kit.slider(key === "side" ? "map's side" : key, low, high, state[key], (v) => { state[key] = v; settle(); }, { words, step });
  const rate = slide("rate", 1, 36, (v) => `rate ${v}`), side = slide("side", 6, 65, (v) => `a map of ${v} by ${v}`);
  const kernel = slide("kernel", 3, 5, (v) => `${v} by ${v} taps`, 2);
  const places = { "a corner": () => [0, 0], "an edge": (n) => [0, n >> 1], "the middle": (n) => [n >> 1, n >> 1] };
  const quick = kit.make("div", { class: "ep-row" });
  for (const [name, place] of Object.entries(places)) quick.append(kit.button("to " + name, function () {
    [state.row, state.column] = place(state.side);
    draw();
  }));
  root.append(kit.panels([rate, side, kernel, quick, reading, bar, said], svg));

  // The map, room for the padding around it (at most as much as the map is wide), and where one pixel of it is drawn.
  let low, wide;
  const draw = function () {
    const { side: n, rate: r, kernel: k, row, column } = state, reach = (k - 1) / 2, taps = k * k;
    const pad = Math.min(reach * r, Math.ceil(0.8 * n)), live = alive(n, r, k, row, column), average = mean(n, r, k);
    [low, wide] = [-pad - 0.5, n + 2 * pad + 1];
    svg.setAttribute("viewBox", `${low} ${low} ${wide} ${wide}`);
    svg.replaceChildren();
    const shades = new Map(), counts = Array.from({ length: n }, (_, i) => along(n, r, k, i));
    counts.forEach((a, i) => counts.forEach((b, j) => shades.set(a * b, (shades.get(a * b) || "") + `M${j} ${i}h.94v.94h-.94z`)));
    for (const [count, d] of shades) svg.append(kit.make("path", { d, fill: kit.css(kit.heat(0.1 + 0.8 * count / taps)) }));
    svg.append(kit.make("rect", { x: 0, y: 0, width: n, height: n, class: "ep-faint", "stroke-width": wide / 200 }));
    // Taps farther away than there is room are drawn at the edge of the picture.
    const size = Math.max(1, wide / 34), near = (at) => Math.min(wide + low - size, Math.max(low + size, at + 0.5));
    let rays = "";
    const dots = [];
    for (let i = -reach; i <= reach; i++) for (let j = -reach; j <= reach; j++) {
      const at = [row + i * r, column + j * r], meets = at.every((p) => p >= 0 && p < n), [y, x] = at.map(near);
      rays += `M${near(column)} ${near(row)}L${x} ${y}`;
      dots.push(kit.make("rect", { x: x - size / 2, y: y - size / 2, width: size, height: size, rx: size / 6, ...(meets ? { fill: options.colours.blue, class: "ep-tap", stroke: options.paper } :
        { fill: "none", class: "ep-faint" }), "stroke-width": size / 7 }));
    }
    svg.append(kit.make("path", { d: rays, class: "ep-faint", "stroke-width": wide / 400 }), ...dots);
    svg.append(kit.make("circle", { cx: near(column), cy: near(row), r: size * 0.9, fill: "none", stroke: options.colours.orange, "stroke-width": size / 3.5 }));
    bar.replaceChildren(
      kit.make("rect", { x: 0.2, y: 0.2, width: 99.6, height: 4.6, class: "ep-faint", "stroke-width": 0.4 }),
      kit.make("rect", { x: 0.2, y: 0.2, width: 99.6 * live / taps, height: 4.6, fill: options.colours.blue }));
    reading.textContent = `Taps on the map: ${live} of ${taps}`;
    const dead = r >= n ? `Rate ${r} is dead here: wherever the kernel stands, the centre alone meets the map.` : "";
    said.say(`Row ${row + 1}, column ${column + 1}: ${live} of ${taps} taps meet the map, ${taps - live} ${taps - live === 1 ? "lies" : "lie"} in the padding.`,
      `Over all places the mean is ${average.toFixed(1)}.`, dead);
    svg.setAttribute("aria-label", `A kernel of ${k} by ${k} at rate ${r} over a map of ${n} by ${n}. Drag it, or move it with the arrow keys. ${reading.textContent}.`);
    bar.setAttribute("aria-label", reading.textContent);
  };
  const to = function (event) {
    const box = svg.getBoundingClientRect(), at = (away, length) => Math.floor(low + away * wide / length);
    [state.row, state.column] = [at(event.clientY - box.top, box.height), at(event.clientX - box.left, box.width)];
    settle();
  };
  svg.addEventListener("pointerdown", function (event) { svg.setPointerCapture(event.pointerId); to(event); });
  svg.addEventListener("pointermove", function (event) { if (event.buttons) to(event); });
  svg.addEventListener("keydown", function (event) {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    state.row += move[0];
    state.column += move[1];
    settle();
  });
  [state.row, state.column] = [1, 1];
  draw();
  return { alive, mean, state };
};
