// Ask a trained network: paint on a picture, and every stage of the net answers while one draws.
const demo = function (root, options) {
  root.classList.add("ep-ask");
  root.style.setProperty("--ep-ratio", options.programs[0].image[2] / options.programs[0].image[1]);
  const parts = engine(), [channels, high, wide] = options.programs[0].image, size = high * wide;
  const state = { picture: 0, tool: "paint", colour: 0, brush: 1, variant: 0, stage: null, map: null, question: 0, at: [high >> 1, wide >> 1] };
  const born = performance.now();
  let ready = 0, original = null, pixels = null, reply = null, source = null, held = null;
  const canvas = function (width = wide, height = high, about = {}) {
    return kit.make("canvas", { width, height, ...about });
  };
  const heat = Array.from({ length: 256 }, (_, v) => kit.heat(v / 255));
  // rgb(p): the colour of pixel p, or null for none.
  const draw = function (where, rows, columns, rgb) {
    where.width = columns;
    where.height = rows;
    const image = new ImageData(columns, rows);
    for (let p = 0; p < rows * columns; p++) {
      const colour = rgb(p);
      if (colour) image.data.set([colour[0], colour[1], colour[2], 255], 4 * p);
    }
    where.getContext("2d").putImageData(image, 0, 0);
  };
  const copyOf = (p) => pixels.subarray(4 * p, 4 * p + 3);
  const program = () => options.programs[state.variant];
  const stages = () => Object.entries(program().stages).filter(([, k]) => program().steps[k - 1].op !== "unpool");

  // --- the net: in a Worker of its own, or here where a page may have none -------------------------------------------
  let busy = false, waiting = false, fresh = true, turn = 0, handle = null;
  const receive = function (said) {
    busy = false;
    reply = said;
    show();
    ready = ready || performance.now() - born;
    if (waiting) ask();
  };
  const start = function () {
    const load = { programs: options.programs, weights: parts.bytes(options.weights).buffer, kernel: parts.bytes(options.kernel) };
    const here = function () {
      const answer = serve((said) => setTimeout(receive, 0, said));
      handle = (message) => setTimeout(answer, 0, message);
      handle({ load });
    };
    try {
      const text = `const engine = ${engine}, serve = ${serve}, answer = serve(postMessage); onmessage = (event) => answer(event.data);`;
      const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
      worker.onmessage = (event) => receive(event.data);
      worker.onerror = function (event) { event.preventDefault(); here(); busy = false; ask(); };
      handle = (message) => worker.postMessage(message);
      handle({ load });
    } catch (refused) { here(); }
  };
  // Only the newest picture counts: what changes while the net is at work is asked when it is done.
  const ask = function () {
    waiting = busy;
    if (busy || !pixels) return;
    busy = true;
    const image = new Float32Array(channels * size);
    for (let c = 0; c < channels; c++) for (let p = 0; p < size; p++) image[c * size + p] = pixels[4 * p + c] / 255;
    handle({ run: { network: state.variant, image, stage: state.stage, maps: 6, fresh, turn: ++turn } });
    fresh = false;
  };

  // --- pictures --------------------------------------------------------------------------------------------------------
  const choose = function (image, index) {
    const field = canvas(), context = field.getContext("2d", { willReadFrequently: true });
    const scale = Math.max(wide / image.width, high / image.height), w = image.width * scale, h = image.height * scale;
    context.drawImage(image, (wide - w) / 2, (high - h) / 2, w, h);
    original = context.getImageData(0, 0, wide, high).data;
    if (channels === 1) for (let p = 0; p < size; p++) original.fill(0.299 * original[4 * p] + 0.587 * original[4 * p + 1] + 0.114 * original[4 * p + 2], 4 * p, 4 * p + 3);
    state.picture = index;
    thumbs.querySelectorAll("button").forEach((button, i) => button.setAttribute("aria-pressed", i === index));
    again();
  };
  const again = function () {
    pixels = original.slice();
    source = held = null;
    fresh = true;
    paint();
    ask();
  };
  const thumbs = kit.make("div", { class: "ep-pictures", role: "group", "aria-label": "pictures" });
  const loaded = options.pictures.map(function (src, i) {
    const image = new Image(), small = canvas(), button = kit.make("button", { type: "button", "aria-label": `picture ${i + 1}`, onclick() { choose(image, i); } }, small);
    image.onload = function () { small.getContext("2d").drawImage(image, 0, 0); if (i === 0) choose(image, 0); };
    image.src = src;
    thumbs.append(button);
    return image;
  });
  const file = kit.make("input", { type: "file", accept: "image/*", hidden: true, onchange() {
    const image = new Image(), url = URL.createObjectURL(file.files[0]);
    image.onload = function () { choose(image, -1); URL.revokeObjectURL(url); };
    image.onerror = function () { said.point("This file is no picture that the browser can read."); };
    image.src = url;
  } });
  thumbs.append(kit.button("your own …", () => file.click()), file, kit.button("undo all", () => original && again()));

  // --- brushes ---------------------------------------------------------------------------------------------------------
  const tools = kit.make("div", { class: "ep-tools", role: "group", "aria-label": "brushes" });
  const help = { paint: "Draw on the picture.", erase: "Rub your changes out.", blur: "Rub until it is soft.", copy: "Press what to copy, then draw it elsewhere.",
    move: "Take hold of a thing and drag it.", look: "Point at a pixel." };
  const choices = Object.keys(help).map((tool) => kit.button(tool, function () { state.tool = tool; source = held = null; mark(); said.point(help[tool]); }));
  const colours = options.swatches.map(([name, rgb], i) => kit.make("button", { type: "button", class: "ep-colour", "aria-label": `the colour of ${name}`, title: name,
    style: `background:${kit.css(rgb)}`, onclick() { state.colour = i; state.tool = "paint"; mark(); } }));
  const brush = kit.make("button", { type: "button", "aria-label": "size of the brush", onclick() { state.brush = (state.brush + 1) % 3; mark(); } });
  tools.append(...choices, brush, ...colours);
  const mark = function () {
    choices.forEach((button) => button.setAttribute("aria-pressed", button.textContent === state.tool));
    colours.forEach((button, i) => button.setAttribute("aria-pressed", i === state.colour && state.tool === "paint"));
    brush.textContent = ["fine", "medium", "broad"][state.brush];
    picture.style.touchAction = state.tool === "look" ? "manipulation" : "none";
  };
  const radius = () => (wide / 64) * [1, 2.5, 5][state.brush];
  const disk = function ([row, column], change) {
    const r = radius();
    for (let i = Math.max(0, Math.ceil(row - r)); i <= Math.min(high - 1, row + r); i++) {
      for (let j = Math.max(0, Math.ceil(column - r)); j <= Math.min(wide - 1, column + r); j++) {
        if ((i - row) ** 2 + (j - column) ** 2 <= r * r) pixels.set(change(i, j), 4 * (i * wide + j));
      }
    }
  };
  const around = function (from, i, j) {  // the mean of 5 × 5 pixels
    const sum = [0, 0, 0];
    let count = 0;
    for (let a = Math.max(0, i - 2); a <= Math.min(high - 1, i + 2); a++) for (let b = Math.max(0, j - 2); b <= Math.min(wide - 1, j + 2); b++, count++) {
      for (let c = 0; c < 3; c++) sum[c] += from[4 * (a * wide + b) + c];
    }
    return sum.map((total) => total / count);
  };
  // The connected patch of one class around a pixel, as the net sees it.
  const thing = function (at) {
    const { classes } = answer(), first = at[0] * wide + at[1], patch = new Set([first]), open = [first];
    while (open.length) {
      const p = open.pop();
      for (const q of [p - wide, p + wide, ...(p % wide ? [p - 1] : []), ...((p + 1) % wide ? [p + 1] : [])]) {
        if (q >= 0 && q < size && classes[q] === classes[first] && !patch.has(q)) { patch.add(q); open.push(q); }
      }
    }
    return [...patch];
  };
  // Where it stood, each row goes on from what is left and right of it.
  const takeOut = function (patch) {
    const gone = new Set(patch), under = pixels.slice();
    for (const p of patch) {
      let left = p, right = p;
      while (left % wide && gone.has(left)) left--;
      while ((right + 1) % wide && gone.has(right)) right++;
      if (gone.has(left)) left = right;
      if (gone.has(right)) right = left;
      const share = right > left ? (p - left) / (right - left) : 0;
      for (let c = 0; c < 3; c++) under[4 * p + c] = pixels[4 * left + c] * (1 - share) + pixels[4 * right + c] * share;
    }
    return under;
  };
  const stroke = function (at, first) {
    state.at = at;
    const { tool } = state, before = pixels.slice();
    if (tool === "paint") disk(at, () => options.swatches[state.colour][1]);
    if (tool === "erase") disk(at, (i, j) => original.subarray(4 * (i * wide + j), 4 * (i * wide + j) + 3));
    if (tool === "blur") disk(at, (i, j) => around(before, i, j));
    if (tool === "copy") {
      if (first && !source) { source = { from: at }; said.point("Copied. Now draw where it is to go."); }
      else if (source) {
        if (first && !source.by) source.by = [source.from[0] - at[0], source.from[1] - at[1]];
        if (source.by) disk(at, function (i, j) {
          const p = 4 * (Math.min(high - 1, Math.max(0, i + source.by[0])) * wide + Math.min(wide - 1, Math.max(0, j + source.by[1])));
          return before.subarray(p, p + 3);
        });
      }
    }
    if (tool === "move" && reply) {
      if (first) { const patch = thing(at); held = { at, patch, from: pixels.slice(), under: takeOut(patch) }; }
      else if (held) {
        const [down, right] = [at[0] - held.at[0], at[1] - held.at[1]];
        pixels.set(held.under);
        for (const p of held.patch) {
          const i = Math.floor(p / wide) + down, j = (p % wide) + right;
          if (i >= 0 && i < high && j >= 0 && j < wide) pixels.set(held.from.subarray(4 * p, 4 * p + 3), 4 * (i * wide + j));
        }
      }
    }
    paint();
    point();
    if (tool !== "look") ask();
  };

  // --- the picture and the answer --------------------------------------------------------------------------------------
  const picture = canvas(wide, high, { tabindex: 0, role: "application", "aria-label": "The picture. Arrow keys move, space draws." });
  const mask = canvas(wide, high, { role: "img", "aria-label": "What the net says" });
  const overlay = () => kit.make("svg", { viewBox: `0 0 ${wide} ${high}`, "aria-hidden": "true" });
  const [over, overMask] = [overlay(), overlay()];
  const under = function (event, element) {
    const box = element.getBoundingClientRect();
    return [[event.clientY - box.top, box.height, high], [event.clientX - box.left, box.width, wide]]
      .map(([x, length, count]) => Math.min(count - 1, Math.max(0, Math.floor((x * count) / length))));
  };
  let last = null;
  picture.addEventListener("pointerdown", function (event) {
    if (!pixels) return;
    picture.setPointerCapture(event.pointerId);
    last = under(event, picture);
    stroke(last, true);
  });
  picture.addEventListener("pointermove", function (event) {
    if (!pixels) return;
    const at = under(event, picture);
    if (!event.buttons || !last) { state.at = at; return point(); }
    // A quick hand skips pixels; a line has none missing.
    const steps = state.tool === "move" ? 1 : Math.max(1, Math.ceil(Math.hypot(at[0] - last[0], at[1] - last[1]) / Math.max(1, radius())));
    for (let n = 1; n <= steps; n++) stroke([0, 1].map((axis) => Math.round(last[axis] + ((at[axis] - last[axis]) * n) / steps)), false);
    last = at;
  });
  picture.addEventListener("pointerup", function () { last = null; if (state.tool === "copy" && source && source.by) source = null; });
  for (const kind of ["pointerdown", "pointermove"]) mask.addEventListener(kind, function (event) { state.at = under(event, mask); point(); });
  picture.addEventListener("keydown", function (event) {
    const move = { ArrowUp: [-2, 0], ArrowDown: [2, 0], ArrowLeft: [0, -2], ArrowRight: [0, 2] }[event.key];
    if (move) {
      const at = [Math.min(high - 1, Math.max(0, state.at[0] + move[0])), Math.min(wide - 1, Math.max(0, state.at[1] + move[1]))];
      if (held) stroke(at, false);
      else { state.at = at; point(true); }
    } else if (event.key === " " || event.key === "Enter") {
      if (held) held = null;
      else stroke(state.at, true);
    } else return;
    event.preventDefault();
  });
  const paint = () => draw(picture, high, wide, copyOf);

  // The logits as classes, −1 where the net gives none because it lost its margin.
  let answered = null;
  const answer = function () {
    if (answered && answered.reply === reply) return answered;
    const [count, rows, columns] = reply.shape, top = (high - rows) >> 1, left = (wide - columns) >> 1, classes = new Int16Array(size).fill(-1);
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
      let best = 0;
      for (let k = 1; k < count; k++) if (reply.logits[(k * rows + i) * columns + j] > reply.logits[(best * rows + i) * columns + j]) best = k;
      classes[(i + top) * wide + j + left] = best;
    }
    answered = { reply, classes, top, left };
    return answered;
  };
  const probabilities = function ([row, column]) {
    const [count, rows, columns] = reply.shape, { top, left } = answer(), i = row - top, j = column - left;
    if (i < 0 || j < 0 || i >= rows || j >= columns) return null;
    const z = Array.from({ length: count }, (_, k) => reply.logits[(k * rows + i) * columns + j]), most = Math.max(...z);
    const powers = z.map((x) => Math.exp(x - most)), sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((x) => x / sum);
  };

  // --- the network, stage by stage -------------------------------------------------------------------------------------
  const network = kit.make("div", { class: "ep-stages", role: "group", "aria-label": "stages of the network" });
  const maps = kit.make("div", { class: "ep-maps", role: "group", "aria-label": "liveliest maps of this stage" }), bars = kit.make("div", { class: "ep-bars", role: "img", "aria-label": "no answer yet" });
  const patch = canvas(8, 8, { role: "img", "aria-label": "what this pixel of the map sees" });
  // encoder.0 keeps its number; backbone.layer1 is layer1, for there is not much room. A line may break after . and _.
  const brief = function (name) {
    const [last, before] = name.split(".").reverse();
    const short = before && /^\d+$/.test(last) ? `${before.replace(/(ch|s)es$/, "$1")}.${last}` : last;
    return short.replace(/[._]/g, "$&\u200b");
  };
  let drawn = null;
  const drawStages = function () {
    if (drawn === state.variant) return;
    drawn = state.variant;
    network.replaceChildren(...stages().map(function ([name, k]) {
      const [count, rows, columns] = program().steps[k - 1].shape, level = Math.min(4, Math.max(0, Math.log2(high / rows)));
      const small = canvas(columns, rows, { style: `width:${100 - 8 * level}%` });
      return kit.make("button", { type: "button", style: `margin-top:${Math.round(5 * level)}px`, "aria-label": `${name}: ${count} maps of ${rows} × ${columns}`, "data-stage": name, title: name,
        onclick() { state.stage = state.stage === name ? null : name; state.map = null; ask(); } }, small, kit.make("span", { class: "ep-name" }, brief(name)));
    }));
  };
  // The pixel of map k that looks at a place of the picture: the one whose view is centred nearest to it.
  const views = {};
  const viewer = function (k) {
    const key = `${state.variant} ${k}`, [, rows, columns] = program().steps[k - 1].shape;
    const centres = function (length, span) {
      const found = Array.from({ length }, (_, i) => { const view = span(i); return (view[0] + view[1]) / 2; });
      return found.every(Number.isFinite) && found[0] !== found[length - 1] ? found : null;
    };
    views[key] = views[key] || [centres(rows, (i) => parts.reach(program(), k, i, 0).slice(0, 2)), centres(columns, (j) => parts.reach(program(), k, 0, j).slice(2))];
    return state.at.map(function (at, axis) {
      const found = views[key][axis], length = [rows, columns][axis];
      if (!found) return Math.min(length - 1, Math.floor((at * length) / [high, wide][axis]));
      return found.reduce((best, centre, i) => (Math.abs(centre - at) < Math.abs(found[best] - at) ? i : best), 0);
    });
  };

  const said = kit.said(), goal = kit.make("div", { class: "ep-goal" });
  // What is known of the pixel under the cursor.
  const point = function (spoken) {
    if (!reply) return;
    const [row, column] = state.at, p = probabilities(state.at), cross = kit.make("rect", { x: column - 0.5, y: row - 0.5, width: 2, height: 2, stroke: "#fff", "stroke-width": 1.5 });
    over.replaceChildren(...goalFrame(), cross);
    overMask.replaceChildren(...goalFrame(), cross.cloneNode());
    const order = p ? p.map((_, k) => k).sort((a, b) => p[b] - p[a]).slice(0, 6) : [];
    bars.replaceChildren(...order.flatMap((k) => [kit.make("span", {}, options.classes[k]),
      kit.make("i", { style: `width:${100 * p[k]}%;background:${kit.css(options.palette[k])}` }), kit.make("span", {}, p[k].toFixed(2))]));
    bars.setAttribute("aria-label", p ? order.map((k) => `${options.classes[k]} ${p[k].toFixed(2)}`).join(", ") : "no answer here");
    const words = [p ? `Row ${row}, column ${column}: ${options.classes[order[0]]}, ${p[order[0]].toFixed(2)}.` : "Here the net gives no answer: its convolutions lost this margin."];
    if (state.stage !== null && state.stage in program().stages) words.push(...inside(program().stages[state.stage]));
    else words.push("Press a stage of the net to look inside.");
    patch.hidden = state.stage === null;
    if (spoken || state.stage !== null || state.tool === "look") said.say(...words);
    else said.say(words[0], words[1]);
  };
  // Of the chosen stage: what its pixel sees, as a frame, a patch and words.
  const inside = function (k) {
    const [count, rows, columns] = program().steps[k - 1].shape, [i, j] = viewer(k), view = parts.reach(program(), k, i, j);
    const [top, bottom, left, right] = view, edge = [Math.max(0, top), Math.min(high - 1, bottom), Math.max(0, left), Math.min(wide - 1, right)];
    const [h, w] = [edge[1] - edge[0] + 1, edge[3] - edge[2] + 1], words = [`${state.stage}: ${count} maps of ${rows} × ${columns}.`];
    if (h > 0 && w > 0) {
      over.append(kit.make("rect", { x: edge[2], y: edge[0], width: w, height: h, stroke: "#fff", "stroke-width": 4, opacity: 0.7 }),
        kit.make("rect", { x: edge[2], y: edge[0], width: w, height: h, stroke: options.colours.orange, "stroke-width": 2 }));
      draw(patch, h, w, (p) => copyOf((edge[0] + Math.floor(p / w)) * wide + edge[2] + (p % w)));
      words.push(h === high && w === wide ? "This pixel of them can depend on the whole picture." : `This pixel of them can depend on ${h} × ${w} pixels of the picture, the frame.`);
    }
    const pool = program().steps.findIndex((step) => step.op === "pool" && step.from[0] === k) + 1, kept = reply.kept[pool];
    if (kept) {
      const [, below, along] = kept.shape, map = reply.maps[state.map || 0], place = kept.places[(map.channel * below + Math.min(below - 1, i >> 1)) * along + Math.min(along - 1, j >> 1)];
      words.push(`Of its window in map ${map.channel} the largest stands in row ${Math.floor(place / columns)}, column ${place % columns}: index ${place} is remembered for the way up.`);
    }
    return words;
  };

  const show = function () {
    if (!reply) return;
    drawStages();
    const { classes } = answer(), one = state.map !== null && reply.maps[state.map];
    if (one) draw(mask, one.rows, one.columns, (p) => heat[one.bytes[p]]);
    else draw(mask, high, wide, (p) => (classes[p] < 0 ? null : options.palette[classes[p]]));
    mask.setAttribute("aria-label", one ? `Map ${one.channel} of ${state.stage || "the output"}` : "What the net says");
    const buttons = Object.fromEntries([...network.children].map((button) => [button.dataset.stage, button]));
    for (const preview of reply.previews) {
      const button = buttons[preview.name];
      if (!button) continue;
      button.setAttribute("aria-pressed", preview.name === state.stage);
      draw(button.firstChild, preview.rows, preview.columns, (p) => heat[preview.bytes[p]]);
    }
    maps.replaceChildren(...(state.stage === null ? [] : [kit.make("div", {}, patch)]), ...reply.maps.slice(0, state.stage === null ? 6 : 5).map(function (map, n) {
      const small = canvas(map.columns, map.rows);
      draw(small, map.rows, map.columns, (p) => heat[map.bytes[p]]);
      return kit.make("button", { type: "button", "aria-pressed": n === state.map, "aria-label": `map ${map.channel}, shown large`, onclick() { state.map = state.map === n ? null : n; show(); } },
        small, state.stage === null && options.classes[map.channel] ? options.classes[map.channel] : `#${map.channel}`);
    }));
    point();
    check();
  };

  // --- questions that are answered by doing ----------------------------------------------------------------------------
  const done = new Set();
  const asked = () => options.questions[state.question];
  const goalFrame = function () {
    const box = asked() && asked().box;
    if (!box || asked().picture !== state.picture) return [];
    return ["#000", "#fff"].map((stroke, n) => kit.make("rect", { x: box[1], y: box[0], width: box[3] - box[1], height: box[2] - box[0], stroke, "stroke-width": 2, "stroke-dasharray": n ? "4 4" : "none" }));
  };
  const shareOf = function ({ box: [top, left, bottom, right], become }) {
    const { classes } = answer();
    let hits = 0;
    for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) hits += classes[i * wide + j] === become;
    return hits / ((bottom - top) * (right - left));
  };
  const check = function () {
    const question = asked();
    if (!question) return;
    let words = "";
    if (question.box && question.picture === state.picture) {
      const share = shareOf(question);
      if (share >= 0.5 && state.variant === 0) done.add(state.question);  // a switch that breaks the net is no answer
      words = ` ${Math.round(100 * share)} % of the frame.` + (done.has(state.question) ? " ✓ Done." : "");
    }
    const count = options.questions.length, text = `${state.question + 1} of ${count}: ${question.text}${words} `;
    if (goal.firstChild && goal.firstChild.textContent === text) return;
    goal.replaceChildren(kit.make("span", {}, text), kit.button("next question", function () {
      state.question = (state.question + 1) % count;
      const next = asked();
      if (next.box && next.picture !== state.picture) choose(loaded[next.picture], next.picture);
      show();
    }));
  };

  const grid = kit.make("div", { class: "ep-grid" }, kit.make("div", { class: "ep-canvas ep-here" }, picture, over), kit.make("div", { class: "ep-canvas ep-mask" }, mask, overMask), network, maps, bars);
  root.append(thumbs, tools, grid);
  if (options.variants.length > 1) root.append(kit.choice(root, options.switch, options.variants, 0, function (v) { state.variant = v; fresh = true; state.map = null; if (!(state.stage in options.programs[v].stages)) state.stage = null; ask(); }));
  root.append(said, goal);
  mark();
  start();
  return { state, stroke, ask, busy: () => busy || waiting, ready: () => ready, reply: () => reply, pixels: () => pixels, probabilities, classes: () => answer().classes, share: () => shareOf(asked()) };
};
