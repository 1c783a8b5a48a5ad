"""On what we compute, in which number format, from which seed: `setup` decides, the rest follows."""

import os
import platform
import random
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import torch

DEVICES = ("cpu", "cuda", "mps")
DTYPES = ("float32", "bfloat16", "float16")
SIZES = ("cpu", "gpu")
OVERRIDES = ("SEGNB_DEVICE", "SEGNB_DTYPE", "SEGNB_SCALE")


@dataclass(frozen=True)
class Run:
    """What `setup` decided.

    Attributes:
        device, seed: where networks are trained; what the generators started from.
        dtype: of the fast operations in training (`autocast` knows which); all else stays float32.
        trouble: a sentence on why a GPU is not used although there is one, or None.
        sizes: "cpu" or "gpu", which of its arguments `scale` gives; None goes by the device.
    """

    device: torch.device
    dtype: torch.dtype
    seed: int = 0
    trouble: str | None = None
    sizes: str | None = None

    def scale(self, *, cpu, gpu) -> Any:
        """`cpu` or `gpu`, as SEGNB_SCALE or else the device says: `steps = run.scale(cpu=150, gpu=1500)`."""
        small = self.sizes == "cpu" if self.sizes else self.device.type == "cpu"
        return cpu if small else gpu

    def autocast(self) -> torch.autocast:
        """The context in which a forward pass of training runs."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)


_current: Run | None = None


def setup(seed=0) -> Run:
    """Choose device and number format, seed torch, numpy and random, print what is used; return the `Run`.

    A GPU is used if it computes one small convolution rightly, else one sentence says why not. float16 (with
    a gradient scaler) on GPUs before compute capability 8.0, bfloat16 from 8.0 on and on CPUs with
    instructions for it, else float32. Environment variables override each choice: SEGNB_DEVICE=cpu|cuda|mps
    the device (mps is used only when asked for), SEGNB_DTYPE=float32|bfloat16|float16 the number format, and
    SEGNB_SCALE=cpu|gpu the sizes that `Run.scale` gives. What they changed is printed too. Under torchrun
    each process takes its own GPU, and only the first prints. Warns of versions that are too old.
    Raises: ValueError: another word in one of these variables.
    """
    global _current
    _current = _choose(seed)
    seed_everything(seed)
    if os.environ.get("RANK", "0") == "0":
        print(describe(_current))
        if _current.trouble:
            print(_current.trouble)
    for sentence in too_old():
        warnings.warn(sentence, stacklevel=2)
    return _current


def current() -> Run:
    """The `Run` of the last `setup`, or one made without a word and without touching any seed."""
    global _current
    if _current is None:
        _current = _choose()
        if _current.trouble:
            warnings.warn(_current.trouble, stacklevel=3)
    return _current


def describe(run) -> str:
    """Versions and device in two lines, and in a third what environment variables ask for."""
    names = ("segnb", "torch", "torchvision", "numpy")
    versions = [f"{name} {_version(name) or 'not installed'}" for name in names]
    where = f"{torch.get_num_threads()} threads"
    if run.device.type == "cuda":
        where = torch.cuda.get_device_name(run.device)
    lines = [
        f"Python {platform.python_version()} · {' · '.join(versions)}",
        f"device: {run.device} ({where}), {str(run.dtype).removeprefix('torch.')}",
    ]
    if asked := [f"{name}={os.environ[name]}" for name in OVERRIDES if os.environ.get(name)]:
        lines.append(f"as asked by {', '.join(asked)}")
    return "\n".join(lines)


def too_old() -> list[str]:
    """A sentence for each package that is missing or older than the lower bound in segnb's own metadata."""
    try:
        required = metadata.requires("segnb") or []
    except metadata.PackageNotFoundError:
        return ["segnb is not installed, so its requirements are unknown: pip install -e ."]
    found = []
    for line in required:
        name, bound = re.match(r"([\w-]+)(?:>=([\d.]+))?", line).groups()
        version = _version(name)
        if version is None:
            found.append(f"{name} is missing: pip install {name}")
        elif bound and _numbers(version) < _numbers(bound):
            found.append(f'{name} {version} is too old for this course: pip install "{name}>={bound}"')
    return found


def seed_everything(seed) -> None:
    """Start the generators of torch (all devices), numpy and random from `seed`."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - other people's augmentations draw from the global one
    random.seed(int(seed))


@contextmanager
def evaluating(model) -> Iterator[None]:
    """Eval mode, true float32, no gradients inside; afterwards all is as before, each module's mode too."""
    modes = [(module, module.training) for module in model.modules()]
    device = device_of(model).type
    cudnn = torch.backends.cudnn
    kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
    model.eval()
    try:
        # allow_tf32: on newer GPUs "float32" convolutions would round to 10 bits and tiles no longer agree.
        with (
            torch.no_grad(),
            torch.autocast(device if device != "meta" else "cpu", enabled=False),
            cudnn.flags(**kept, allow_tf32=False),
        ):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def device_of(model) -> torch.device:
    """Where the model's numbers are; the CPU for a model without any."""
    return next(
        (t.device for group in (model.parameters(), model.buffers()) for t in group), torch.device("cpu")
    )


def _choose(seed=0):
    device, trouble = _choose_device(_asked("SEGNB_DEVICE", DEVICES))
    dtype = _asked("SEGNB_DTYPE", DTYPES)
    dtype = getattr(torch, dtype) if dtype else _choose_dtype(device)
    return Run(device, dtype, seed, trouble, _asked("SEGNB_SCALE", SIZES))


def _asked(variable, words):
    """What an environment variable asks for, one of `words`, or None."""
    word = os.environ.get(variable, "").lower()
    if word not in ("", *words):
        raise ValueError(f"{variable} is one of {', '.join(words)} or unset, not {word!r}")
    return word or None


def _choose_device(wanted):
    """(device, sentence about what is wrong or None)."""
    if wanted == "mps":
        if torch.backends.mps.is_available():
            return torch.device("mps"), None
        return torch.device("cpu"), "SEGNB_DEVICE=mps, but this machine has no such device: the CPU is used."
    if wanted == "cpu" or not (wanted or torch.cuda.is_available()):
        return torch.device("cpu"), None
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if "LOCAL_RANK" in os.environ else "cuda"
    return _try_gpu(torch.device(device))


def _try_gpu(device):
    """`is_available` promises much: a GPU too old for this torch fails only at its first operation."""
    try:
        ones = torch.ones(1, 1, 3, 3, device=device)
        right = torch.nn.functional.conv2d(ones, ones).item() == 9
        reason = "a sum of nine ones came out wrong"
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch built without CUDA
        right, reason = False, str(error).strip().split("\n")[0]
    if right:
        return device, None
    return torch.device("cpu"), f"The GPU failed its trial operation ({reason}): the CPU is used."


def _choose_dtype(device):
    if device.type == "cuda":
        # Not is_bf16_supported(): a T4 (7.5) answers yes, and emulates it slowly.
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _cpu_has_bfloat16() else torch.float32


def _cpu_has_bfloat16():
    """Whether instructions multiply bfloat16, and the library uses them; else it is emulated, and slow."""
    if not torch.backends.mkldnn.is_available():
        return False
    if hasattr(torch.cpu, "get_capabilities"):  # newer torch; "bf16" is ARM's
        has = torch.cpu.get_capabilities()
        return any(has.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in tests)


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version):
    """'2.13.0+cpu' → (2, 13, 0), for comparing."""
    return tuple(int(part) for part in re.match(r"[\d.]*\d", version).group().split("."))
