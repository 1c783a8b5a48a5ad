"""Mutants that no check can find, because they do what the reference does: task → part of what is changed → why."""

WHEREVER = "the result is the same wherever the pixels lie"

EQUIVALENT = {
    "image_labels": {"height and width swapped": WHEREVER},
    "paint": {"256 became 257": "a palette may have a row more than is looked up"},
    "classes_of_colours": {"height and width swapped": WHEREVER},
    "count_pairs": {"height and width swapped": WHEREVER, "arguments swapped": "the table is square"},
    "class_iou": {
        "height and width swapped": "the union of row and column is the same in the transposed table"
    },
    "mended_accuracy": {"height and width swapped": WHEREVER},
    "mended_mean_iou": {
        "height and width swapped": "the union of row and column is the same in the transposed table"
    },
    "weighted_price": {
        "mask.where(known, 1)": "the stand-in for void weighs nothing, whichever class it is",
        "where(total > 0, 2)": "where the weights add up to 0, so does what is divided",
        "height and width swapped": WHEREVER,
    },
    "mended_rows": {"height and width swapped": WHEREVER},
    "dice_score": {
        "clamp_min(2)": "two masks of one pixel in all share none: 0 by 1 or by 2",
        "clamp_min(0)": "0 by 0 is replaced in the next line",
        "height and width swapped": WHEREVER,
    },
    "soft_dice_loss": {"height and width swapped": WHEREVER},
    "mended_dice": {
        "mask.where(known, 1)": "the stand-in for void is multiplied by 0, whichever class it is",
        "height and width swapped": WHEREVER,
    },
    "start_bias": {
        "(mask == 1) + 0": "a foreground pixel is never void",
        "height and width swapped": WHEREVER,
    },
    "valid_sizes": {
        "line 13": "what runs out on the way up is below zero at the end too",
        "line 3": "a side of 0 or 1 never fits",
        "line 8": "an even side that is not above 0 has run out one step later",
        "line 15": "what comes out is even",
    },
    "mended_loss": {"height and width swapped": WHEREVER},
    "unpool": {
        "height and width swapped": "values and indices are turned alike, and each goes where its index says"
    },
    "kept_bytes": {"bits = 1": "whole bytes: one bit more makes none"},
    "fresh_statistics": {"net.train(True)": "the function puts the net into training mode itself"},
    "atrous_conv": {"kernel.shape[1]": "kernels are square"},
    "stage_rates": {
        "33 // output_stride": "for the output strides there are, 8, 16 and 32, a remainder of 1 is lost"
    },
    "share_whole": {"arguments swapped": "the larger of two numbers, in any order"},
    "map_loss": {"height and width swapped": "scores and mask are turned alike"},
    "bilinear_kernel": {"arguments swapped": "the tent times itself"},
    "crop_offset": {"1.5 * step // 2": "steps on the way up are multiples of 4"},
    "mended_curve": {"height and width swapped": "rows and columns come into a union alike"},
    "rare_recipe": {
        "height and width swapped": "the share is the same wherever the pixels lie",
        "first item only": "nine pixels are foreground in every picture",
        "net.train(True)": "the net is in training mode before the first step",
    },
    "voted_price": {
        "log_softmax(1)).sum(2)": "what is summed along one axis is summed along the others afterwards",
        "log_softmax(1)).sum(0)": "what is summed along one axis is summed along the others afterwards",
        "votes.where(known, 1)": "the stand-in for void is multiplied by 0, whichever class it is",
        "height and width swapped": WHEREVER,
    },
    "finer_pooled": {
        "net.train(True)": "the net has no layer that differs between the modes",
    },
}
