"""DeepLabv3 against the paper: counts, rates tied to the output stride, ASPP, and the mistakes every issue tracker knows."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import segnb
from segnb.models import ASPP, DeepLabV3
from tests.models.shared import (
    outputs_of,
    parameter_count,
    randomise,
    relative_difference,
    torchvision_resnet,
)


def paper(**arguments):
    with torch.device("meta"):
        return DeepLabV3(**arguments).eval()


def small(**arguments):
    torch.manual_seed(0)
    return DeepLabV3(3, 5, backbone="small", **arguments).eval()


def aspp_rates(model):
    return [branch[0].dilation[0] for branch in model.aspp.branches[1:]]


@pytest.mark.parametrize(("backbone", "count"), [("resnet50", 39_048_533), ("resnet101", 58_040_661)])
def test_parameter_counts(backbone, count):
    model = paper(backbone=backbone)
    assert parameter_count(model) == count
    assert parameter_count(model.aspp) + parameter_count(model.head) == 15_540_501


@pytest.mark.parametrize(("backbone", "count"), [("resnet50", 39_638_869), ("resnet101", 58_630_997)])
def test_torchvisions_network_has_one_3x3_convolution_more(backbone, count):
    with torch.device("meta"):
        make = getattr(torchvision.models.segmentation, f"deeplabv3_{backbone}")
        theirs = make(weights=None, weights_backbone=None, num_classes=21)
    assert parameter_count(theirs) == count
    assert count - parameter_count(paper(backbone=backbone)) == 9 * 256 * 256 + 2 * 256


def test_the_small_one_is_small_enough_to_ship():
    model = small()
    assert parameter_count(model) * 4 < 1_000_000
    assert [m.num_features for m in model.aspp.modules() if isinstance(m, nn.BatchNorm2d)] == [32] * 6


@pytest.mark.parametrize(("output_stride", "side"), [(16, 33), (8, 65), (32, 17)])
def test_a_crop_of_513(output_stride, side):
    model = paper(output_stride=output_stride)
    image = torch.rand(1, 3, 513, 513, device="meta")
    maps = outputs_of(model, image, ["backbone", "aspp", "head"])
    assert [tuple(m.shape[1:]) for m in maps.values()] == [
        (2048, side, side),
        (256, side, side),
        (21, side, side),
    ]
    assert model(image).shape == (1, 21, 513, 513)
    assert (model.margin, model.step) == (0, output_stride)


@pytest.mark.parametrize(
    ("output_stride", "layer4", "rates"),
    [(32, (1, 2, 4), [3, 6, 9]), (16, (2, 4, 8), [6, 12, 18]), (8, (4, 8, 16), [12, 24, 36])],
)
def test_rates_follow_the_output_stride(output_stride, layer4, rates):
    model = paper(output_stride=output_stride)
    assert tuple(unit.conv2.dilation[0] for unit in model.backbone.layer4) == layer4
    assert aspp_rates(model) == rates
    assert model.config["rates"] == (6, 12, 18)


@pytest.mark.parametrize(
    ("output_stride", "rates"), [(32, (5,)), (32, (1, 2)), (16, (0,)), (16, (1.5,)), (8, (-1,))]
)
def test_rates_that_are_not_whole_numbers(output_stride, rates):
    with pytest.raises(ValueError, match=f"at {output_stride} they become"):
        small(output_stride=output_stride, rates=rates)


def test_a_rate_may_become_whole():
    assert aspp_rates(small(output_stride=8, rates=(0.5, 1))) == [1, 2]


@pytest.mark.parametrize("image_pooling", [True, False])
@pytest.mark.parametrize("rates", [(), (6,), (6, 12, 18)])
def test_branches_are_concatenated(rates, image_pooling):
    model = small(rates=rates, image_pooling=image_pooling)
    assert len(model.aspp.branches) == 1 + len(rates)
    assert model.aspp.project[0].in_channels == 32 * (1 + len(rates) + image_pooling)
    assert ("aspp.image_pooling" in model.stages) == image_pooling
    assert model(torch.rand(1, 3, 40, 50)).shape == (1, 5, 40, 50)


def test_head_of_the_paper():
    model = paper()
    assert model.aspp.project[0].in_channels == 1280
    assert [m.kernel_size for m in (model.aspp.project[0], model.head)] == [(1, 1), (1, 1)]
    assert not any(isinstance(m, nn.Dropout) for m in model.modules())
    assert all(
        m.padding == m.dilation
        for m in model.aspp.modules()
        if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)
    )


def test_any_size_and_one_tensor():
    model = small()
    for height, width in ((1, 1), (2, 63), (33, 65), (100, 31)):
        logits = model(torch.rand(1, 3, height, width))
        assert isinstance(logits, torch.Tensor)
        assert logits.shape == (1, 5, height, width)


def test_logits_are_enlarged_as_labels_lie():
    model = small()
    image = torch.rand(1, 3, 65, 97)
    scores = outputs_of(model, image, ["head"])["head"]
    wanted = F.interpolate(scores, size=(65, 97), mode="bilinear", align_corners=False)
    torch.testing.assert_close(model(image), wanted)


def test_aspp_equals_torchvisions_with_the_same_weights():
    torch.manual_seed(0)
    with torch.device("meta"):
        theirs = torchvision.models.segmentation.deeplabv3.ASPP(12, [2, 4, 6])
    theirs = randomise(theirs)
    ours = ASPP(12, (2, 4, 6)).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values())))
    x = torch.randn(2, 12, 9, 14)
    with torch.no_grad():
        assert relative_difference(ours(x), theirs(x)) < 1e-5


def test_image_level_features_are_one_value_a_channel_and_image_at_any_size():
    pooling = small().aspp.image_pooling
    for size in ((3, 4), (1, 1), (8, 5)):
        x = torch.rand(2, 128, *size)
        with torch.no_grad():
            out = pooling(x)
            again = pooling(x.flatten(2)[..., torch.randperm(size[0] * size[1])].view_as(x))
        assert out.shape == (2, 32, *size)
        assert torch.equal(out, out[:, :, :1, :1].expand_as(out))
        torch.testing.assert_close(again, out)  # where a thing is makes no difference to the mean
        wanted = F.interpolate(out[:, :, :1, :1], size=size, mode="bilinear", align_corners=False)
        torch.testing.assert_close(out, wanted)


def test_one_image_in_training_is_refused_with_its_cures():
    image = torch.rand(1, 3, 48, 48)
    with pytest.raises(
        ValueError, match=r"Expected more than 1 value per channel when training.*two or more images"
    ):
        small().train()(image)
    assert small(image_pooling=False).train()(image).shape == (1, 5, 48, 48)
    frozen = small().train()
    frozen.aspp.image_pooling.eval()
    assert frozen(image).isfinite().all()
    assert small().train()(image.repeat(2, 1, 1, 1)).isfinite().all()


def test_two_images_in_training_give_image_level_features_of_plus_and_minus_one():
    torch.manual_seed(0)
    pooling = small().train().aspp.image_pooling
    with torch.no_grad():
        normalised = pooling.conv[:2](pooling.pool(100 * torch.rand(2, 128, 4, 4)))
    torch.testing.assert_close(normalised.abs(), torch.ones(2, 32, 1, 1), rtol=0, atol=1e-2)


def test_an_image_is_judged_by_its_company_the_more_the_smaller_the_batch():
    torch.manual_seed(0)
    pooling = small().train().aspp.image_pooling
    image = torch.rand(1, 128, 4, 4)

    def spread(batch_size):
        """How much the normalised features of one image differ between 40 batches of strangers."""
        batches = (torch.cat([image, torch.rand(batch_size - 1, 128, 4, 4)]) for _ in range(40))
        with torch.no_grad():
            return torch.stack([pooling.conv[:2](pooling.pool(batch))[0] for batch in batches]).std(0).mean()

    assert spread(4) > 1.4 * spread(16) > 0.1
    pooling.eval()  # frozen statistics, as in the paper's second phase: the company counts no more
    assert spread(4) < 1e-6


def taps(side, rate):
    """How many of a 3×3 kernel's nine taps lie on a side×side map, for every place, counted by a branch of ASPP on ones."""
    conv = ASPP(1, (rate,), False, channels=1).branches[1][0]
    nn.init.ones_(conv.weight)
    with torch.no_grad():
        return conv(torch.ones(1, 1, side, side)).round()


@pytest.mark.parametrize(
    ("rate", "nine", "one", "mean"),
    [
        (6, 0.6649, 0, 7.926), (12, 0.3979, 0, 6.921), (18, 0.1991, 0, 5.984), (24, 0.0684, 0, 5.115),
        (36, 0, 0.0116, 3.581), (48, 0, 0.2275, 2.320), (63, 0, 0.8807, 1.127), (65, 0, 1, 1),
    ],
)  # fmt: skip
def test_figure_4_on_a_map_of_65(rate, nine, one, mean):
    count = taps(65, rate)
    assert (count == 9).float().mean().item() == pytest.approx(nine, abs=6e-5)
    assert (count == 1).float().mean().item() == pytest.approx(one, abs=6e-5)
    assert count.mean().item() == pytest.approx(mean, abs=6e-4)


@pytest.mark.parametrize("side", [8, 21, 33, 65])
def test_valid_weights_in_closed_form(side):
    for rate in range(1, side + 2):
        count = taps(side, rate)
        nine, one = (count == 9).float().mean().item(), (count == 1).float().mean().item()
        assert nine == pytest.approx((max(0, side - 2 * rate) / side) ** 2, abs=1e-6)
        assert one == pytest.approx((min(max(0, 2 * rate - side), side) / side) ** 2, abs=1e-6)


@pytest.mark.parametrize(("side", "expected"), [(33, (0.405, 0.074, 0)), (21, (0.184, 0, 0)), (8, (0, 0, 0))])
def test_what_is_left_of_the_papers_rates_on_smaller_maps(side, expected):
    found = [(taps(side, rate) == 9).float().mean().item() for rate in (6, 12, 18)]
    assert found == pytest.approx(expected, abs=5e-4)


def test_a_rate_as_large_as_the_map_is_a_1x1_convolution():
    torch.manual_seed(0)
    conv = ASPP(4, (8,), False, channels=6).branches[1][0]
    x = torch.randn(1, 4, 8, 8)
    centre = F.conv2d(x, conv.weight[:, :, 1:2, 1:2])
    torch.testing.assert_close(conv(x), centre)


@pytest.mark.parametrize("backbone", ["resnet50", "resnet101"])
def test_load_encoder_leaves_out_the_classifier_only(backbone):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, backbone)()
        model = DeepLabV3(backbone=backbone)
    _, weights = model.encoder_weights(theirs.state_dict())
    assert weights.keys() == model.backbone.state_dict().keys()


@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_features_equal_torchvisions(output_stride):
    replace = [False, output_stride <= 8, output_stride <= 16]
    theirs = torchvision_resnet("resnet50", replace_stride_with_dilation=replace)
    model = DeepLabV3(output_stride=output_stride, multi_grid=(1, 1, 1), rates=(), image_pooling=False).eval()
    model.load_encoder(theirs.state_dict())
    image = torch.rand(1, 3, 49, 65)
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    layers = [f"layer{i}" for i in (1, 2, 3, 4)]
    wanted = outputs_of(theirs, (image - mean) / std, layers)
    found = outputs_of(model, image, [f"backbone.{layer}" for layer in layers])
    for layer in layers:
        assert relative_difference(found[f"backbone.{layer}"], wanted[layer]) < 1e-5


def test_load_encoder_moves_the_strides_and_the_file_remembers(tmp_path):
    model = DeepLabV3(num_classes=2, rates=(), image_pooling=False).eval()
    assert [unit.stride for unit in model.backbone.layer3] == [1] * 6
    assert [unit.stride for unit in model.backbone.layer2] == [1, 1, 1, 2]
    model.load_encoder(torchvision_resnet("resnet50").state_dict())
    assert [unit.stride for unit in model.backbone.layer2] == [2, 1, 1, 1]
    segnb.save(model, tmp_path / "net.pt")
    again = segnb.load(tmp_path / "net.pt").eval()
    image = torch.rand(1, 3, 33, 49)
    assert torch.equal(again(image), model(image))


def test_weights_that_do_not_fit_leave_the_strides_where_they_are():
    model = DeepLabV3(rates=(), image_pooling=False)
    with pytest.raises(ValueError, match="these weights do not fit"):
        model.load_encoder({"conv1.weight": torch.zeros(1)})
    assert model.config["stride_unit"] == "last"
    assert model.backbone.layer2[0].stride == 1


def test_the_small_backbone_has_no_pretrained_weights():
    with pytest.raises(ValueError, match="no weights for the encoder of DeepLabV3"):
        small().load_encoder({})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg16"}, "backbone is one of resnet50, resnet101, small, not 'vgg16'"),
        ({"output_stride": 4}, "output_stride is 8, 16 or 32, not 4"),
        ({"multi_grid": (1, 2)}, "multi_grid needs 3"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DeepLabV3(**{"backbone": "small", **arguments})


def test_wrong_rates_on_the_map():
    for rates in ((0,), (2.5,)):
        with pytest.raises(ValueError, match="rates are whole numbers of at least 1"):
            ASPP(4, rates)
