"""SegNet against the paper and the released network: counts, rounding of sizes, indices, what follows what."""

import pytest
import torch
from torch import nn

from segnb.models import SegNet
from tests.models.shared import outputs_of, parameter_count, pooled, relative_difference, torchvision_vgg16


def paper(**arguments):
    with torch.device("meta"):
        return SegNet(**arguments)


def narrow(**arguments):
    torch.manual_seed(0)
    return SegNet(**{"width": 4, **arguments}).eval()


@pytest.mark.parametrize(("classes", "count"), [(11, 29_449_355), (21, 29_455_125), (32, 29_461_472)])
def test_parameter_counts(classes, count):
    assert parameter_count(paper(num_classes=classes)) == count


def test_26_convolutions_with_bias_and_25_batch_norms():
    model = paper()
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 26
    assert all(m.bias is not None and m.kernel_size == (3, 3) for m in convolutions)
    assert (
        sum(m.weight.numel() for m in convolutions) + sum(m.bias.numel() for m in convolutions) == 29_433_483
    )
    assert sum(isinstance(m, nn.BatchNorm2d) for m in model.modules()) == 25


def test_the_decoder_mirrors_the_encoder():
    model = paper()
    down = [(m.in_channels, m.out_channels) for m in model.encoder.modules() if isinstance(m, nn.Conv2d)]
    up = [(m.in_channels, m.out_channels) for m in model.decoder.modules() if isinstance(m, nn.Conv2d)]
    up.append((model.head.in_channels, model.head.out_channels))
    assert down[0] == (3, 64)
    assert up[-1] == (64, 11)
    assert up[:-1] == [(out, into) for into, out in reversed(down[1:])]


def test_sides_are_rounded_up_as_in_caffe():
    model = paper()
    x = torch.rand(1, 3, 360, 480, device="meta")
    sizes = [tuple(m.shape[2:]) for m in outputs_of(model, x, [f"pool.{i}" for i in range(5)]).values()]
    assert sizes == [(180, 240), (90, 120), (45, 60), (23, 30), (12, 15)]
    back = [tuple(m.shape[2:]) for m in outputs_of(model, x, [f"unpool.{i}" for i in range(5)]).values()]
    assert back == [(23, 30), (45, 60), (90, 120), (180, 240), (360, 480)]


def test_any_size_from_32_up():
    model = narrow(width=1)
    for height in range(32, 100):
        for width in (32, 33, 131 - height):
            assert model(torch.rand(1, 3, height, width)).shape == (1, 11, height, width)
    assert (model.margin, model.step) == (0, 32)
    assert [model.valid_size(n) for n in (1, 32, 33)] == [32, 32, 33]


@pytest.mark.parametrize("side", [1, 31])
def test_too_small_an_image_is_refused_by_name(side):
    with pytest.raises(ValueError, match=f"SegNet cannot take a height of {side} px: use 32"):
        narrow()(torch.rand(1, 3, side, 64))


@pytest.mark.parametrize("size", [(64, 64), (37, 45)])
def test_values_go_back_to_where_they_were_the_maximum(size):
    """Every unpooling against its pooling: so the indices are used last in, first out, and with the right row length."""
    model = narrow()
    taken, placed = [], []
    for pool, unpool in zip(model.pool, model.unpool):
        pool.register_forward_hook(lambda module, inputs, output: taken.append((inputs[0], output[1])))
        unpool.register_forward_hook(lambda module, inputs, output: placed.append((inputs[0], output)))
    with torch.no_grad():
        model(torch.rand(2, 3, *size))
    for (before, where), (small, sparse) in zip(taken, reversed(placed)):
        assert sparse.shape == before.shape
        rows, columns = where // before.shape[3], where % before.shape[3]
        windows = torch.stack([rows // 2, columns // 2])
        grid = torch.meshgrid(*(torch.arange(n) for n in where.shape[2:]), indexing="ij")
        # Each inside its own window.
        assert torch.equal(windows, torch.stack(grid)[:, None, None].expand_as(windows))
        assert torch.equal(sparse.flatten(2).gather(2, where.flatten(2)), small.flatten(2))
        assert sparse.count_nonzero() == small.count_nonzero()  # and zeros stay zeros


def test_without_the_size_odd_maps_go_wrong_and_with_it_they_do_not():
    torch.manual_seed(0)
    model = narrow()
    refused = silent = 0
    for _ in range(200):
        x = torch.rand(1, 1, 5, 7)
        small, where = model.pool[0](x)
        right = model.unpool[0](small, where, output_size=x.shape[2:])
        assert torch.equal(right, x * (right > 0))
        try:
            # What pooling that rounds down would keep.
            wrong = model.unpool[0](small[..., :2, :3], where[..., :2, :3])
        except RuntimeError:
            refused += 1
        else:
            kept = (
                torch.zeros(1, 1, 5, 7)
                .flatten(2)
                .scatter(2, where[..., :2, :3].flatten(2), 1.0)
                .view(1, 1, 5, 7)
            )
            silent += not torch.equal(wrong, (x * kept)[..., :4, :6])
    assert refused > 50
    assert silent > 50


def in_encoder_order(model, image):
    """A common mistake: the indices are taken first in, first out."""
    x, kept = image, []
    for stage, pool in zip(model.encoder, model.pool):
        x, where = pool(stage(x))
        kept.append(where)
    for unpool, stage in zip(model.unpool, model.decoder):
        x = stage(unpool(x, kept.pop(0)))
    return model.head(x)


def overwritten(model, image):
    """Another one: a single variable for the indices of all stages."""
    x = image
    for stage, pool in zip(model.encoder, model.pool):
        x, where = pool(stage(x))
    for unpool, stage in zip(model.unpool, model.decoder):
        x = stage(unpool(x, where))
    return model.head(x)


@pytest.mark.parametrize("wrong", [in_encoder_order, overwritten])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 96), (70, 35)])
def test_indices_of_another_stage_never_pass_in_silence(wrong, size):
    """From 32 px up every stage is smaller than the one before, so that no two stages' indices have the same shape."""
    model = narrow(width=1)
    sizes = [
        m.shape[2:]
        for m in outputs_of(model, torch.rand(1, 3, *size), [f"pool.{i}" for i in range(5)]).values()
    ]
    assert len(set(sizes)) == 5
    with pytest.raises(RuntimeError, match=r"[Ss]hape"):
        wrong(model, torch.rand(1, 3, *size))


def test_nothing_is_left_from_one_pass_to_the_next():
    model = narrow()
    one, two = torch.rand(2, 1, 3, 37, 45)
    with torch.no_grad():
        first = model(one)
        second = model(two)
        torch.testing.assert_close(model(torch.cat([one, two])), torch.cat([first, second]))
        model(torch.rand(1, 3, 64, 40))
        assert torch.equal(model(one), first)


def test_unpooled_maps_are_made_dense_by_convolution_first():
    model = narrow()
    for stage in model.decoder:
        kinds = [type(layer) for layer in stage]
        assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * (len(kinds) // 3)
    maps = outputs_of(model, torch.rand(1, 3, 64, 64), ["unpool.4", "decoder.4"])
    assert (maps["unpool.4"] == 0).float().mean() >= 0.75


def test_logits_have_neither_batch_norm_nor_relu():
    model = narrow()
    assert isinstance(model.head, nn.Conv2d)
    assert list(model.named_children())[-1][0] == "head"
    image = torch.rand(1, 3, 40, 40)
    maps = outputs_of(model, image, ["decoder.4", "head"])
    assert torch.equal(maps["head"], model(image))
    assert maps["head"].min() < 0


def test_no_module_serves_twice():
    model = narrow()
    stages = [*model.encoder, *model.decoder]
    assert len({id(layer) for stage in stages for layer in stage}) == sum(map(len, stages))
    assert len({id(p) for p in model.pool} | {id(u) for u in model.unpool}) == 10


def test_he_initialisation():
    torch.manual_seed(0)
    conv = SegNet(width=32).decoder[0][0]
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)


def test_features_equal_torchvisions_at_multiples_of_32():
    theirs = torchvision_vgg16(batch_norm=True)
    model = SegNet().eval()
    model.load_encoder(theirs.state_dict())
    image = torch.rand(1, 3, 64, 32)
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        wanted = pooled(theirs.features, (image - mean) / std)
    for mine, yours in zip(outputs_of(model, image, [f"pool.{i}" for i in range(5)]).values(), wanted):
        assert relative_difference(mine, yours) < 1e-5


def test_other_sides_round_differently():
    theirs = torchvision_vgg16(batch_norm=True, width=1).features
    model = narrow(width=1)
    for side in (*range(32, 66), 96, 112):
        image = torch.rand(1, 3, side, side)
        ours = outputs_of(model, image, ["pool.4"])["pool.4"]
        assert (ours.shape == pooled(theirs, image)[-1].shape) == (side % 32 == 0)


def test_vgg16_without_batch_norm_is_refused():
    weights = torchvision_vgg16(batch_norm=False, width=4).state_dict()
    with pytest.raises(ValueError, match="vgg16_bn"):
        narrow().load_encoder(weights)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="width must be at least 1"):
        SegNet(width=0)
