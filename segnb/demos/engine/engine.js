// Runs a network in the page. A program (made by export.py) is a list of steps; each makes one map of shape [channels,
// rows, columns] from maps before it. All numbers live in one stretch of memory, so that every map can be looked at.
const engine = function () {
  // Plain loops here and below, over half a million numbers: they are why the net is ready when its picture is seen.
  const bytes = function (base64) {
    const text = atob(base64), found = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
    return found;
  };

  // float16: a sign, five bits of exponent, ten of fraction. Without an exponent the leading 1 is missing.
  const halves = function (buffer) {
    const words = new Uint16Array(buffer), found = new Float32Array(words.length);
    const powers = Array.from({ length: 32 }, (_, exponent) => 2 ** (Math.max(1, exponent) - 25));
    for (let i = 0; i < words.length; i++) {
      const exponent = (words[i] >> 10) & 31, fraction = (words[i] & 1023) + (exponent ? 1024 : 0);
      found[i] = (words[i] & 0x8000 ? -fraction : fraction) * powers[exponent];
    }
    return found;
  };

  // Number c of a vector of `length` that lies at `place`: what float16 leaves of it stands behind the vector.
  const exact = (numbers, place, c, length) => numbers[place + c] + numbers[place + length + c];

  // The loop of kernel.ts in plain JavaScript, for browsers that have no WebAssembly with SIMD.
  const plainKernel = (heap, whole) => function (x, places, terms, weights, y, length, room, relu) {
    [x, places, weights, y, room] = [x, places, weights, y, room].map((byte) => byte / 4);
    for (let map = 0; map < 4; map++) {
      const from = y + map * room;
      heap.fill(heap[weights + map], from, from + length);
      for (let t = 0; t < terms; t++) {
        const weight = heap[weights + 4 + 4 * t + map], start = x + whole[places + t] / 4;
        for (let p = 0; p < length; p++) heap[from + p] += weight * heap[start + p];
      }
      if (relu) for (let p = 0; p < length; p++) heap[from + p] = Math.max(0, heap[from + p]);
    }
  };

  // Everything a convolution can prepare. Its input is laid out with zeros around it, so that no tap ever asks whether it
  // stands outside. With stride s, every s-th row and column goes into a plane of its own. Then each tap is one distance
  // in memory, and the output is one long row: `pitch` numbers for each of its rows, of which the last few are thrown away.
  function planConvolution(step, [, rows, columns]) {
    const [, height, width] = step.shape, [kh, kw] = step.kernel;
    const [sy, sx] = step.stride, [dy, dx] = step.dilation;
    const high = Math.ceil(((height - 1) * sy + (kh - 1) * dy + 1) / sy);
    const pitch = Math.ceil(((width - 1) * sx + (kw - 1) * dx + 1) / sx);
    // Without stride and padding the map can be read where it lies.
    const inPlace = sy * sx === 1 && step.padding.every((side) => side === 0);
    const layout = inPlace
      ? { high: rows, pitch: columns, sy, sx, inPlace }
      : { high, pitch, sy, sx, before: step.padding };
    const plane = layout.high * layout.pitch, taps = [];
    for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) {
      const row = i * dy, column = j * dx, phase = (row % sy) * sx + column % sx;
      const place = Math.floor(row / sy) * layout.pitch + Math.floor(column / sx);
      taps.push([i * kw + j, phase * plane + place]);
    }
    return { layout, phases: [{ taps, height, width, top: 0, left: 0 }], every: [1, 1] };
  }

  // A transposed convolution with stride s is s × s convolutions: the pixels of the output whose row is a and column b,
  // modulo s, hear from the same few taps. The input is padded with as many zeros as a tap can reach.
  function planTransposed(step, [, rows, columns]) {
    const [, height, width] = step.shape, [sy, sx] = step.stride, [kh, kw] = step.kernel, [py, px] = step.padding;
    const before = [Math.ceil(kh / sy), Math.ceil(kw / sx)], phases = [];
    const high = Math.ceil((height + py) / sy) + 1 + before[0], pitch = Math.ceil((width + px) / sx) + 1 + before[1];
    for (let a = 0; a < Math.min(sy, height); a++) for (let b = 0; b < Math.min(sx, width); b++) {
      const taps = [];
      for (let i = (a + py) % sy; i < kh; i += sy) for (let j = (b + px) % sx; j < kw; j += sx) {
        taps.push([i * kw + j, ((a + py - i) / sy + before[0]) * pitch + (b + px - j) / sx + before[1]]);
      }
      phases.push({ taps, height: Math.ceil((height - a) / sy), width: Math.ceil((width - b) / sx), top: a, left: b });
    }
    return { layout: { high, pitch, sy: 1, sx: 1, before }, phases, every: step.stride };
  }

  // program and numbers (its weights as float32) → { run(image), map(k), indices(k), program }. kernel: the bytes of
  // kernel.wasm; left out, everything is plain JavaScript.
  function network(program, numbers, kernel) {
    let size = 16, scratch = 0, heap, whole, convolve;
    const take = function (count) { const at = size; size += (count + 15) & ~15; return at; };
    const shapes = [program.image, ...program.steps.map((step) => step.shape)];
    const area = ([, height, width]) => height * width, count = (shape) => shape[0] * area(shape);
    const places = shapes.map((shape) => take(count(shape) + 16));
    const kept = program.steps.map((step) => (step.op === "pool" ? take(count(step.shape)) : 0));

    // For each convolution, four maps of its output at a time: where its taps read, and its weights in their order.
    const plans = program.steps.map(function (step) {
      if (step.op !== "conv" && step.op !== "transposed") return null;
      const shape = shapes[step.from[0]], transposed = step.op === "transposed";
      const plan = (transposed ? planTransposed : planConvolution)(step, shape), { layout } = plan;
      const inputs = shape[0] / step.groups, outputs = step.shape[0] / step.groups, channel = layout.high * layout.pitch * layout.sy * layout.sx;
      plan.input = layout.inPlace ? places[step.from[0]] : take(shape[0] * channel + 16);
      plan.jobs = [];
      for (const phase of plan.phases) {
        const terms = inputs * phase.taps.length, table = take(terms), length = (phase.height - 1) * layout.pitch + phase.width;
        scratch = Math.max(scratch, 4 * (length + 16));
        for (let group = 0; group < step.groups; group++) for (let first = 0; first < outputs; first += 4) {
          plan.jobs.push({ phase, terms, table, length, group, first, outputs: Math.min(4, outputs - first), weights: take(4 * (terms + 1)) });
        }
      }
      plan.fill = function () {
        const taps = step.kernel[0] * step.kernel[1];
        for (const { phase, table, group, first, outputs: four, weights } of plan.jobs) for (let o = 0; o < four; o++) {
          const output = group * outputs + first + o;
          // Batch norm is folded in here: a factor for all weights of an output channel.
          const scale = "scale" in step ? exact(numbers, step.scale, output, step.shape[0]) : 1;
          heap[weights + o] = exact(numbers, step.bias, output, step.shape[0]);
          for (let i = 0, term = 0; i < inputs; i++) {
            // torch's order: output, input, tap; with the first two exchanged if it is transposed.
            const pair = transposed ? (group * inputs + i) * outputs + first + o : output * inputs + i;
            for (let t = 0; t < phase.taps.length; t++, term++) {
              heap[weights + 4 + 4 * term + o] = scale * numbers[step.weight + pair * taps + phase.taps[t][0]];
              whole[table + term] = 4 * (i * channel + phase.taps[t][1]);
            }
          }
        }
      };
      plan.group = inputs * channel;
      return plan;
    });

    const work = take(scratch), memory = kernel ? new WebAssembly.Memory({ initial: Math.ceil(size / 16384) }) : { buffer: new ArrayBuffer(4 * size) };
    heap = new Float32Array(memory.buffer);
    whole = new Int32Array(memory.buffer);
    convolve = kernel ? new WebAssembly.Instance(new WebAssembly.Module(kernel), { env: { memory } }).exports.convolve : plainKernel(heap, whole);
    for (const plan of plans) if (plan) plan.fill();

    function layOut(x, [channels, rows, columns], { high, pitch, sy, sx, before: [py, px] }, to) {
      for (let c = 0; c < channels; c++) for (let a = 0; a < sy; a++) for (let b = 0; b < sx; b++, to += high * pitch) {
        for (let r = 0; r < high; r++) {
          const row = r * sy + a - py;
          if (row < 0 || row >= rows) continue;  // stays the zeros that it is
          const from = x + (c * rows + row) * columns;
          if (sx === 1) heap.copyWithin(to + r * pitch + px, from, from + Math.min(columns, pitch - px));
          else for (let q = Math.ceil((px - b) / sx); q < pitch && q * sx + b - px < columns; q++) heap[to + r * pitch + q] = heap[from + q * sx + b - px];
        }
      }
    }

    function convolution(step, k, x, y) {
      const { layout, input, jobs, group, every } = plans[k], [, rows, columns] = step.shape;
      if (!layout.inPlace) layOut(x, shapes[step.from[0]], layout, input);
      for (const job of jobs) {
        const { phase, length } = job, room = length + 8;
        convolve(4 * (input + job.group * group), 4 * job.table, job.terms, 4 * job.weights, 4 * work, length, 4 * room, step.relu ? 1 : 0);
        for (let o = 0; o < job.outputs; o++) {
          const to = y + (job.group * step.shape[0] / step.groups + job.first + o) * rows * columns;
          for (let r = 0; r < phase.height; r++) {
            const from = work + o * room + r * layout.pitch, row = to + (phase.top + r * every[0]) * columns + phase.left;
            if (every[1] === 1) heap.copyWithin(row, from, from + phase.width);
            else for (let q = 0; q < phase.width; q++) heap[row + q * every[1]] = heap[from + q];
          }
        }
      }
    }

    // Every window of every channel: visit(place of the output, first row, last row, first column, last column).
    function windows(step, [channels, rows, columns], visit) {
      const [, height, width] = step.shape, [kh, kw] = step.kernel, [sy, sx] = step.stride, [py, px] = step.padding;
      for (let c = 0, to = 0; c < channels; c++) for (let i = 0; i < height; i++) for (let j = 0; j < width; j++, to++) {
        const top = i * sy - py, left = j * sx - px;
        visit(to, c * rows * columns, Math.max(0, top), Math.min(rows, top + kh), Math.max(0, left), Math.min(columns, left + kw), columns);
      }
    }

    // Where row or column i of a bilinear enlargement reads: [before, after, share of after].
    function between(length, inputs, corners) {
      return Array.from({ length }, function (_, i) {
        const x = corners ? (length > 1 ? (i * (inputs - 1)) / (length - 1) : 0) : Math.max(0, ((i + 0.5) * inputs) / length - 0.5);
        const low = Math.min(Math.floor(x), inputs - 1);
        return [low, Math.min(low + 1, inputs - 1), x - low];
      });
    }

    const operations = {
      conv: convolution,
      transposed: convolution,
      pool(step, k, x, y) {
        const shape = shapes[step.from[0]];
        windows(step, shape, function (to, channel, top, bottom, left, right, columns) {
          let best = -Infinity, place = top * columns + left;
          for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) {
            const value = heap[x + channel + i * columns + j];
            if (value > best) { best = value; place = i * columns + j; }
          }
          heap[y + to] = best;
          whole[kept[k] + to] = place;  // what SegNet remembers
        });
      },
      unpool(step, k, x, y) {
        const [channels, rows, columns] = shapes[step.from[0]], small = rows * columns, large = area(step.shape), places = kept[step.from[1] - 1];
        heap.fill(0, y, y + count(step.shape));
        for (let c = 0; c < channels; c++) for (let p = 0; p < small; p++) heap[y + c * large + whole[places + c * small + p]] = heap[x + c * small + p];
      },
      average(step, k, x, y) {
        const share = 1 / (step.kernel[0] * step.kernel[1]);
        windows(step, shapes[step.from[0]], function (to, channel, top, bottom, left, right, columns) {
          let sum = 0;
          for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) sum += heap[x + channel + i * columns + j];
          heap[y + to] = sum * share;
        });
      },
      mean(step, k, x, y) {
        const one = area(shapes[step.from[0]]);
        for (let c = 0; c < step.shape[0]; c++) heap[y + c] = heap.subarray(x + c * one, x + (c + 1) * one).reduce((sum, value) => sum + value, 0) / one;
      },
      spread(step, k, x, y) {  // one number a channel, over the whole map
        const one = area(step.shape);
        for (let c = 0; c < step.shape[0]; c++) heap.fill(heap[x + c], y + c * one, y + (c + 1) * one);
      },
      bilinear(step, k, x, y) {
        const [channels, rows, columns] = shapes[step.from[0]], [, height, width] = step.shape;
        const down = between(height, rows, step.corners), along = between(width, columns, step.corners);
        for (let c = 0; c < channels; c++, x += rows * columns) for (const [top, bottom, v] of down) for (const [left, right, u] of along) {
          const above = heap[x + top * columns + left] * (1 - u) + heap[x + top * columns + right] * u;
          const below = heap[x + bottom * columns + left] * (1 - u) + heap[x + bottom * columns + right] * u;
          heap[y++] = above * (1 - v) + below * v;
        }
      },
      scale(step, k, x, y) {
        const one = area(step.shape), floor = step.relu ? 0 : -Infinity;
        for (let c = 0; c < step.shape[0]; c++) {
          const [scale, shift] = [step.scale, step.shift].map((place) => exact(numbers, place, c, step.shape[0]));
          for (let p = c * one; p < (c + 1) * one; p++) heap[y + p] = Math.max(floor, heap[x + p] * scale + shift);
        }
      },
      relu(step, k, x, y) { for (let p = 0; p < count(step.shape); p++) heap[y + p] = Math.max(0, heap[x + p]); },
      add(step, k, x, y, other) {  // channel by channel; a channel that is one number is added everywhere
        const one = area(step.shape), [a, b] = step.from.map((source) => area(shapes[source]) === 1), floor = step.relu ? 0 : -Infinity;
        for (let c = 0, p = 0; c < step.shape[0]; c++) for (let q = 0; q < one; q++, p++) {
          heap[y + p] = Math.max(floor, heap[x + (a ? c : p)] + heap[other + (b ? c : p)]);
        }
      },
      concat(step, k, x, y) {
        step.from.forEach(function (source, i) {
          const length = count(shapes[source]);
          if (step.silent && step.silent.includes(i)) heap.fill(0, y, y + length);
          else heap.copyWithin(y, places[source], places[source] + length);
          y += length;
        });
      },
      crop(step, k, x, y) {
        const [channels, rows, columns] = shapes[step.from[0]], [, height, width] = step.shape, [top, left] = step.first, [down, along] = step.every;
        for (let c = 0; c < channels; c++) for (let i = 0; i < height; i++) for (let j = 0; j < width; j++) {
          heap[y++] = heap[x + (c * rows + top + i * down) * columns + left + j * along];
        }
      },
    };

    const map = (k) => heap.subarray(places[k], places[k] + count(shapes[k]));
    return {
      program, shapes, map,
      // Of a pooling, which pixel of its channel was the largest in each window.
      indices: (k) => whole.subarray(kept[k - 1], kept[k - 1] + count(shapes[k])),
      run(image) {
        heap.set(image, places[0]);
        program.steps.forEach((step, k) => operations[step.op](step, k, places[step.from[0]], places[k + 1], places[step.from[1]]));
        return map(program.output);
      },
    };
  }

  // What one pixel of map k can depend on: the rows and columns [top, bottom, left, right] of the image, both ends
  // included; beyond the image's edges stands padding. From the last step to the first, each operation says what it reads.
  function reach(program, k, row, column) {
    const shapes = [program.image, ...program.steps.map((step) => step.shape)], seen = shapes.map(() => null);
    const reads = {
      conv(s, [first, last], i) {
        const from = (p) => p * s.stride[i] - s.padding[i];
        return [from(first), from(last) + (s.kernel[i] - 1) * (s.dilation || [1, 1])[i]];
      },
      transposed(s, [first, last], i) {
        const from = (p) => (p + s.padding[i]) / s.stride[i];
        return [Math.ceil(from(first - s.kernel[i] + 1)), Math.floor(from(last))];
      },
      unpool: (s, span, i, from, to) => span.map((p) => Math.floor(p / Math.round(to / from))),
      bilinear(s, [first, last], i, from, to) {
        const at = s.corners
          ? (p) => (p * (from - 1)) / Math.max(1, to - 1)
          : (p) => ((p + 0.5) * from) / to - 0.5;
        return [Math.floor(at(first)), Math.ceil(at(last))];
      },
      mean: (s, span, i, from) => [0, from - 1],
      spread: () => [0, 0],
      crop: (s, span, i) => span.map((p) => s.first[i] + p * s.every[i]),
    };
    reads.pool = reads.average = reads.conv;
    seen[k] = [[row, row], [column, column]];
    for (let at = k; at > 0; at--) {
      if (!seen[at]) continue;
      const step = program.steps[at - 1];
      step.from.slice(0, step.op === "unpool" ? 1 : 2 ** 9).forEach(function (source, number) {
        if (step.silent && step.silent.includes(number)) return;
        const view = seen[at].map(function (span, axis) {
          const from = shapes[source][axis + 1], to = step.shape[axis + 1];
          return reads[step.op] ? reads[step.op](step, span, axis, from, to) : span;
        });
        const known = seen[source];
        seen[source] = known ? known.map((span, axis) => [Math.min(span[0], view[axis][0]), Math.max(span[1], view[axis][1])]) : view;
      });
    }
    return seen[0] && seen[0].flat();
  }

  return { bytes, halves, network, reach };
};
