// Max pooling remembers where its maxima were; four ways up again from the same four numbers.
const demo = function (root, options) {
  const side = 30, gap = 22, state = { map: options.map, step: 0, way: 0 };
  const ways = ["max unpooling", "nearest", "bilinear", "transposed convolution"];
  const stamp = [[1, 0.5], [0.5, 0.25]];  // weights a transposed convolution might have learned
  const square = (n, value) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => value(i, j)));

  // 2×2 max pooling: the values and, for each, its place in the map as [row, column]; the first one if several are equal.
  const pool = function (map) {
    const places = square(2, function (i, j) {
      const window = [[0, 0], [0, 1], [1, 0], [1, 1]].map(([a, b]) => [2 * i + a, 2 * j + b]);
      return window.reduce((best, at) => (map[at[0]][at[1]] > map[best[0]][best[1]] ? at : best));
    });
    return { places, values: square(2, (i, j) => map[places[i][j][0]][places[i][j][1]]) };
  };
  const up = {
    unpool({ places, values }) {
      const out = square(4, () => 0);
      places.flat().forEach(([a, b], k) => { out[a][b] = values.flat()[k]; });
      return out;
    },
    nearest: ({ values }) => square(4, (i, j) => values[i >> 1][j >> 1]),
    bilinear({ values }) {  // align_corners=False: the centre of output pixel i lies at (i + ½)/2 − ½ of the small map
      const between = function (i) { const x = Math.min(1, Math.max(0, (i + 0.5) / 2 - 0.5)); return [1 - x, x]; };
      return square(4, (i, j) => between(i).reduce((sum, a, p) => sum + between(j).reduce((s, b, q) => s + a * b * values[p][q], 0), 0));
    },
    transposed: ({ values }) => square(4, (i, j) => values[i >> 1][j >> 1] * stamp[i % 2][j % 2]),
  };
  const ascend = (pooled, way) => Object.values(up)[way](pooled);

  const left = [0, 4 * side + gap, 6 * side + 2 * gap], width = 10 * side + 2 * gap, said = kit.said();
  const svg = kit.make("svg", { viewBox: `-2 -24 ${width + 4} ${4 * side + 28}` });
  const cells = kit.make("g"), tokens = kit.make("g", { "pointer-events": "none" });
  svg.append(cells, tokens);
  const done = ["the map", "the largest of each window", "pooled", "up again"];
  const steps = kit.slider("step", 0, 3, 0, (v) => { state.step = v; draw(); }, { words: (v) => `${v}, ${done[v]}` });
  root.append(
    steps,
    kit.choice(root, "way up", ways, 0, (v) => { state.way = v; state.step = 3; steps.set(3); draw(); }),
    svg, said);
  const describe = (i, j) => String(state.map[i][j]);
  kit.field(svg, { rows: 4, columns: 4, side, label: "Map of 4 by 4 numbers", describe, said,
    press(i, j) { state.map[i][j] = (state.map[i][j] + 1) % 10; draw(); said.point(`Now ${state.map[i][j]}.`); } });

  // The four maxima as tokens of their own, which move from panel to panel.
  const moving = [0, 1, 2, 3].map(function () {
    const token = kit.make("g", { class: "ep-move" });
    tokens.append(token);
    return token;
  });

  function draw() {
    const { map, step, way } = state, pooled = pool(map), places = pooled.places.flat(), values = pooled.values.flat();
    const result = ascend(pooled, way), colour = (x) => kit.heat(0.1 + 0.09 * x);
    const isMax = (i, j) => places.some(([a, b]) => a === i && b === j);
    cells.replaceChildren();
    ["map", "pooled", ways[way]].forEach((text, k) => {
      const middle = left[k] + (k === 1 ? 1 : 2) * side;
      cells.append(kit.make("text", { x: middle, y: -12, style: "font-size:13px" }, k === 2 && way === 3 ? "transposed" : text));
    });
    for (let i = 0; i < 4; i++) for (let j = 0; j < 4; j++) {
      cells.append(kit.pixel(j * side, i * side, side - 1, step && !isMax(i, j) ? null : colour(map[i][j]), kit.short(map[i][j]), 15));
      const known = step === 3 && !(way === 0 && isMax(i, j)), x = result[i][j];
      cells.append(kit.pixel(left[2] + j * side, i * side, side - 1, known && x > 0 ? colour(x) : null, known ? kit.short(x) : "", x % 1 ? 12 : 15));
    }
    for (let i = 0; i < 4; i++) cells.append(kit.pixel(left[1] + (i % 2) * side, (1 + (i >> 1)) * side, side - 1, null));
    if (step) cells.append(kit.make("path", { class: "ep-faint", "stroke-width": 2, d: `M${2 * side - 0.5} 0v${4 * side}M0 ${2 * side - 0.5}h${4 * side}` }));
    moving.forEach(function (token, k) {
      const [a, b] = places[k], seat = [left[1] + (k % 2) * side, (1 + (k >> 1)) * side];
      const home = [left[2] + b * side, a * side], start = [b * side, a * side];
      const [x, y] = step < 2 ? start : step === 2 || way ? seat : home;
      token.style.transform = `translate(${x}px, ${y}px)`;
      token.replaceChildren(kit.pixel(0, 0, side - 1, colour(values[k]), kit.short(values[k]), 15));
      token.style.visibility = step ? "visible" : "hidden";
      if (step > 1) cells.append(kit.pixel(b * side, a * side, side - 1, colour(values[k]), kit.short(values[k]), 15));
      if (step === 3 && way === 0) cells.append(kit.pixel(...seat, side - 1, colour(values[k]), kit.short(values[k]), 15));
    });
    const where = places.map(([a, b], k) => `${values[k]} from row ${a + 1}, column ${b + 1}`).join("; ");
    const rows = result.map((row) => row.map(kit.short).join(" ")).join(" / ");
    said.say([
      "A map of 4 × 4 numbers. Press one to change it, or move the step.",
      `The largest number of each 2 × 2 window: ${values.join(", ")}.`,
      `Pooled, and remembered: ${where}.`,
      `${ways[way]}: ${rows}.`,
    ][step], step < 3 ? "" : ["Each number is back in its own place; the others are 0.", "Each number fills its window; where it came from is lost.",
      "A smooth slope; where the numbers came from is lost.", "Each number stamps the same learned 2 × 2 kernel (here 1, ½, ½, ¼); where it came from is lost."][way]);
  }
  draw();
  return { pool, ascend };
};
