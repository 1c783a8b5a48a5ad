// The lab of one pixel: its logits, their softmax, the price of the true class and the pull on each logit.
const demo = function (root, options) {
  const start = () => ({ logits: [...options.logits], truth: options.truth, classes: options.classes.length, weight: 1 });
  const colours = [options.colours.blue, options.colours.orange, options.colours.green, options.colours.purple];
  const limit = 10, weights = [0.5, 1, 2], names = [...options.classes, ...options.spare].slice(0, 4), state = start();
  while (state.logits.length < 4) state.logits.push(0);

  // p by softmax, the price −w·log p of the true class, and the gradient w·(p − y) by each logit. The largest logit is
  // taken from all, which changes nothing, so that no power of e is too large for a computer.
  const measure = function (z, truth, weight = 1) {
    const most = Math.max(...z), powers = z.map((x) => Math.exp(x - most)), sum = powers.reduce((a, b) => a + b, 0);
    const p = powers.map((x) => x / sum);
    return { p, price: weight * (Math.log(sum) - (z[truth] - most)), gradient: p.map((x, k) => weight * (x - (k === truth))) };
  };

  const said = kit.said(), bars = kit.make("svg", { role: "img" }), curve = kit.make("svg", { role: "img", viewBox: "0 0 340 170" });
  const sliders = names.map((name, k) => kit.slider(name, -limit, limit, state.logits[k], (v) => { state.logits[k] = v; draw(); },
    { step: 0.1, words: (v) => `logit ${v}` }));
  const add = function (constant) {
    return kit.button(`${constant > 0 ? "add" : "take"} 1 ${constant > 0 ? "to" : "from"} all`, function () {
      state.logits = state.logits.map((z) => Number((z + constant).toFixed(1)));
      draw();
      said.point(`Every logit is ${constant > 0 ? "1 larger" : "1 smaller"}; probabilities, price and pull are what they were.`);
    });
  };
  const up = add(1), down = add(-1);
  const count = kit.choice(root, "classes", ["3", "4"], state.classes - 3, (v) => { state.classes = v + 3; draw(); });
  const truth = kit.choice(root, "truth", names, state.truth, (v) => { state.truth = v; draw(); });
  const weight = kit.choice(root, "weight of truth", ["½", "1", "2"], 1, (v) => { state.weight = weights[v]; draw(); });
  const again = kit.button("as at first", function () {
    Object.assign(state, start(), { logits: [...options.logits, 0].slice(0, 4) });
    count.set(state.classes - 3);
    weight.set(1);
    draw();
  });
  root.append(
    kit.panels(
      [count, truth, ...sliders, kit.make("div", { class: "ep-row" }, up, down, again), weight],
      ["p, p − y, and where it pulls", bars, "what the pixel pays, −log p", curve]),
    said);

  const signed = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(4);
  // p and the pull of every class, in rows: the bar is 1 wide at most, the arrow points to where the logit is to go.
  const high = 30, left = 52, wide = 88, middle = 262, unit = 37;
  function drawBars({ p, gradient }) {
    const rows = p.length;
    bars.setAttribute("viewBox", `0 0 340 ${rows * high}`);
    bars.replaceChildren(kit.make("path", { d: `M${left} 0v${rows * high}M${left + wide} 0v${rows * high}M${middle} 0v${rows * high}`, class: "ep-faint" }));
    p.forEach(function (x, k) {
      const y = (k + 0.5) * high, end = middle - unit * gradient[k], tip = end < middle ? 6 : -6;
      bars.append(
        kit.make("text", { x: 0, y, style: "text-anchor:start;font-size:13px" + (k === state.truth ? ";font-weight:bold" : "") }, names[k]),
        kit.make("rect", { x: left, y: y - 8, width: wide * x, height: 16, fill: colours[k], class: "ep-pixel" }),
        kit.make("text", { x: left + wide + 4, y, style: "text-anchor:start;font-size:13px" }, x.toFixed(4)),
        kit.make("path", { d: `M${middle} ${y}H${end}` + (Math.abs(end - middle) > 4 ? `m${tip} -5l${-tip} 5l${tip} 5` : ""), fill: "none", stroke: "currentColor", "stroke-width": 2.5 }),
        kit.make("text", { x: middle + (gradient[k] > 0 ? 6 : -6), y, style: `font-size:13px;text-anchor:${gradient[k] > 0 ? "start" : "end"}` }, signed(gradient[k])));
    });
  }
  // The price over the probability: −log p from 0.004 on, and the pixel on it.
  const across = (x) => 30 + 300 * x, upward = (price) => 145 - 25 * Math.min(5.6, price);
  function drawCurve(p, price) {
    const points = Array.from({ length: 101 }, (_, i) => Math.max(0.004, (i / 100) ** 2));
    const line = points.map((x) => `${across(x).toFixed(1)} ${upward(-Math.log(x)).toFixed(1)}`).join("L"), plain = -Math.log(p);
    const right = p < 0.5, y = upward(plain), text = (x, at, words) => kit.make("text", { x, y: at, style: "font-size:13px" }, words);
    curve.replaceChildren(
      kit.make("path", { d: `M30 5V145H330M${across(p)} 145V${y}H30`, class: "ep-faint" }),
      kit.make("path", { d: "M" + line, fill: "none", stroke: "currentColor", "stroke-width": 2 }),
      kit.make("circle", { cx: across(p), cy: y, r: 6, fill: colours[state.truth], stroke: "currentColor", "stroke-width": 1.5 }),
      text(30, 160, "0"), text(330, 160, "1"), text(180, 160, "p of the true class"),
      ...[1, 3, 5].map((v) => text(14, upward(v), String(v))),
      text(across(p) + (right ? 48 : -14), y - 18, price.toFixed(4)));
  }

  function draw() {
    const z = state.logits.slice(0, state.classes);
    if (state.truth >= z.length) state.truth = 0;
    sliders.forEach((row, k) => { row.set(state.logits[k]); row.hidden = k >= z.length; });
    truth.querySelectorAll("label").forEach((label, k) => { label.hidden = k >= z.length; });
    truth.set(state.truth);
    up.disabled = Math.max(...state.logits) > limit - 1;
    down.disabled = Math.min(...state.logits) < 1 - limit;
    const seen = measure(z, state.truth, state.weight);
    drawBars(seen);
    drawCurve(seen.p[state.truth], seen.price);
    const list = (values, write) => values.map((x, k) => `${names[k]} ${write(x)}`).join(", "), times = { 0.5: "½ · ", 1: "", 2: "2 · " }[state.weight];
    const shares = list(seen.p, (x) => x.toFixed(4)), slopes = list(seen.gradient, signed);
    said.say(`The truth is ${names[state.truth]}; the pixel pays ${times && times.trim() + " "}−log p = ${seen.price.toFixed(4)}.`,
      `Gradient ${times ? times + "(p − y)" : "p − y"}: ${slopes}.`);
    bars.setAttribute("aria-label", `Probabilities: ${shares}`);
    curve.setAttribute("aria-label", `−log p falls from ever higher at p = 0 to 0 at p = 1; ${names[state.truth]} pays ${seen.price.toFixed(4)}`);
  }
  draw();
  return { measure, state };
};
