"""What `setup` decides on machines that this one is not: their answers are put in torch's mouth."""

import platform
import random
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

import segnb
from segnb import run as module
from segnb.run import Run, current, seed_everything, setup, too_old

ONES = torch.ones


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No Run yet, no environment that decides anything, and versions that are new enough."""
    monkeypatch.setattr(module, "_current", None)
    for name in (*module.OVERRIDES, "RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def gpu(monkeypatch):
    """A machine whose GPU works; returns a function that sets its compute capability."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a, **k: True)  # as a T4 claims
    monkeypatch.setattr(torch, "ones", lambda *shape, device=None: ONES(*shape))

    def capability(major, minor):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, minor))

    capability(8, 0)
    return capability


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_setup_prints_versions_and_device_and_returns_the_run(capsys, no_gpu):
    run = setup(3)
    printed = capsys.readouterr().out
    assert isinstance(run, segnb.Run)
    assert (run.device, run.seed, run.trouble) == (torch.device("cpu"), 3, None)
    for name in ("segnb", "torch", "torchvision", "numpy"):
        assert f"{name} {metadata.version(name)}" in printed
    assert platform.python_version() in printed
    assert "device: cpu" in printed
    assert str(run.dtype).removeprefix("torch.") in printed
    assert current() is run


def test_the_seed_reaches_all_three_generators():
    def draw():
        return torch.rand(3).tolist() + np.random.rand(3).tolist() + [random.random()]  # noqa: NPY002

    setup(5)
    first = draw()
    assert draw() != first
    setup(5)
    assert draw() == first
    setup(6)
    assert draw() != first


def test_without_setup_a_run_is_made_quietly_and_no_seed_is_touched(capsys):
    seed_everything(1)
    before = torch.get_rng_state()
    run = current()
    assert capsys.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), before)
    assert current() is run
    assert setup() is current()
    assert current() is not run


def test_scale_sizes_by_device():
    assert Run(torch.device("cpu"), torch.float32).scale(cpu=3, gpu=30) == 3
    assert Run(torch.device("cuda"), torch.float16).scale(cpu=3, gpu=30) == 30


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((6, 0), torch.float16), ((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_bfloat16_only_from_compute_capability_8(gpu, capability, dtype, capsys):
    gpu(*capability)
    run = setup()
    assert (run.device, run.dtype) == (torch.device("cuda"), dtype)
    assert "cuda (a GPU)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "CUDA error: no kernel image is available for execution on the device\nCompile with ..."
        ),
        AssertionError("Torch not compiled with CUDA enabled"),
    ],
)
def test_a_gpu_that_fails_its_trial_operation_is_not_used(gpu, monkeypatch, capsys, error):
    def fails(*shape, device=None):
        raise error

    monkeypatch.setattr(torch, "ones", fails)
    run = setup()
    reason = str(error).split("\n")[0]
    assert run.device == torch.device("cpu")
    assert run.trouble == f"The GPU failed its trial operation ({reason}): the CPU is used."
    assert capsys.readouterr().out.splitlines()[-1] == run.trouble


def test_a_gpu_that_computes_nonsense_is_not_used(gpu, monkeypatch):
    monkeypatch.setattr(torch, "ones", lambda *shape, device=None: ONES(*shape) + 1)
    assert setup().device == torch.device("cpu")


def test_a_run_made_quietly_still_warns_of_a_broken_gpu(gpu, monkeypatch):
    monkeypatch.setattr(torch, "ones", lambda *shape, device=None: ONES(*shape) + 1)
    with pytest.warns(UserWarning, match="trial operation"):
        current()


def test_the_environment_overrides_the_device(gpu, monkeypatch):
    monkeypatch.setenv("SEGNB_DEVICE", "cpu")
    assert setup().device == torch.device("cpu")
    monkeypatch.setenv("SEGNB_DEVICE", "cuda")
    assert setup().device == torch.device("cuda")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_environment_overrides_the_number_format(no_gpu, monkeypatch, capsys, dtype):
    monkeypatch.setenv("SEGNB_DTYPE", dtype)
    run = setup()
    assert run.dtype == getattr(torch, dtype)
    assert (
        f"cpu ({torch.get_num_threads()} threads), {dtype}\nas asked by SEGNB_DTYPE={dtype}"
        in capsys.readouterr().out
    )
    with run.autocast():
        out = torch.nn.functional.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))
    assert out.dtype == run.dtype


def test_the_environment_overrides_the_number_format_of_a_gpu(gpu, monkeypatch):
    gpu(9, 0)
    monkeypatch.setenv("SEGNB_DTYPE", "float16")
    assert setup().dtype == torch.float16


def test_the_environment_overrides_the_sizes(no_gpu, monkeypatch, capsys):
    assert setup().scale(cpu=3, gpu=30) == 3
    assert "as asked by" not in capsys.readouterr().out
    monkeypatch.setenv("SEGNB_SCALE", "gpu")
    run = setup()
    assert (run.device, run.scale(cpu=3, gpu=30)) == (torch.device("cpu"), 30)
    assert "as asked by SEGNB_SCALE=gpu" in capsys.readouterr().out


def test_small_sizes_on_a_gpu(gpu, monkeypatch):
    monkeypatch.setenv("SEGNB_SCALE", "cpu")
    run = setup()
    assert (run.device.type, run.scale(cpu=3, gpu=30)) == ("cuda", 3)


@pytest.mark.parametrize(
    ("variable", "word", "choices"),
    [
        ("SEGNB_DEVICE", "tpu", "cpu, cuda, mps"),
        ("SEGNB_DTYPE", "half", "float32, bfloat16, float16"),
        ("SEGNB_SCALE", "large", "cpu, gpu"),
    ],
)
def test_an_unknown_word_in_the_environment_names_the_choices(no_gpu, monkeypatch, variable, word, choices):
    monkeypatch.setenv(variable, word)
    with pytest.raises(ValueError, match=f"{variable} is one of {choices} or unset, not '{word}'"):
        setup()


def test_cuda_asked_for_on_a_machine_without_one(monkeypatch, capsys):
    def fails(*shape, device=None):
        raise RuntimeError("Found no NVIDIA driver on your system.")

    monkeypatch.setattr(torch, "ones", fails)
    monkeypatch.setenv("SEGNB_DEVICE", "cuda")
    assert setup().device == torch.device("cpu")
    assert "no NVIDIA driver" in capsys.readouterr().out


def test_mps_only_when_asked(monkeypatch, no_gpu, capsys):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert setup().device == torch.device("cpu")
    monkeypatch.setenv("SEGNB_DEVICE", "mps")
    run = setup()
    assert (run.device, run.dtype) == (torch.device("mps"), torch.float32)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert setup().device == torch.device("cpu")
    assert "SEGNB_DEVICE=mps" in capsys.readouterr().out


def test_under_torchrun_each_process_has_its_gpu_and_one_speaks(gpu, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert setup().device == torch.device("cuda", 1)
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("RANK", "0")
    setup()
    assert "device" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("has", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "amx_tile": True}, torch.bfloat16),
        ({"architecture": "aarch64", "bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_vnni": True, "avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_bfloat16_on_processors_that_multiply_it(monkeypatch, no_gpu, has, dtype):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert setup().dtype == dtype
    # The same instructions are of no use to a torch that was built without the library for them.
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert setup().dtype == torch.float32


def test_older_versions_of_torch_are_asked_otherwise(monkeypatch, no_gpu):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert setup().dtype == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert setup().dtype == torch.float32
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert setup().dtype == torch.float32


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists(), reason="reads Linux's list"
)
def test_the_answer_for_this_processor_agrees_with_the_kernels(no_gpu):
    flags = next(
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")
    ).split()
    expected = torch.bfloat16 if {"avx512_bf16", "amx_bf16"} & set(flags) else torch.float32
    assert setup().dtype == expected


def test_old_and_missing_packages_are_named_with_the_cure(monkeypatch):
    versions = {"torch": "2.5.1+cu121", "numpy": "2.0.0", "tqdm": "4.66"}

    def version(name):
        if name in versions:
            return versions[name]
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda name: ["torch>=2.6", "numpy>=2.0", "tqdm", "scipy"])
    assert too_old() == [
        'torch 2.5.1+cu121 is too old for this course: pip install "torch>=2.6"',
        "scipy is missing: pip install scipy",
    ]
    with pytest.warns(UserWarning, match="torch|scipy") as seen:
        setup()
    assert [str(warning.message) for warning in seen] == too_old()
    versions |= {"torch": "2.10.0", "scipy": "1.0"}  # 2.10 is newer than 2.6, though not as a text
    assert too_old() == []


def test_the_versions_installed_here_are_new_enough():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        setup()
    assert too_old() == []
    assert "torch>=2.6" in metadata.requires("segnb")
