// Take strides out of a trunk: the values it had stay as dots in their places, new ones appear between them.
const demo = function (root, options) {
  // options.values: [keeps its rate, takes the new one] → [stride 32, 16, 8] → rows of one channel's values.
  const strides = [32, 16, 8], ways = ["keeps its rate", "takes the new one"], state = { removed: 0, way: 0 };
  const old = options.values[0][0], finest = options.values[0][strides.length - 1].length;
  const largest = Math.max(...options.values.flat(3)), largestOld = Math.max(...old.flat());

  // How far the old values have moved, as a share of the largest of them.
  const moved = function (removed, way) {
    const map = options.values[way][removed], every = 2 ** removed;
    return Math.max(...old.flatMap((row, i) => row.map((value, j) => Math.abs(map[i * every][j * every] - value)))) / largestOld;
  };
  // The dots of a map in places of the finest one.
  const dots = function (removed, way) {
    const apart = finest / options.values[way][removed].length, rare = finest / old.length;
    return options.values[way][removed].flatMap((row, i) => row.map((value, j) => (
      { value, row: i * apart, column: j * apart, old: i * apart % rare === 0 && j * apart % rare === 0 })));
  };

  const plane = kit.make("svg", { role: "img", viewBox: `-0.1 -0.1 ${finest + 0.2} ${finest + 0.2}` });
  const meter = kit.make("svg", { role: "img", viewBox: "0 0 100 5", preserveAspectRatio: "none", style: "height:26px" }), reading = kit.make("p", {}), said = kit.said();
  const picture = kit.make("img", { src: options.picture, alt: "The picture: patches of grey ground among grass and sand", width: 104, height: 104 });
  plane.style.maxWidth = "300px";
  const removed = kit.slider("strides taken out", 0, strides.length - 1, 0, (v) => { state.removed = v; draw(); },
    { words: (v) => `${v}, output stride ${strides[v]}` });
  const way = kit.choice(root, "layer that lost its stride", ways, 0, (v) => { state.way = v; draw(); });
  root.append(kit.panels([removed, way, picture, reading, meter, said], plane));

  function draw() {
    const share = moved(state.removed, state.way), shown = dots(state.removed, state.way), percent = Math.round(100 * share);
    plane.replaceChildren();
    for (const dot of shown) {
      const colour = kit.heat(0.08 + 0.92 * dot.value / largest), x = dot.column + 0.5, y = dot.row + 0.5;
      plane.append(kit.make("circle", { cx: x, cy: y, r: dot.old ? 0.47 : 0.38, fill: kit.css(colour), stroke: "currentColor",
        "stroke-width": dot.old ? 0.09 : 0.03, "stroke-opacity": dot.old ? 1 : 0.5 }));
      if (dot.old) plane.append(kit.make("text", { x, y, style: `font-size:0.46px;fill:${kit.ink(colour)}` }, kit.short(Number(dot.value.toFixed(1)))));
    }
    meter.replaceChildren(
      kit.make("rect", { x: 0.2, y: 0.2, width: 99.6, height: 4.6, class: "ep-faint", "stroke-width": 0.4 }),
      kit.make("rect", { x: 0.2, y: 0.2, width: Math.min(99.6, 99.6 * share), height: 4.6, fill: options.wrong }));
    reading.textContent = `How far the old values have moved: ${percent} % of the largest`;
    const stride = strides[state.removed], count = `${shown.length} values at output stride ${stride}`;
    const verdict = state.removed === 0 ? "With every stride in its place there is nothing to compare yet." :
      percent === 0 ? `The ${old.flat().length} old ones, ringed, are what they were; the others are new, from the same weights.` :
        `The ${old.flat().length} old ones, ringed, are others now: this layer reads a map no finer than before, at twice its rate.`;
    said.say(`${count}.`, verdict);
    plane.setAttribute("aria-label", `${count}; the old ones: ${shown.filter((dot) => dot.old).map((dot) => dot.value).join(" ")}`);
    meter.setAttribute("aria-label", reading.textContent);
  }
  draw();
  return { moved, dots };
};
