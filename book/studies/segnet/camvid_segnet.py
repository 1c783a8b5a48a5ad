"""SegNet on the real streets at half their size: trained on 367 scenes, measured on the 101 of val."""

import segnb
from book.studies.segnet.recipe import measure, small_segnet
from book.studies.streets import train
from book.tools.studies import study

POINTS = 6  # at which the mean IoU is measured on the way


@study(data="camvid", seeds=(0,), steps=5100, brief=2, real=True)
def one_seed(seed, steps):
    """How far does a SegNet without pretrained weights come on real streets, in ten minutes on two CPU cores?"""
    from torchvision.transforms import v2

    data, val = (segnb.data.choose("camvid", split, size=(180, 240)) for split in ("train", "val"))
    parts = v2.RandomHorizontalFlip(), segnb.data.intensity(), segnb.data.scaling(0.7, 1.5)
    model = small_segnet(seed, width=32, stages=5)
    history = train(
        model,
        data,
        steps,
        seed,
        val=val,
        val_every=max(1, steps // POINTS),
        augment=segnb.data.augment(*parts, segnb.data.crop((120, 160))),
    )
    curve = {}
    for point in range(1, POINTS + 1):
        wanted = point * steps / POINTS
        step, reached = min(history.val, key=lambda measured: abs(measured[0] - wanted))
        curve[f"{point} of {POINTS}"] = {"step": step, "mean IoU": reached}
    found = dict(zip(val.classes, segnb.evaluate(model, val).iou.tolist()))
    whole = measure(model, val) | {"training seconds": history.seconds[-1]}
    return {"SegNet": whole, "on the way": curve, "IoU": found}
