"""What all four networks have in common: sizes stated and refused, statistics, configuration, weights, compilers."""

import copy
import io

import pytest
import torch
import torch.nn.functional as F
import torchvision

from segnb.models import FCN, DeepLabV3, SegNet, UNet
from segnb.models.base import SegmentationNet
from tests.models.shared import outputs_of, small_networks, torchvision_vgg16

KINDS = ["UNet", "FCN", "SegNet", "DeepLabV3"]


@pytest.fixture(params=KINDS)
def network(request):
    """(a narrow network in eval mode, a side that it takes)."""
    torch.manual_seed(0)
    model, side = small_networks()[request.param]
    return model.eval(), side


class Doubler(SegmentationNet):
    """The least a network can be: it shows what the base class does by itself, and takes sides of 5, 8, 11 … px."""

    def forward(self, x):
        return 2 * self.normalise(x)

    def accepts(self, side):
        return side >= 5 and side % 3 == 2


def test_images_are_normalised_by_the_buffers():
    model = Doubler(2, 2)
    x = torch.rand(1, 2, 5, 8)
    assert torch.equal(model(x), 2 * x)
    model.mean.copy_(torch.tensor([0.5, 0.25])[:, None, None])
    model.std.fill_(0.1)
    torch.testing.assert_close(model(x)[:, 1], 2 * (x[:, 1] - 0.25) / 0.1)
    assert {"mean", "std"} <= model.state_dict().keys()
    assert not list(model.parameters())


def test_valid_sizes():
    model = Doubler(1, 1)
    assert [model.valid_size(n) for n in (-3, 0, 5, 6, 8, 9)] == [5, 5, 5, 8, 8, 11]


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, r"image\.float\(\) / 255"),
        (torch.zeros(3, 8, 8), ValueError, r"N×3×H×W, not 3×8×8; add the batch dimension with image\[None\]"),
        (torch.zeros(1, 1, 8, 8), ValueError, "N×3×H×W, not 1×1×8×8"),
        (torch.zeros(8, 8), ValueError, "N×3×H×W, not 8×8"),
        (torch.zeros(1, 3, 7, 8), ValueError, "Doubler cannot take a height of 7 px: use 5 or 8"),
        (torch.zeros(1, 3, 8, 9), ValueError, "Doubler cannot take a width of 9 px: use 8 or 11"),
        (torch.zeros(1, 3, 8, 2), ValueError, "Doubler cannot take a width of 2 px: use 5$"),
    ],
)
def test_wrong_images_are_refused_with_a_cure(image, error, message):
    with pytest.raises(error, match=message):
        Doubler(3, 2)(image)


@pytest.mark.parametrize("kind", [UNet, FCN, SegNet, DeepLabV3])
@pytest.mark.parametrize("arguments", [(0, 2), (3, 0)])
def test_no_channels_or_no_classes(kind, arguments):
    with pytest.raises(ValueError, match="in_channels and num_classes must be at least 1"):
        kind(*arguments)


def test_logits_have_the_size_that_margin_says(network):
    model, side = network
    width = model.valid_size(side + 1)
    logits = model(torch.rand(2, 3, side, width))
    assert logits.shape == (2, 3, side - 2 * model.margin, width - 2 * model.margin)


def test_every_valid_size_is_the_least(network):
    model, side = network
    for n in range(1, side + 70):
        valid = model.valid_size(n)
        assert valid >= n
        assert model.accepts(valid)
        assert not any(model.accepts(smaller) for smaller in range(n, valid))


def test_stages_are_in_the_order_they_run(network):
    model, side = network
    maps = outputs_of(model, torch.rand(2, 3, side, side), model.stages)
    assert tuple(maps) == model.stages
    assert all(output.ndim == 4 and len(output) == 2 for output in maps.values())
    assert len(set(model.stages)) == len(model.stages)


def other(model):
    """Arguments that are no defaults, so that a forgotten one shows."""
    return {
        "UNet": {"num_classes": 4, "width": 3, "depth": 1, "padding": "same", "skips": False, "norm": "batch"},
        "FCN": {"num_classes": 4, "stride": 16, "width": 3, "hidden": 5, "learn_upsampling": True, "at_once": True, "norm": "batch"},
        "SegNet": {"num_classes": 4, "width": 3},
        "DeepLabV3": {
            "num_classes": 4, "backbone": "small", "output_stride": 8, "multi_grid": (1, 1, 2), "rates": (2,), "image_pooling": False,
            "stride_unit": "first", "keep_rate": False,
        },
    }[type(model).__name__]  # fmt: skip


def test_the_configuration_builds_the_network_again(network):
    model = type(network[0])(1, **other(network[0])).eval()
    assert model.config == {"in_channels": 1, **other(model)}
    twin = type(model)(**model.config).eval()
    twin.load_state_dict(model.state_dict())
    image = torch.rand(1, 1, 64, 64)
    assert torch.equal(twin(image), model(image))
    assert twin.stages == model.stages


def test_weights_survive_a_file_and_a_copy(network):
    model, side = network
    image = torch.rand(1, 3, side, side)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    twin = type(model)(**model.config).eval()
    twin.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(twin(image), model(image))
    assert torch.equal(copy.deepcopy(model)(image), model(image))


def test_float64_channels_last_and_bfloat16_autocast(network):
    model, side = network
    image = torch.rand(2, 3, side, side)
    with torch.no_grad():
        single = model(image)
        double = copy.deepcopy(model).double()(image.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-3, atol=1e-4)
    image = image.contiguous(memory_format=torch.channels_last)
    model.to(memory_format=torch.channels_last)
    with torch.no_grad():
        torch.testing.assert_close(model(image), single, rtol=1e-3, atol=1e-4)
    model.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(image)
    logits.float().square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_it_learns(network):
    """Ten steps on one batch of two textures; a net whose pieces do not fit together stays where it was."""
    model, side = network
    image = torch.rand(2, 3, side, side) * 0.2
    image[:, 0, :, side // 2 :] += 0.8
    mask = (image[:, 0] > 0.5).long()
    mask = mask[:, model.margin : side - model.margin, model.margin : side - model.margin]
    optimiser = torch.optim.AdamW(model.train().parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        loss = F.cross_entropy(model(image), mask)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) / 3 < 0.6 * losses[0]


def test_every_parameter_is_reached_by_the_loss(network):
    model, side = network
    if isinstance(model, FCN):  # scores of zero let nothing through at the first step
        for layer in (model.score, model.score_pool4, model.score_pool3):
            torch.nn.init.normal_(layer.weight)
    model.train()(torch.rand(2, 3, side, side)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised inside torch by its own tracing
def test_compile_without_graph_breaks_and_export(network):
    model, side = network
    image = torch.rand(1, 3, side, side)
    with torch.no_grad():
        wanted = model(image)
        compiled = torch.compile(model, backend="eager", fullgraph=True)(image)
        exported = torch.export.export(model, (image,)).module()(image)
    torch.testing.assert_close(compiled, wanted)
    torch.testing.assert_close(exported, wanted)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_exported_network_takes_pictures_of_other_sizes(network):
    model, side = network
    any_side = torch.export.Dim.DYNAMIC
    program = torch.export.export(
        model, (torch.rand(1, 3, side, side),), dynamic_shapes=({2: any_side, 3: any_side},)
    )
    image = torch.rand(1, 3, model.valid_size(side + 20), model.valid_size(side + 40))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(image), model(image))


# Weights from torchvision


def test_a_unet_has_no_encoder_to_load():
    with pytest.raises(ValueError, match="no weights for the encoder of UNet"):
        UNet(3, 2, width=2).load_encoder(pretrained=True)


def test_weights_or_a_download_but_not_both():
    model = FCN(width=2, hidden=2)
    for arguments in ({}, {"state_dict": {}, "pretrained": True}):
        with pytest.raises(ValueError, match="either the weights of torchvision's vgg16 or pretrained=True"):
            model.load_encoder(**arguments)


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        (
            FCN(width=4, hidden=2),
            torchvision_vgg16(False, width=2),
            r"vgg16,.*\(4, 3, 3, 3\) here and \(2, 3, 3, 3\) there",
        ),
        (FCN(1, width=2, hidden=2), torchvision_vgg16(False, width=2), r"3 channels.*\(2, 1, 3, 3\) here"),
        (FCN(width=2, hidden=2), torchvision_vgg16(True, width=2), "vgg16, and"),
        (FCN(width=2, hidden=2, norm="batch"), torchvision_vgg16(False, width=2), "vgg16_bn, and"),
        (FCN(width=2, hidden=2), torchvision.models.mobilenet_v3_small(), "None there"),
    ],
)
def test_other_weights_are_refused_and_change_nothing(model, weights, message):
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message):
        model.load_encoder(weights.state_dict())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_imagenets_statistics_come_with_the_weights():
    model = SegNet(width=2)
    assert model.mean.flatten().tolist() == [0, 0, 0]
    assert model.std.flatten().tolist() == [1, 1, 1]
    model.load_encoder(torchvision_vgg16(True, width=2).state_dict())
    assert model.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert model.std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])


def test_old_files_without_batch_counters_are_taken():
    net = torchvision_vgg16(True, width=2)
    weights = {name: t for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    model = SegNet(width=2)
    model.load_encoder(weights)
    assert torch.equal(model.encoder[4][7].running_var, net.features[41].running_var)


def test_pretrained_downloads_imagenets_weights_and_checks_them(monkeypatch):
    net, asked = torchvision_vgg16(True, width=2), []

    def download(self, *args, **kwargs):
        asked.append((str(self), kwargs))
        return net.state_dict()

    monkeypatch.setattr(torchvision.models.WeightsEnum, "get_state_dict", download)
    model = SegNet(width=2)
    model.load_encoder(pretrained=True)
    assert asked == [("VGG16_BN_Weights.IMAGENET1K_V1", {"check_hash": True})]
    assert torch.equal(model.encoder[0][0].weight, net.features[0].weight)


@pytest.mark.parametrize(
    "model",
    [FCN(width=2, hidden=2), FCN(width=2, hidden=2, norm="batch"), SegNet(width=2)],
    ids=["vgg16", "vgg16_bn", "SegNet"],
)
def test_torchvision_knows_the_name_of_every_encoder(model):
    assert torchvision.models.get_model_weights(model.encoder_name).IMAGENET1K_V1.url.startswith("https://")
