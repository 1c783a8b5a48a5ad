// The loop in which a network's time goes. A convolution is a list of terms, (where,
// weight): each pixel of the output is the bias plus, for every term, the weight times
// the number that lies `where` pixels further on in the input.
//
// Four maps are made at once, eight pixels at a time: eight registers of four numbers,
// which stay where they are while all terms pass by. weights: four biases, then four
// weights for each term, one for each map. places: for each term, how many bytes further
// on to read. room: bytes from one map of the output to the next. Writes up to seven
// pixels too many.
export function convolve(
  x: usize, places: usize, terms: i32, weights: usize,
  y: usize, length: i32, room: usize, relu: bool
): void {
  const floor = f32x4.splat(relu ? 0 : -Infinity);
  for (let p = 0; p < length; p += 8) {
    let a0 = v128.load32_splat(weights), b0 = v128.load32_splat(weights, 4);
    let c0 = v128.load32_splat(weights, 8), d0 = v128.load32_splat(weights, 12);
    let a1 = a0, b1 = b0, c1 = c0, d1 = d0;
    let w = weights + 16;
    for (let t = places, end = places + (<usize>terms << 2); t < end; t += 4) {
      const from = x + load<u32>(t), left = v128.load(from), right = v128.load(from, 16);
      let weight = v128.load32_splat(w);
      a0 = f32x4.add(a0, f32x4.mul(left, weight));
      a1 = f32x4.add(a1, f32x4.mul(right, weight));
      weight = v128.load32_splat(w, 4);
      b0 = f32x4.add(b0, f32x4.mul(left, weight));
      b1 = f32x4.add(b1, f32x4.mul(right, weight));
      weight = v128.load32_splat(w, 8);
      c0 = f32x4.add(c0, f32x4.mul(left, weight));
      c1 = f32x4.add(c1, f32x4.mul(right, weight));
      weight = v128.load32_splat(w, 12);
      d0 = f32x4.add(d0, f32x4.mul(left, weight));
      d1 = f32x4.add(d1, f32x4.mul(right, weight));
      w += 16;
    }
    let to = y;
    v128.store(to, f32x4.max(a0, floor));
    v128.store(to, f32x4.max(a1, floor), 16);
    to += room;
    v128.store(to, f32x4.max(b0, floor));
    v128.store(to, f32x4.max(b1, floor), 16);
    to += room;
    v128.store(to, f32x4.max(c0, floor));
    v128.store(to, f32x4.max(c1, floor), 16);
    to += room;
    v128.store(to, f32x4.max(d0, floor));
    v128.store(to, f32x4.max(d1, floor), 16);
    x += 32; y += 32;
  }
}
