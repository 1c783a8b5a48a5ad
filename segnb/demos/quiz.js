// A guess that is committed before the result is seen, and questions to recall. One card, one question at a time.
const demo = function (root, { recall, items }) {
  const name = (what) => `${what}-${root.id}-${[...document.querySelectorAll(".ep-quiz")].indexOf(root)}`;
  // Text in which `this` is code.
  const text = (words) => words.split("`").map((part, i) => (i % 2 ? kit.make("code", {}, part) : part));
  const number = (x, unit = "") => x.toLocaleString("en-GB", { maximumFractionDigits: 6 }).replace("-", "−") + (unit && (unit === "%" ? " %" : " " + unit));
  const same = (a, b) => a.length === b.length && [...a].sort().join("\n") === [...b].sort().join("\n");

  // What was said stays in this browser, question by question. Where storage is shut, as in Colab's frames, it is kept
  // as long as the page is open.
  const key = "ep-quiz:" + root.id;
  const load = function () {
    try { return JSON.parse(localStorage.getItem(key)) || {}; } catch { return {}; }
  };
  const save = function () {
    try { localStorage.setItem(key, JSON.stringify(Object.fromEntries(items.map((item) => [item.question, item.said])))); } catch { /* shut */ }
  };
  const fits = {
    number: (item, said) => said.length === 1 && Number.isFinite(said[0]),
    order: (item, said) => same(said, item.order),
    choice: (item, said) => said.length && said.every((one) => item.choices.some((choice) => choice.text === one)),
  };
  const kept = load();
  for (const item of items) {
    const said = kept[item.question];
    item.said = Array.isArray(said) && fits[item.kind](item, said) ? said : [];
  }

  const hits = {
    number: (item) => Math.abs(item.said[0] - item.answer) <= item.within + 1e-9,
    order: (item) => item.said.join("\n") === item.order.join("\n"),
    choice: (item) => item.said[0] === item.choices.find((choice) => choice.right).text,
  };
  // A guess is made once; a question to recall is tried until it is answered, and the first try counts.
  const done = (item) => Boolean(item.said.length) && (!recall || item.said.some((one) => item.choices.find((choice) => choice.text === one).right));
  const tally = () => [items.length, items.filter(done).length, items.filter((item) => done(item) && hits[item.kind](item)).length];

  let at = Math.max(0, items.findIndex((item) => !done(item)));
  let chosen = null;
  const score = kit.make("span", { class: "ep-tally" }), steps = kit.make("div", { class: "ep-steps" });
  const body = kit.make("div"), said = kit.make("div", { class: "ep-verdict", "aria-live": "polite" });
  const button = kit.button("", function () { act(); }), others = kit.button("Why not the others?", function () { explain(); });
  others.className = "ep-quiet";
  const card = kit.make("div", { class: "ep-card" },
    kit.make("div", { class: "ep-head" }, kit.make("b", {}, recall ? "Recall" : "Guess first"), score),
    steps, body, said, kit.make("div", { class: "ep-foot" }, button, others));
  root.classList.add("ep-live");
  root.append(card);
  root.querySelectorAll("details").forEach((fold) => { fold.open = true; }); // they are for paper now

  // n of m, over all cards of the page (of the notebook, where a page holds several).
  const tell = function () {
    const page = root.closest(".jp-Notebook") || document;
    const all = [...page.querySelectorAll(".ep-quiz")].filter((one) => one.demo).map((one) => one.demo.tally());
    const [asked, answered, right] = [0, 1, 2].map((i) => all.reduce((sum, one) => sum + one[i], 0));
    score.textContent = asked > 1 ? `${answered} of ${asked} answered in this chapter` + (answered ? `, ${right} right` : "") : "";
  };
  const tellAll = () => document.querySelectorAll(".ep-quiz").forEach((one) => one.demo && one.demo.tell());

  const say = (...lines) => said.replaceChildren(...lines.filter(Boolean).map((line) => kit.make("p", {}, ...line)));
  const verdict = (word, words) => [kit.make("b", {}, word + " "), ...text(words)];
  const ready = (is) => { button.disabled = !is; };

  // --- one question of each kind: what is drawn, and what is said of an answer ---

  const choice = {
    draw(item) {
      const group = kit.make("div", { class: "ep-choices", role: "radiogroup", "aria-labelledby": name("ep-asked") });
      item.choices.forEach(function (one) {
        const tried = item.said.includes(one.text), shown = one.right && done(item);
        const input = kit.make("input", { type: "radio", name: name("ep-choice"), value: one.text, disabled: done(item) || tried ? "" : false,
          onchange() { chosen = one.text; ready(true); } });
        input.checked = tried && item.said.at(-1) === one.text;
        const mark = shown ? "✓" : tried ? "✗" : "";
        const label = kit.make("label", { class: shown ? "ep-right" : tried ? "ep-wrong" : "" }, input,
          kit.make("span", {}, ...text(one.text)), kit.make("span", { class: "ep-mark", "aria-hidden": "true" }, mark));
        group.append(kit.make("div", {}, label, kit.make("p", { class: "ep-reason", hidden: "" }, ...text(one.why))));
      });
      return group;
    },
    value: () => chosen && [chosen],
    say(item) {
      const last = item.choices.find((one) => one.text === item.said.at(-1)), right = item.choices.find((one) => one.right);
      if (last.right) say(verdict("Right.", last.why));
      else if (recall) say(verdict("Not that one.", last.why), ["Try another."]);
      else say(verdict("Not so.", last.why), verdict("It turns out: " + right.text + ".", right.why));
    },
  };

  const guess = {
    draw(item) {
      if (done(item)) return guess.line(item);
      const within = item.within ? `within ${number(item.within, item.unit === "%" ? "%" : "")} is a good guess` : "exactly";
      const near = kit.make("span", { id: name("ep-near") }, `${item.unit} (${within})`);
      const input = kit.make("input", { type: "number", step: "any", "aria-labelledby": name("ep-asked"), "aria-describedby": near.id,
        oninput() { ready(input.value !== ""); } });
      guess.input = input;
      return kit.make("label", { class: "ep-number" }, input, near);
    },
    value: () => (guess.input.value === "" ? null : [Number(guess.input.value)]),
    // The guess above a line, the result below it with what counts as near.
    line(item) {
      const mine = item.said[0], low = Math.min(0, mine, item.answer - item.within), high = Math.max(0, mine, item.answer + item.within);
      const share = (x) => 100 * (x - low) / (high - low || 1);
      const tag = (x, kind, words) => kit.make("span", { class: kind }, kit.make("i", { style: `flex:${share(x)}` }), words,
        kit.make("i", { style: `flex:${100 - share(x)}` }));
      const from = share(item.answer - item.within);
      return kit.make("div", { class: "ep-line", role: "img", "aria-label": `A line from ${number(low)} to ${number(high)}: your guess at ${number(mine)}, the result at ${number(item.answer)}` },
        tag(mine, "ep-mine", "your guess: " + number(mine)),
        kit.make("div", { class: "ep-track" },
          kit.make("i", { class: "ep-near", style: `left:${from}%;width:${share(item.answer + item.within) - from}%` }),
          kit.make("i", { class: "ep-dot ep-dot-mine", style: `left:${share(mine)}%` }), kit.make("i", { class: "ep-dot", style: `left:${share(item.answer)}%` })),
        tag(item.answer, "ep-result", "result: " + number(item.answer)));
    },
    say(item) {
      const off = item.said[0] - item.answer, near = hits.number(item);
      say(verdict(near ? (item.within ? "A good guess." : "Right.") : off > 0 ? "Too high." : "Too low.", `You said ${number(item.said[0])}, and it is ${number(item.answer, item.unit)}.`), text(item.why));
    },
  };

  const order = {
    draw(item) {
      if (done(item)) {
        return kit.make("ol", { class: "ep-order" }, ...item.order.map(function (one, i) {
          const place = item.said.indexOf(one), kind = place === i ? "ep-right" : "ep-wrong";
          return kit.make("li", { class: kind }, kit.make("span", {}, ...text(one)), kit.make("small", {}, place === i ? "✓ as you said" : `you: ${place + 1}`));
        }));
      }
      order.now = order.now || [...item.shown];
      const list = kit.make("ol", { class: "ep-order", "aria-labelledby": name("ep-asked") });
      const move = function (i, by, row) {
        [order.now[i], order.now[i + by]] = [order.now[i + by], order.now[i]];
        paint();
        const there = list.children[i + by].querySelectorAll("button");
        (there[by < 0 ? 0 : 1].disabled ? there[by < 0 ? 1 : 0] : there[by < 0 ? 0 : 1]).focus();
        say([`${row} is now number ${i + by + 1} of ${order.now.length}.`]);
      };
      const paint = () => list.replaceChildren(...order.now.map(function (one, i) {
        const arrow = (sign, word, by, end) => kit.make("button", { type: "button", "aria-label": `Move ${one} ${word}`, disabled: end ? "" : false,
          onclick() { move(i, by, one); } }, sign);
        return kit.make("li", {}, kit.make("span", {}, ...text(one)), arrow("↑", "up", -1, i === 0), arrow("↓", "down", 1, i === order.now.length - 1));
      }));
      paint();
      return list;
    },
    value: () => [...order.now],
    say(item) {
      const met = item.order.filter((one, i) => item.said[i] === one).length;
      say(verdict(hits.order(item) ? "Right." : `${met} of ${item.order.length} in their place.`, item.why));
    },
  };
  const kinds = { choice, number: guess, order };

  // --- the card ---

  const act = function () {
    const item = items[at];
    if (done(item)) {
      if (!recall || items.every(done)) {
        items.forEach((one) => { one.said = []; });
        at = 0;
        order.now = null;
      } else at = [...items.keys()].map((i) => (at + 1 + i) % items.length).find((i) => !done(items[i]));
    } else {
      const value = kinds[item.kind].value();
      if (!value) return;
      item.said = item.kind === "choice" ? [...item.said, ...value] : value;
    }
    save();
    draw();
    const first = body.querySelector("input:not(:disabled)");
    (button.disabled && first ? first : button).focus({ preventScroll: true });
    tellAll();
  };
  const explain = function () {
    body.querySelectorAll(".ep-reason").forEach((one) => { one.hidden = false; });
    others.hidden = true;
  };
  const draw = function () {
    const item = items[at], over = done(item);
    chosen = null;
    steps.hidden = items.length < 2;
    steps.replaceChildren(...items.map(function (one, i) {
      const state = done(one) ? (hits[one.kind](one) ? "right at once" : "answered") : "not answered yet";
      return kit.make("button", { type: "button", "aria-label": `Question ${i + 1}, ${state}`, "aria-current": i === at ? "step" : false,
        class: done(one) ? "ep-done" : "", onclick() { at = i; draw(); steps.children[i].focus({ preventScroll: true }); } }, String(i + 1));
    }));
    body.replaceChildren(kit.make("p", { class: "ep-asked", id: name("ep-asked") }, ...text(item.question)), kinds[item.kind].draw(item));
    if (item.said.length) kinds[item.kind].say(item);
    else say();
    button.className = over && !recall ? "ep-quiet" : "";
    button.textContent = !over ? (recall ? "Answer" : "Commit my guess") : !recall ? "Guess again" : items.every(done) ? "Start again" : "Next question";
    ready(over || item.kind === "order");
    others.hidden = !over || item.kind !== "choice";
  };
  card.addEventListener("keydown", function (event) {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT" || button.disabled) return;
    event.preventDefault();
    act();
  });
  draw();
  setTimeout(tellAll); // once the page knows this card
  return { tally, tell, items };
};
