// The alignment ruler: where in the image do the centres of every map's pixels lie, and which of them are put together?
const demo = function (root, options) {
  // A map along one axis is { title, first, step }: its first pixel's centre and the way to the next, in pixels of the image.
  const after = (map, title, { step = map.step, by = 0 } = {}) => ({ title, step, first: map.first + by });
  const pooled = (map, title) => after(map, title, { step: 2 * map.step, by: map.step / 2 });
  const image = { title: "image", first: 0, step: 1 };

  // Each network → { maps, pairs: [{ title, cut, on }] }: the map `cut` loses its first pixels, so that it fits on map `on`.
  const nets = {
    // VGG16 whose first convolution is padded; a last one without padding; bilinear stamps, 2s wide for a factor s.
    fcn({ padding, poolings, kernel }) {
      const maps = [image, after(image, "conv1", { by: 1 - padding })];
      for (let i = 1; i <= poolings; i++) maps.push(pooled(maps.at(-1), "pool" + i));
      const score = after(maps.at(-1), "score", { by: maps.at(-1).step * (kernel - 1) / 2 });
      const up = (map, factor) => after(map, map.title.replace("score", "") + "×" + factor, { step: map.step / factor, by: -(factor - 0.5) * map.step / factor });
      const two = up(score, 2), four = up(two, 2), pool = (back) => maps.find((map) => map.title === "pool" + (poolings - back));
      const whole = (from, before) => ({ title: `${from.step}s, image`, cut: up(from, from.step), on: image, before });
      const pairs = [whole(score, []), { title: pool(1).title, cut: pool(1), on: two, before: [] }, whole(two, [two]),
        { title: pool(2).title, cut: pool(2), on: four, before: [two] }, whole(four, [two, four])];
      return { maps: [...maps.filter((map) => map.title !== "conv1"), score], pairs };
    },
    // Two convolutions a level, poolings, and stamps 2 wide that lie side by side.
    unet({ padding, poolings, kernel }) {
      const twice = (map, title) => after(map, title, { by: (kernel - 1 - 2 * padding) * map.step }), maps = [image];
      for (let i = 0; i < poolings; i++) maps.push(twice(i ? pooled(maps.at(-1), "") : image, "encoder." + i));
      maps.push(twice(pooled(maps.at(-1), ""), "bottom"));
      const pairs = [], ups = [];
      for (let i = 0, below = maps.at(-1); i < poolings; i++) {
        const up = after(below, "upconv." + i, { step: below.step / 2, by: -below.step / 4 });
        pairs.push({ title: "encoder." + (poolings - 1 - i), cut: maps[poolings - i], on: up, before: [...ups] });
        ups.push(up);
        below = twice(up, "decoder." + i);
        if (i === poolings - 1) pairs.push({ title: "mask", cut: { ...image, title: "mask" }, on: { ...below, title: "head" }, before: [...ups] });
      }
      return { maps, pairs };
    },
  };
  // The first pixel that is kept of one map, seen from the first of the other, in pixels of the image; and the right cut.
  const apart = (pair, crop) => pair.cut.first + crop * pair.cut.step - pair.on.first;
  const right = (pair) => (pair.on.first - pair.cut.first) / pair.cut.step;
  // The smallest image of which the last, unpadded kernel of an FCN finds a place. Poolings round up, as Caffe's.
  const smallest = ({ padding, poolings, kernel }) => Math.max(1, (kernel - 1) * 2 ** poolings + 3 - 2 * padding);
  // Tiles of 572 pixels in a valid U-Net: what one answers for, where its bottom begins, and a second tile's `step` later.
  const tiles = function (poolings, step) {
    const { maps, pairs } = nets.unet({ padding: 0, poolings, kernel: 3 }), bottom = maps.at(-1), margin = pairs.at(-1).on.first;
    const off = step % bottom.step, answers = 572 - 2 * margin;
    return { bottom, margin, answers, off: off > bottom.step / 2 ? off - bottom.step : off, twice: answers - step };
  };
  // How many of the small map's pixels, one stride apart, lie within half a kernel of each output pixel.
  const small = 7, reaches = (kernel, stride) => Array.from({ length: (small - 1) * stride + kernel }, (_, at) => (
    Array.from({ length: small }, (_, i) => i).filter((i) => i * stride <= at && at < i * stride + kernel)));

  const svg = kit.make("svg", { role: "img" }), said = kit.said(), state = { ...options.start, pair: 0, crops: [] }, rows = 24, left = 78;
  const ours = options.colours.blue, theirs = options.colours.orange, n = (x) => kit.short(x).replace("-", "−");
  const count = (x, word) => `${n(x)} ${word}${x === 1 ? "" : "s"}`;
  const slide = (key, label, low, high, words, step = 1) => kit.slider(label, low, high, state[key], (v) => { state[key] = v; draw(); }, { words, step });
  const pixels = (v) => count(v, "pixel"), several = (v) => count(v, "pooling"), square = (v) => `${v} by ${v}`, wide = (v) => `${v} wide`;

  // One row of the ruler: a map's pixels as cells with their centres, and which of them are lost.
  let scale, low, high, top;
  const x = (place) => left + (place - low) * scale;
  function drawRow(map, { lost = 0, colour = "currentColor", from = 0, to = Infinity } = {}) {
    const y = top + rows / 2, cell = map.step * scale, first = Math.max(from, Math.ceil((low - map.first) / map.step + 0.5));
    const last = Math.min(to, Math.floor((high - map.first) / map.step - 0.5));
    svg.append(kit.make("text", { x: 0, y, style: "text-anchor:start;font-size:13px" + (colour === "currentColor" ? "" : ";font-weight:bold") }, map.title));
    let edges = "", centres = "";
    for (let i = first; i <= last; i++) {
      const at = x(map.first + i * map.step);
      if (cell >= 4) edges += `M${at - cell / 2} ${y - 7}h${cell}v14h${-cell}z`;
      if (cell < 8 && i >= lost) centres += `M${at} ${y - 4}v8`;
      if (cell >= 8) svg.append(kit.make("circle", { cx: at, cy: y, r: 3.5, fill: i < lost ? "none" : colour, stroke: colour }));
    }
    if (cell < 4) edges = `M${x(map.first + (first - 0.5) * map.step)} ${y - 7}H${x(map.first + (last + 0.5) * map.step)}v14H${x(map.first + (first - 0.5) * map.step)}z`;
    svg.append(kit.make("path", { d: edges, class: "ep-faint" }), kit.make("path", { d: centres, stroke: colour, "stroke-width": Math.max(0.6, Math.min(2, 0.45 * cell)) }));
    top += rows;
    return y;
  }
  // Lines between pixels that are put together: upright where their centres are the same place.
  function join(one, other, yOne, yOther, step, straight) {
    const every = Math.max(1, Math.ceil(9 / (step * scale)));
    let d = "";
    for (let i = 0; Math.max(one(i), other(i)) <= high; i += every) if (Math.min(one(i), other(i)) >= low) d += `M${x(one(i))} ${yOne}L${x(other(i))} ${yOther}`;
    svg.append(kit.make("path", { d, stroke: straight ? ours : options.wrong, "stroke-width": straight ? 1.5 : 1.2 }));
  }
  function begin(from, to, count) {
    const width = Math.max(300, svg.getBoundingClientRect().width || 330);
    [low, high, top, scale] = [from, to, 0, (width - left - 2) / (to - from)];
    svg.setAttribute("viewBox", `0 0 ${width} ${count * rows + 2}`);
    svg.replaceChildren();
  }

  function drawNet() {
    const { maps, pairs } = nets[options.view](state);
    state.pair = Math.min(state.pair, pairs.length - 1);
    where.querySelectorAll("label").forEach(function (label, i) {
      label.hidden = i >= pairs.length;
      if (i < pairs.length) label.lastChild.textContent = pairs[i].title;
    });
    where.set(state.pair);
    const pair = pairs[state.pair], shown = [...maps, ...pair.before, ...[pair.on, pair.cut].filter((map) => ![...maps, ...pair.before].includes(map) && map !== image)];
    const from = Math.min(...shown.map((map) => map.first - map.step / 2)), to = Math.max(...shown.map((map) => map.first)) + 2.6 * maps.at(-1).step;
    const most = Math.min(100, Math.floor((to - from) / pair.cut.step));
    crop.querySelector("input").max = most;
    const cut = state.crops[state.pair] = Math.min(most, state.crops[state.pair] || 0), off = apart(pair, cut), fits = right(pair);
    crop.set(cut);

    begin(from, to, shown.length);
    const y = new Map(shown.map((map) => [map, drawRow(map, map === pair.cut ? { lost: cut, colour: ours } : map === pair.on ? { colour: theirs } : {})]));
    const one = (i) => pair.cut.first + (cut + i) * pair.cut.step, other = (i) => pair.on.first + i * pair.on.step;
    join(one, other, y.get(pair.cut), y.get(pair.on), pair.cut.step, off === 0);

    const names = [pair.cut.title, pair.on.title], lead = names[1] === "image" ? `The enlarged scores begin at ${n(pair.cut.first)}.` :
      `${names[0]} begins at ${n(pair.cut.first)}, ${names[1]} at ${n(pair.on.first)}, in pixels of the image.`;
    const own = pair.cut.step === 1 ? "" : `, ${n(Math.abs(off) / pair.cut.step)} of its own`, side = off < 0 ? "left" : "right";
    const verdict = off === 0 ? `Crop ${cut}: they meet. Every pixel lies on the one it belongs to.` : fits < 0 ?
      `No crop can make them meet: ${names[0]} begins ${count(-fits * pair.cut.step, "pixel")} too late.` :
      pair.on === image ? `Crop ${cut}: everything comes out ${count(Math.abs(off), "pixel")} too far ${off < 0 ? "right" : "left"}.` :
        `Crop ${cut}: what is put together lies ${count(Math.abs(off), "pixel")} apart${own}; ${names[0]} is taken too far ${side}.`;
    const least = options.view === "fcn" ? `Smallest image that fits: ${count(smallest(state), "pixel")}.` : "";
    said.say(lead, verdict, least);
    svg.setAttribute("aria-label", "Centres of the first pixels, in pixels of the image: " + shown.map((map) => `${map.title} ${n(map.first)}`).join(", "));
  }

  function drawTiles() {
    const seen = tiles(state.poolings, state.crop), { bottom, margin, answers, off } = seen, step = state.crop;
    const end = margin + answers, second = { ...bottom, title: "bottom 2", first: bottom.first + step };
    begin(end - 44, end + 52, 5);
    drawRow({ ...image, title: "picture" });
    const yOne = drawRow({ ...bottom, title: "bottom 1" }, { colour: theirs, from: -99 }), yTwo = drawRow(second, { colour: ours });
    join((i) => second.first + i * bottom.step, (i) => second.first + i * bottom.step - off, yTwo, yOne, bottom.step, off === 0);
    drawRow({ ...image, title: "output 1" }, { to: end - 1, colour: theirs });
    drawRow({ ...image, title: "output 2" }, { from: margin + step, colour: ours });
    const blocks = `${step} = ${Math.round((step - off) / bottom.step)} · ${bottom.step}` + (off ? ` ${off < 0 ? "−" : "+"} ${Math.abs(off)}` : "");
    const rest = seen.twice > 0 ? `${count(seen.twice, "pixel")} of the picture ${seen.twice === 1 ? "is" : "are"} answered twice${off ? ", and not alike." : ", alike both times."}` :
      seen.twice < 0 ? `For ${count(-seen.twice, "pixel")} between the tiles there is no answer.` : "Every pixel is answered once.";
    said.say(`A tile of 572 answers for ${answers}.`, `${blocks}: ` + (off ? `the second tile pools other pixels together than its neighbour, ${count(Math.abs(off), "pixel")} beside: a seam.` :
      "both tiles pool the same pixels together: no seam."), rest);
    svg.setAttribute("aria-label", `The bottom map's pixels of two tiles near pixel ${end} of the picture, ${off ? Math.abs(off) + " pixels apart" : "in the same places"}`);
  }

  function drawStamps() {
    const { kernel, stride } = state, all = reaches(kernel, stride), long = all.length, most = Math.max(...all.map((seen) => seen.length));
    at.querySelector("input").max = long - 1;
    state.at = Math.min(long - 1, state.at);
    at.set(state.at);
    const map = { title: "small map", first: (kernel - 1) / 2, step: stride }, hit = all[state.at];
    begin(-kernel / 2, Math.max(19, long) + kernel / 2, 5.2);
    top = rows / 2;
    svg.append(kit.make("rect", { x: x(state.at - kernel / 2), y: 2, width: kernel * scale, height: 2 * rows - 4, fill: ours, "fill-opacity": 0.22, stroke: ours }));
    const yMap = drawRow(map, { to: small - 1 });
    top += rows / 2;
    svg.append(...hit.map((i) => kit.make("path", { d: `M${x(map.first + i * stride)} ${yMap}L${x(state.at)} ${top + rows / 2}`, stroke: ours, "stroke-width": 1.5 })));
    drawRow({ ...image, title: "output" }, { to: long - 1 });
    svg.append(kit.make("circle", { cx: x(state.at), cy: top - rows / 2, r: 4.5, fill: ours }));
    svg.append(kit.make("text", { x: 0, y: top + rows, style: "text-anchor:start;font-size:13px" }, "stamps"));
    all.forEach((seen, p) => svg.append(kit.make("rect", { x: x(p - 0.5) + 0.5, y: top + 4, width: scale - 1, height: Math.max(1, 1.9 * rows * seen.length / most),
      fill: p === state.at ? ours : "currentColor", "fill-opacity": p === state.at ? 1 : 0.45 })));
    const share = kernel / stride, counts = [...new Set(all.slice(kernel - 1, (small - 1) * stride + 1).map((seen) => seen.length))].sort();
    said.say(`Output pixel ${state.at} gets ${count(hit.length, "stamp")}.`,
      `Seen from it: a window ${kernel} wide, over centres ${stride} apart.`,
      counts.length < 2 ? `${kernel}/${stride} = ${n(share)}: away from the border every window holds ${counts[0]}.` :
        `${kernel}/${stride} = ${n(share)}, no whole number: windows hold ${counts[0]} or ${counts[1]}, in turn.`);
    svg.setAttribute("aria-label", `Stamps on each output pixel: ${all.map((seen) => seen.length).join(" ")}`);
  }

  const draw = () => ({ tiles: drawTiles, stamps: drawStamps }[options.view] || drawNet)();
  const deepest = { fcn: 5 }[options.view] || 4, shallowest = { fcn: 3 }[options.view] || 1;
  const names = options.view === "fcn" ? ["32s, image", "pool4", "16s, image", "pool3", "8s, image"] : ["encoder.3", "encoder.2", "encoder.1", "encoder.0", "mask"];
  const where = kit.choice(root, options.view === "fcn" ? "crop for" : "crop of", names, 0, (v) => { state.pair = v; draw(); });
  const crop = kit.slider("crop", 0, 100, 0, (v) => { state.crops[state.pair] = v; draw(); }, { words: (v) => count(v, "pixel") + " cut off" });
  const at = options.view === "stamps" && slide("at", "output pixel", 0, 19, (v) => `output pixel ${v}`);
  const poolings = () => slide("poolings", "poolings", shallowest, deepest, several);
  const controls = {
    fcn: () => [[crop, slide("padding", "padding", 1, 100, pixels)], [poolings(), slide("kernel", "last kernel", 1, 7, square, 2)]],
    unet: () => [[crop, slide("padding", "padding", 0, 1, pixels)], [poolings(), slide("kernel", "kernel", 1, 3, square, 2)]],
    tiles: function () {
      const step = slide("crop", "step", 368, 400, (v) => `a tile every ${v} pixels`);
      const levels = kit.slider("poolings", 1, 4, state.poolings, function (v) {
        state.poolings = v;
        state.crop = tiles(v, 1).answers;
        Object.assign(step.querySelector("input"), { min: state.crop - 20, max: state.crop + 12 });
        step.set(state.crop);
        draw();
      }, { words: several });
      return [[step], [levels]];
    },
    stamps: () => [[at, slide("kernel", "kernel", 1, 8, wide)], [slide("stride", "stride", 1, 4, (v) => `stamps ${v} apart`)]],
  }[options.view]();
  root.append(...(options.view in nets ? [where] : []), kit.panels(...controls), svg, said);
  new ResizeObserver(draw).observe(root);
  draw();
  return { nets, apart, right, smallest, tiles, reaches };
};
