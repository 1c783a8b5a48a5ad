// Change a small prediction pixel by pixel and see every measure move.
const demo = function (root, options) {
  const { truth, classes, palette } = options, rows = truth.length, columns = truth[0].length, side = 24;
  const state = { prediction: options.prediction.map((row) => [...row]) };
  const add = (list) => list.reduce((a, b) => a + b, 0), mean = (list) => add(list) / list.length;

  // matrix[t][p]: pixels of class t that were called p.
  const count = function (prediction) {
    const matrix = classes.map(() => classes.map(() => 0));
    truth.forEach((row, i) => row.forEach((t, j) => { matrix[t][prediction[i][j]] += 1; }));
    return matrix;
  };
  const measure = function (matrix) {
    const hit = matrix.map((row, k) => row[k]), real = matrix.map(add), called = matrix.map((_, k) => add(matrix.map((row) => row[k])));
    const all = add(real), seen = (list) => list.filter((x) => !Number.isNaN(x));
    const accuracy = hit.map((h, k) => h / real[k]), iou = hit.map((h, k) => h / (real[k] + called[k] - h));
    return {
      pixel_accuracy: add(hit) / all, class_accuracy: accuracy, mean_class_accuracy: mean(seen(accuracy)), iou, mean_iou: mean(seen(iou)),
      frequency_weighted_iou: add(iou.map((x, k) => (real[k] ? real[k] * x / all : 0))),
      dice: hit.map((h, k) => 2 * h / (real[k] + called[k])),
    };
  };

  const view = `-1 -1 ${columns * side + 2} ${rows * side + 2}`, said = kit.said(), cells = kit.make("g");
  const left = kit.make("svg", { viewBox: view, role: "img", "aria-label": "The truth" }), right = kit.make("svg", { viewBox: view });
  // A letter beside the colour, so that nobody has to tell colours apart.
  const paint = (k, i, j) => kit.pixel(j * side, i * side, side - 1, palette[k], classes[k][0], 12);
  truth.forEach((row, i) => row.forEach((k, j) => left.append(paint(k, i, j))));
  right.append(cells);
  const set = (rule) => function () { state.prediction = truth.map((row, i) => row.map((t, j) => rule(t, i, j))); draw(); };
  const table = kit.make("table"), means = kit.make("table");
  for (const svg of [left, right]) svg.style.maxWidth = columns * 26 + 2 + "px";
  root.append(
    kit.panels(["truth", left], ["prediction (press a pixel to change it)", right]),
    kit.make("div", { class: "ep-row" }, kit.button("all right", set((t) => t)), kit.button(`all ${classes[0]}`, set(() => 0)),
      kit.button("as at first", set((_, i, j) => options.prediction[i][j]))),
    kit.panels(means, table), said);
  kit.field(right, { rows, columns, side, label: "The prediction", said, describe: (i, j) => classes[state.prediction[i][j]],
    press(i, j) {
      state.prediction[i][j] = (state.prediction[i][j] + 1) % classes.length;
      draw();
      said.point(`Row ${i + 1}, column ${j + 1} is now ${classes[state.prediction[i][j]]}.`);
    } });

  const cell = (x) => kit.make("td", {}, Number.isNaN(x) ? "–" : x.toFixed(3));
  const line = (name, ...values) => kit.make("tr", {}, kit.make("th", { scope: "row" }, name), ...values.map(cell));
  const head = (...names) => kit.make("tr", {}, ...names.map((name) => kit.make("th", { scope: "col" }, name)));
  function draw() {
    const m = measure(count(state.prediction));
    cells.replaceChildren();
    let wrong = 0;
    state.prediction.forEach((row, i) => row.forEach(function (k, j) {
      cells.append(paint(k, i, j));
      if (k === truth[i][j]) return;
      wrong += 1;
      cells.append(kit.make("rect", { x: j * side + 2, y: i * side + 2, width: side - 5, height: side - 5, fill: "none", stroke: "#fff", "stroke-width": 4 }),
        kit.make("rect", { x: j * side + 2, y: i * side + 2, width: side - 5, height: side - 5, fill: "none", stroke: options.wrong, "stroke-width": 2.5 }));
    }));
    means.replaceChildren(line("pixel accuracy", m.pixel_accuracy), line("mean class accuracy", m.mean_class_accuracy),
      line("mean IoU", m.mean_iou), line("frequency-weighted IoU", m.frequency_weighted_iou));
    table.replaceChildren(head("class", "accuracy", "IoU", "Dice"), ...classes.map((name, k) => line(name, m.class_accuracy[k], m.iou[k], m.dice[k])));
    said.say(`${wrong} of ${rows * columns} pixels are wrong.`, `Pixel accuracy ${m.pixel_accuracy.toFixed(3)}.`, `Mean IoU ${m.mean_iou.toFixed(3)}.`);
  }
  draw();
  return { count, measure, state };
};
