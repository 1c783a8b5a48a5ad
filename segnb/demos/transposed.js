// Transposed convolution as stamping: how often is each output pixel stamped?
const demo = function (root, options) {
  const n = 6, side = 24, state = { kernel: options.kernel, stride: options.stride, kind: 0 };

  // Weights of the kernel along one axis: all ones, or FCN's bilinear filter.
  const weights = function (kernel, kind) {
    const factor = Math.floor((kernel + 1) / 2), centre = kernel % 2 ? factor - 1 : factor - 0.5;
    return Array.from({ length: kernel }, (_, i) => (kind ? 1 - Math.abs(i - centre) / factor : 1));
  };
  // What `n` pixels of value 1 leave in the output, without padding: (n − 1)·stride + kernel numbers.
  const stamped = function (kernel, stride, kind = 0, pixels = n) {
    const sums = Array((pixels - 1) * stride + kernel).fill(0), w = weights(kernel, kind);
    for (let i = 0; i < pixels; i++) w.forEach((weight, j) => { sums[i * stride + j] += weight; });
    return sums;
  };
  // The part of the output that the border does not touch.
  const inside = (sums, kernel, stride) => sums.slice(kernel - 1, (n - 1) * stride + 1);

  const line = kit.make("svg", { role: "img" }), plane = kit.make("svg", { role: "img", class: "ep-fine" }), said = kit.said();
  const slide = (key, most, words) => kit.slider(key, 1, most, state[key], (v) => { state[key] = v; draw(); }, { words });
  root.append(
    kit.panels(
      [slide("kernel", 6, (v) => `${v} wide`), slide("stride", 3, (v) => `stamps ${v} apart`),
        kit.choice(root, "weights", ["all ones", "bilinear"], 0, (v) => { state.kind = v; draw(); }),
        kit.make("p", {}, "Each of six pixels stamps the kernel, one stride further on. Below: the sum."), line],
      [kit.make("p", {}, "The same in two dimensions:"), plane]),
    said);

  function draw() {
    const { kernel, stride, kind } = state, sums = stamped(kernel, stride, kind), w = weights(kernel, kind);
    const long = sums.length, top = Math.max(...sums), units = long * side + 2;
    // 11 pixels on a phone, where the drawing is 324 wide, and in the plane of 300; what does not fit a pixel is left to its colour.
    const fitting = (x, size) => { const text = kit.short(x); return 0.62 * size * text.length <= side - 2 ? text : ""; };
    const size = Math.max(10, 11.2 * units / 324), fine = Math.max(9, 11.2 * units / 300);
    const colour = (x, most) => (x > 1e-9 ? kit.heat(0.15 + 0.85 * x / most) : null);

    line.replaceChildren();
    line.setAttribute("viewBox", `-1 -1 ${units} ${(n + 2.4) * side}`);
    line.style.maxWidth = long * 34 + "px";
    for (let i = 0; i < n; i++) {  // one row a stamp, where it lands
      w.forEach((weight, j) => line.append(kit.pixel((i * stride + j) * side, i * side, side - 2, colour(weight, top), fitting(weight, size), size)));
    }
    sums.forEach((x, p) => line.append(kit.pixel(p * side, (n + 0.7) * side, side - 2, colour(x, top), fitting(x, size), size)));

    plane.replaceChildren();
    plane.setAttribute("viewBox", `-1 -1 ${units} ${units}`);
    plane.style.maxWidth = `min(${long * 34}px, var(--ep-most))`;
    sums.forEach((a, i) => sums.forEach((b, j) => {
      plane.append(kit.pixel(j * side, i * side, side - 1, colour(a * b, top * top), fitting(a * b, fine), fine));
    }));

    const middle = inside(sums, kernel, stride), low = Math.min(...middle), high = Math.max(...middle);
    const what = kind ? "a weight of" : "stamps:", even = high - low < 1e-9;
    const verdict = even ? `Even: away from the border every output pixel gets ${what} ${kit.short(high)}.`
      : `Uneven: away from the border an output pixel gets ${what} ${kit.short(low)} to ${kit.short(high)}, `
        + `in two dimensions ${kit.short(low * low)} to ${kit.short(high * high)}. A checkerboard.`;
    const reason = kind || even ? "" : kernel < stride ? "The stamps are smaller than the stride, so some pixels get nothing."
      : `${kernel} is not a multiple of ${stride}.`;
    said.say(`${n} pixels in, ${long} out.`, verdict, reason);
    line.setAttribute("aria-label", `${n} stamps of ${kernel}, each ${stride} further on; their sum is ${sums.map(kit.short).join(", ")}`);
    plane.setAttribute("aria-label", `The same in two dimensions, ${long} by ${long} pixels, from ${kit.short(Math.min(...sums) ** 2)} to ${kit.short(top * top)}`);
  }
  draw();
  return { stamped, weights };
};
