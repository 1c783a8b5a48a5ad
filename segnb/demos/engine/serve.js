// What stands between the engine and the page: the same handler runs in a Worker or, where a page may have none, in the
// page itself. Messages in: { load }, { run }. Messages out: the answer, a picture of every stage, maps of the chosen one.
const serve = function (post) {
  const parts = engine();
  let given, nets = {}, liveliest = {};

  const network = function (which) {
    if (!nets[which]) nets = { [which]: parts.network(given.programs[which], given.numbers, given.kernel) };
    return nets[which];
  };

  // The channels of map k, the one whose values differ most first.
  const ranked = function (net, k) {
    const [channels, rows, columns] = net.shapes[k], values = net.map(k), one = rows * columns;
    const spread = Array.from({ length: channels }, function (_, c) {
      let sum = 0, squares = 0;
      for (let p = c * one; p < (c + 1) * one; p++) { sum += values[p]; squares += values[p] ** 2; }
      return squares / one - (sum / one) ** 2;
    });
    return spread.map((_, c) => c).sort((a, b) => spread[b] - spread[a]);
  };

  // One channel as bytes, its smallest value 0 and its largest 255.
  const seen = function (net, k, channel) {
    const [, rows, columns] = net.shapes[k], values = net.map(k).subarray(channel * rows * columns, (channel + 1) * rows * columns);
    let low = Infinity, high = -Infinity;
    for (let p = 0; p < values.length; p++) { low = Math.min(low, values[p]); high = Math.max(high, values[p]); }
    const bytes = new Uint8Array(values.length), range = high - low || 1;
    for (let p = 0; p < bytes.length; p++) bytes[p] = (255 * (values[p] - low)) / range;
    return { channel, rows, columns, low, high, bytes };
  };

  return function ({ load, run }) {
    if (load) {
      given = { programs: load.programs, numbers: parts.halves(load.weights), kernel: load.kernel };
      if (given.kernel && !(typeof WebAssembly === "object" && WebAssembly.validate(given.kernel))) given.kernel = null;
      return;
    }
    const start = performance.now(), net = network(run.network), { stages, output } = net.program;
    const logits = net.run(run.image).slice(), took = performance.now() - start;
    if (run.fresh) liveliest = {};  // while one paints, the same maps stay in view
    const order = (k) => (liveliest[k] = liveliest[k] || ranked(net, k));
    const previews = Object.entries(stages).map(([name, k]) => ({ name, ...seen(net, k, order(k)[0]) }));
    const k = run.stage === null ? output : stages[run.stage], maps = order(k).slice(0, run.maps).map((channel) => seen(net, k, channel));
    const kept = {};  // of each pooling that an unpooling asks, the shape of its map and the places of its maxima
    for (const step of net.program.steps) if (step.op === "unpool") kept[step.from[1]] = { shape: net.shapes[step.from[1]], places: net.indices(step.from[1]).slice() };
    post({ logits, shape: net.shapes[output], previews, maps, kept, took, turn: run.turn });
  };
};
