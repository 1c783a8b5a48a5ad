"""segnb: the package behind *Every Pixel*, a course on semantic segmentation.

Floors, from the ground up: shapes says what an image, a mask and logits are; models, losses and metrics know
torch and nothing else of segnb; data makes and finds pictures; run, training, inference, features,
receptive_field and saving put the two together; show, demos and exercises face the reader.
"""

from segnb import data, demos, exercises, losses, metrics, models, show
from segnb.exercises import check, hint, solution
from segnb.features import features
from segnb.inference import evaluate, predict
from segnb.receptive_field import receptive_field
from segnb.run import Run, setup
from segnb.saving import load, load_trained, save
from segnb.studies import results
from segnb.training import History, fit

__all__ = [
    "History",
    "Run",
    "check",
    "data",
    "demos",
    "evaluate",
    "exercises",
    "features",
    "fit",
    "hint",
    "load",
    "load_trained",
    "losses",
    "metrics",
    "models",
    "predict",
    "receptive_field",
    "results",
    "save",
    "setup",
    "show",
    "solution",
]
