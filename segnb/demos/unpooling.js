// Max pooling remembers where its maxima were; four ways up again from the same numbers, to a size that one has to know.
const demo = function (root, options) {
  const side = 30, gap = 22, head = 26, state = { maps: options.maps, size: options.size, round: 0, told: 1, step: 0, way: 0 };
  const ways = ["max unpooling", "nearest", "bilinear", "transposed convolution"];
  const stamp = [[1, 0.5], [0.5, 0.25]];  // weights a transposed convolution might have learned
  const square = (n, value) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => value(i, j)));

  // 2×2 max pooling: the values and, for each, its place in the map as [row, column]; the first one if several are equal.
  // An odd map's last row and column are windows of their own (up), or nobody's (down).
  const pool = function (map, round = 0) {
    const n = map.length, half = round ? n >> 1 : (n + 1) >> 1;
    const places = square(half, function (i, j) {
      const window = [[0, 0], [0, 1], [1, 0], [1, 1]].map(([a, b]) => [2 * i + a, 2 * j + b]).filter(([a, b]) => a < n && b < n);
      return window.reduce((best, at) => (map[at[0]][at[1]] > map[best[0]][best[1]] ? at : best));
    });
    return { places, values: square(half, (i, j) => map[places[i][j][0]][places[i][j][1]]), n };
  };
  // Where unpooling to `size` puts each value: its index, counted row by row in the map, is read in rows of `size`. Null
  // where there is no such pixel.
  const homes = ({ places, n }, size) => places.flat().map(function ([a, b]) {
    const index = a * n + b;
    return index < size * size ? [Math.floor(index / size), index % size] : null;
  });
  const up = {
    unpool(pooled, size) {
      const out = square(size, () => 0), values = pooled.values.flat();
      homes(pooled, size).forEach((home, k) => { if (home) out[home[0]][home[1]] = values[k]; });
      return out;
    },
    nearest: ({ values }, size) => square(size, (i, j) => values[Math.floor(i * values.length / size)][Math.floor(j * values.length / size)]),
    bilinear({ values }, size) {  // align_corners=False: pixel i's centre lies at (i + ½)·small/size − ½ of the small map
      const small = values.length, share = small / size;
      const near = function (i) { const x = Math.max(0, (i + 0.5) * share - 0.5), a = Math.floor(x); return [[a, 1 - (x - a)], [Math.min(small - 1, a + 1), x - a]]; };
      return square(size, (i, j) => near(i).reduce((sum, [p, a]) => sum + near(j).reduce((s, [q, b]) => s + a * b * values[p][q], 0), 0));
    },
    transposed({ values }, size) {
      const at = (i, j) => (i >> 1 < values.length && j >> 1 < values.length ? values[i >> 1][j >> 1] * stamp[i % 2][j % 2] : 0);
      return square(size, at);
    },
  };
  const ascend = (pooled, way, size = 2 * pooled.values.length) => Object.values(up)[way](pooled, size);

  const said = kit.said(), svg = kit.make("svg"), cells = kit.make("g"), tokens = kit.make("g", { "pointer-events": "none" });
  svg.append(cells, tokens);
  const done = ["the map", "the largest of each window", "pooled", "up again"];
  const steps = kit.slider("step", 0, 3, 0, (v) => { state.step = v; draw(); }, { words: (v) => `${v}, ${done[v]}` });
  const show = function (key, value) {
    state[key] = value;
    if (key === "size" || key === "round") own();
    if (key !== "size") steps.set(state.step = 3);
    draw();
  };
  // Unpooling is told one of three sizes, around twice the pooled map's; at first the map's own.
  const halfOf = () => (state.round ? state.size >> 1 : (state.size + 1) >> 1);
  const own = () => told.set(state.told = state.size - 2 * halfOf() + 1);
  const odd = kit.choice(root, "half is rounded", ["up", "down"], 0, (v) => show("round", v));
  const told = kit.choice(root, "size it is told", ["3", "4", "5"], 1, (v) => show("told", v));
  root.append(
    steps,
    kit.choice(root, "way up", ways, 0, (v) => show("way", v)),
    kit.choice(root, "map's side", ["4", "5"], state.size - 4, (v) => show("size", v + 4)),
    odd, told, svg, said);
  const area = { rows: 4, columns: 4, side, top: head, label: "Map of numbers", said, describe: (i, j) => String(state.maps[state.size][i][j]),
    press(i, j) { const map = state.maps[state.size]; map[i][j] = (map[i][j] + 1) % 10; draw(); said.point(`Now ${map[i][j]}.`); } };
  kit.field(svg, area);

  // The maxima as tokens of their own, which move from panel to panel.
  const moving = Array.from({ length: 9 }, function () {
    const token = kit.make("g", { class: "ep-move" });
    tokens.append(token);
    return token;
  });

  function draw() {
    const { size, step, way } = state, map = state.maps[size], pooled = pool(map, state.round), places = pooled.places.flat(), values = pooled.values.flat();
    const half = pooled.values.length, want = 2 * half - 1 + state.told, result = ascend(pooled, way, want), home = homes(pooled, want);
    area.rows = area.columns = size;
    odd.hidden = size % 2 === 0;
    told.querySelectorAll("label").forEach((label, i) => { label.lastChild.textContent = String(2 * half - 1 + i); });

    // Map, pooled map and result in a row; where there is no room for that, the result below.
    const narrow = size === 5 && root.getBoundingClientRect().width < 460, at = [[0, head], [size * side + gap, head], [(size + half) * side + 2 * gap, head]];
    if (narrow) at[2] = [0, size * side + 2 * head];
    const wide = narrow ? Math.max(size + half, want) * side + gap : at[2][0] + Math.max(want, size) * side, high = narrow ? at[2][1] + want * side : head + Math.max(want, size) * side;
    svg.setAttribute("viewBox", `-2 0 ${wide + 4} ${high + 4}`);
    svg.style.maxWidth = (narrow ? 0.9 : 1.36) * wide + "px";
    const seats = places.map((_, k) => [at[1][0] + (k % half) * side, at[1][1] + (1 + Math.floor(k / half)) * side]);
    const colour = (x) => kit.heat(0.1 + 0.09 * x), isMax = (i, j) => places.some(([a, b]) => a === i && b === j);
    const isHome = (i, j) => home.some((one) => one && one[0] === i && one[1] === j);
    cells.replaceChildren();
    ["map", "pooled", way === 3 ? "transposed" : ways[way]].forEach((text, k) => {
      const middle = at[k][0] + [size, half, want][k] / 2 * side;
      cells.append(kit.make("text", { x: middle, y: at[k][1] - 12, style: "font-size:13px" }, text));
    });
    map.forEach((row, i) => row.forEach((x, j) => cells.append(kit.pixel(j * side, head + i * side, side - 1, step && !isMax(i, j) ? null : colour(x), kit.short(x), 15))));
    result.forEach((row, i) => row.forEach(function (x, j) {
      const known = step === 3 && !(way === 0 && isHome(i, j));
      cells.append(kit.pixel(at[2][0] + j * side, at[2][1] + i * side, side - 1, known && x > 0 ? colour(x) : null, known ? kit.short(x) : "", x % 1 ? 12 : 15));
    }));
    for (const seat of seats) cells.append(kit.pixel(...seat, side - 1, null));
    if (step) {
      let lines = "";
      for (let i = 2; i < size; i += 2) lines += `M${i * side - 0.5} ${head}v${size * side}M0 ${head + i * side - 0.5}h${size * side}`;
      cells.append(kit.make("path", { class: "ep-faint", "stroke-width": 2, d: lines }));
    }
    tokens.querySelectorAll(".ep-moved").forEach((frame) => frame.remove());
    moving.forEach(function (token, k) {
      token.style.visibility = step && k < places.length ? "visible" : "hidden";
      if (k >= places.length) return;
      const [a, b] = places[k], start = [b * side, head + a * side], end = home[k] ? [at[2][0] + home[k][1] * side, at[2][1] + home[k][0] * side] : seats[k];
      const [x, y] = step < 2 ? start : step === 2 || way ? seats[k] : end;
      token.style.transform = `translate(${x}px, ${y}px)`;
      token.replaceChildren(kit.pixel(0, 0, side - 1, colour(values[k]), kit.short(values[k]), 15));
      if (step > 1) cells.append(kit.pixel(...start, side - 1, colour(values[k]), kit.short(values[k]), 15));
      if (step === 3 && way === 0) cells.append(kit.pixel(...seats[k], side - 1, colour(values[k]), kit.short(values[k]), 15));
      // A maximum that is back in another place than its own is framed, there and where it came from.
      if (step === 3 && way === 0 && String(home[k]) !== String(places[k])) for (const [left, top] of [start, end]) {
        tokens.append(kit.make("rect", { x: left, y: top, width: side - 1, height: side - 1, fill: "none", stroke: options.wrong, "stroke-width": 3, class: "ep-moved" }));
      }
    });
    const where = places.map(([a, b], k) => `${values[k]} from row ${a + 1}, column ${b + 1}`).join("; ");
    const rows = result.map((row) => row.map(kit.short).join(" ")).join(" / ");
    const moved = home.filter((one, k) => String(one) !== String(places[k])).length, lost = home.filter((one) => !one).length;
    const verdict = lost ? `torch stops here: ${lost === 1 ? "an index lies" : lost + " indices lie"} beyond the ${want} × ${want} pixels.` :
      moved ? `${moved} of ${places.length} stand in the wrong place, and torch says nothing: an index counted in rows of ${size} was read in rows of ${want}.` :
        `Each number is back in its own place${size % 2 && state.round ? ", and nothing in the last row and column" : "; the others are 0"}.`;
    said.say([
      `A map of ${size} × ${size} numbers. Press one to change it, or move the step.`,
      `The largest number of each 2 × 2 window: ${values.join(", ")}.` + (size % 2 === 0 ? "" : state.round ? " The last row and column belong to none." : " The last windows are cut off by the border."),
      `Pooled, and remembered: ${where}.`,
      `${ways[way]}: ${rows}.`,
    ][step], step < 3 ? "" : [verdict, "Each number fills its window; where it came from is lost.",
      "A smooth slope; where the numbers came from is lost.", "Each number stamps the same learned 2 × 2 kernel (here 1, ½, ½, ¼); where it came from is lost."][way]);
  }
  own();
  new ResizeObserver(draw).observe(root);
  draw();
  return { pool, homes, ascend };
};
