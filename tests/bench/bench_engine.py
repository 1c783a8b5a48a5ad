"""The engine in the page beside onnxruntime-web: milliseconds for one picture, in headless Chromium.

The street U-Net at 96×128, each with one thread: ours in WebAssembly, onnxruntime-web's WASM backend (from npm) with the
same network, exported by torch. Interleaved: every round runs both once, and the ratio is the median over the rounds of
each round's ratio. Needs Node, and npm's registry.
"""

import base64
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import segnb
from segnb.demos.engine import Weights, program
from tests import browser
from tests.demos.test_kernel import environment

PEER = "onnxruntime-web@1.30.0"
ROUNDS = 20
SHAPE = (3, 96, 128)

PAGE = """<!doctype html><meta charset="utf-8"><title>bench</title>
<script src="node_modules/onnxruntime-web/dist/ort.wasm.min.js"></script>
<script>
%(engine)s
const given = %(given)s;
const ready = (async function () {
  const parts = engine(), numbers = parts.halves(parts.bytes(given.weights).buffer);
  const net = parts.network(given.program, numbers, parts.bytes(given.kernel));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = location.origin + "/node_modules/onnxruntime-web/dist/";
  const session = await ort.InferenceSession.create("net.onnx", { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  const image = Float32Array.from({ length: given.image[0] * given.image[1] * given.image[2] }, (_, i) => (i %% 251) / 251);
  const feeds = { image: new ort.Tensor("float32", image, [1, ...given.image]) };
  const contestants = {
    ours: async () => net.run(image),
    theirs: async () => Object.values(await session.run(feeds))[0].data,
  };
  for (let i = 0; i < 5; i++) for (const run of Object.values(contestants)) await run();
  const answers = { ours: (await contestants.ours()).slice(), theirs: (await contestants.theirs()).slice() };
  let same = 0;
  const classes = given.classes, one = answers.ours.length / classes;
  const largest = (values, p) => { let best = 0; for (let k = 1; k < classes; k++) if (values[k * one + p] > values[best * one + p]) best = k; return best; };
  for (let p = 0; p < one; p++) same += largest(answers.ours, p) === largest(answers.theirs, p);
  const rounds = [];
  for (let i = 0; i < given.rounds; i++) {
    const took = {};
    for (const name of i %% 2 ? ["ours", "theirs"] : ["theirs", "ours"]) {
      const start = performance.now();
      await contestants[name]();
      took[name] = performance.now() - start;
    }
    rounds.push(took);
  }
  return { rounds, same: same / one };
})();
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def write(folder):
    """Put the peer, the exported network and the page into `folder`."""
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), PEER],
        check=True,
        env=environment(),
    )
    torch.manual_seed(0)
    model, weights = segnb.load_trained("street").cpu().eval(), Weights()
    image = torch.rand(1, *SHAPE)
    torch.onnx.export(
        model,
        (image,),
        str(folder / "net.onnx"),
        dynamo=True,
        input_names=["image"],
        verbose=False,
        external_data=False,
    )
    with torch.no_grad():
        classes = model(image).shape[1]
    engine = files("segnb.demos.engine")
    written = program(model, SHAPE, weights)
    given = {
        "program": written, "image": SHAPE, "classes": classes, "rounds": ROUNDS,
        "weights": base64.b64encode(weights.bytes()).decode(),
        "kernel": base64.b64encode((engine / "kernel.wasm").read_bytes()).decode(),
    }  # fmt: skip
    (folder / "index.html").write_text(
        PAGE % {"engine": (engine / "engine.js").read_text(), "given": json.dumps(given)}
    )


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=name))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.launch(folder)
        try:
            page.driver.set_script_timeout(300)
            page.driver.get(f"http://127.0.0.1:{server.server_port}/index.html")
            found = page.driver.execute_async_script(
                "const done = arguments[0]; ready.then(done, (error) => done({ error: String(error) }));"
            )
        finally:
            page.driver.quit()
            server.shutdown()
    if "error" in found:
        raise RuntimeError(found["error"])
    times = [(one["ours"], one["theirs"]) for one in found["rounds"]]
    low, middle, high = statistics.quantiles([ours / theirs for ours, theirs in times], n=4)
    ours, theirs = (statistics.median(column) for column in zip(*times))
    print(
        f"street U-Net at {SHAPE[1]}×{SHAPE[2]}, ours / {PEER}: {ours:.1f} / {theirs:.1f} ms, "
        f"ratio {middle:.2f} ({low:.2f}-{high:.2f}), wanted <= 1.5; same class in {found['same']:.2%} of the pixels"
    )


if __name__ == "__main__":
    main()
