"""What the studies on DeepLabv3 rest on: trunks that see what is said, maps that hold what is said."""

import pytest
import torch

import segnb
from book.studies.deeplabv3.deeplabv3_countries import HEADS, SevenPixels, measure_lines
from book.studies.deeplabv3.deeplabv3_map_holds import averaged, enlarged, measure, optimised
from book.studies.deeplabv3.recipe import at_stride, small
from segnb.data.generated import countries


def test_the_trunk_sees_seven_pixels_at_either_stride():
    image = torch.rand(1, 3, 64, 64)
    fine, coarse = (SevenPixels(stride, (), False).eval() for stride in (4, 8))
    coarse.load_state_dict(fine.state_dict())
    assert segnb.receptive_field(fine, "trunk") == (7, 4)
    assert segnb.receptive_field(coarse, "trunk") == (7, 8)
    with torch.no_grad():
        assert torch.allclose(coarse.trunk(image), fine.trunk(image)[..., ::2, ::2], atol=1e-6)


def test_a_rate_for_every_distance_of_the_cue():
    assert [4 * rate for rate in HEADS["3, 6, 12"][1]] == list(countries.DISTANCES)


def test_lines_are_measured_where_their_companions_run_at_a_distance():
    class Roads(torch.nn.Module):
        """Finds every line by its grey and calls it a road."""

        step, margin = 1, 0

        def forward(self, x):
            grey = (x - x.new_tensor((0.53, 0.55, 0.57))[:, None, None]).abs().amax(1) < 0.06
            return torch.nn.functional.one_hot(torch.where(grey, 0, 4), 5).permute(0, 3, 1, 2).float()

    found = measure_lines(Roads(), segnb.data.load("countries", "val"))
    at_distances = [f"at {far} pixels" for far in countries.DISTANCES]
    assert list(found) == ["road and canal", *at_distances, "lines", "right kind"]
    assert all(0.05 < found[name] < 0.5 for name in ["road and canal", *at_distances])
    # Half of all lines are roads, and a road's IoU is the half of that of lines; a canal's is 0.
    assert 0.4 < found["right kind"] < 0.6
    assert found["road and canal"] == pytest.approx(found["lines"] / 4, rel=0.3)


def test_averages_are_shares_and_void_has_none():
    masks = torch.full((1, 4, 4), 255)
    masks[0, :2, :3] = 1
    shares = averaged(masks, 3, 2)
    assert shares.shape == (1, 3, 2, 2)
    assert shares[0, 1].tolist() == [[1.0, 0.5], [0.0, 0.0]]
    assert shares.sum() == 1.5


def test_free_logits_hold_more_than_averages():
    street = segnb.data.load("street", "val")
    masks = torch.stack([street[number][1] for number in range(2)])
    before, after = averaged(masks, 11, 16), optimised(masks, 11, 16, 40)
    assert after.shape == before.shape == (2, 11, 6, 8)
    assert enlarged(after, masks).shape == (2, 11, 96, 128)
    means = [measure(logits, masks, street.classes)["mean IoU"] for logits in (before, after)]
    assert means[1] > means[0] + 0.05


def test_a_net_answers_at_a_finer_stride_what_it_answered_before():
    model = small(0, 16).eval()
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        coarse, fine, lossy = (
            net.eval().backbone(image)
            for net in (model, at_stride(model, 8), at_stride(model, 8, keep_rate=False))
        )
    assert torch.allclose(fine[..., ::2, ::2], coarse, atol=1e-4)
    assert not torch.allclose(lossy[..., ::2, ::2], coarse, atol=1e-2)
