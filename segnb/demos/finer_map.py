"""The same weights, a finer map: strides are taken out of a trunk, and the values it had stay where they were."""

from ..show.live import Live
from .page import page

STRIDES = (32, 16, 8)


def finer_map(seed=2, *, name=None) -> Live:
    """Take one stride after another out of a small residual trunk, and watch its map fill up between the old values.

    A switch gives the layer that lost its stride the new rate, as some libraries do, and a meter says how far the old
    values move. One channel is shown, the one whose values differ most; `seed` draws the trunk's weights, which have been
    through no training but for the statistics of batch norm. After Chen et al. (2017), "Rethinking atrous convolution for
    semantic image segmentation", section 3.
    """
    from .. import show
    from ..data import load

    views = [load("worlds", "val")[number][0] for number in range(8)]
    maps = {keep: _maps(seed, views, keep) for keep in (True, False)}
    channel = int(maps[True][32].flatten(1).std(1).argmax())
    values = [
        [[[round(value, 2) for value in row] for row in grid[channel].tolist()] for grid in of_all.values()]
        for of_all in maps.values()
    ]
    numbers = [len(grid) ** 2 for grid in values[0]]
    alt = (
        f"One channel of a trunk's map at output strides 32, 16 and 8: {numbers[0]}, {numbers[1]} and {numbers[2]} values "
        f"from the same weights. Every second value of a finer map is the coarser one."
    )
    still = show.compare(
        {f"stride {stride}": maps[True][stride][channel] for stride in STRIDES}, columns=3, alt=alt
    )
    return page(
        "finer_map", "Same weights, finer map", still, name=name, values=values, picture=_picture(views[0])
    )


def _maps(seed, views, keep_rate):
    """{output stride: C×h×w} of the first view, from the same small trunk with its strides taken out."""
    import torch

    from ..models.resnet import ResNet

    shape = {"units": (1, 1, 1, 3), "channels": (16, 16, 24, 32), "keep_rate": keep_rate}
    with torch.random.fork_rng(devices=()), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        trained = ResNet(**shape, output_stride=32)
        for _ in range(20):  # until batch norm knows the mean and spread of every channel
            trained(torch.stack(views))
        maps = {}
        for stride in STRIDES:
            net = ResNet(**shape, output_stride=stride).eval()
            net.load_state_dict(trained.state_dict())
            maps[stride] = net(views[0][None])[0]
    return maps


def _picture(view):
    """An image C×H×W in 0..1 as the address of a small JPEG."""
    from base64 import b64encode
    from io import BytesIO

    from PIL import Image

    pixels = (255 * view).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file := BytesIO(), "JPEG", quality=80)
    return "data:image/jpeg;base64," + b64encode(file.getvalue()).decode()
