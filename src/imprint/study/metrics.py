"""The numbers that tasks may be scored by. Each task names its own, the one that it is about first."""

from typing import Literal, NamedTuple

from imprint.evaluation.statistics.intervals import Bounds

SHARE: Bounds = (0.0, 1.0)


class Metric(NamedTuple):
    title: str
    better: Literal["higher", "lower"]
    about: str
    bounds: Bounds = SHARE


METRICS = {
    "accuracy": Metric("Accuracy", "higher", "share of photos that are told right; the mean of subjects"),
    "average_precision": Metric("AP", "higher", "area under precision over recall of a subject's probability"),
    "ndcg": Metric("NDCG", "higher", "how near the top of a subject's ranking its photos are, discounted by rank"),
    "nll": Metric("NLL", "lower", "mean negative logarithm of the right answer's probability", (0.0, None)),
    "brier": Metric(
        "Brier", "lower", "mean squared distance of all probabilities from the right answer, 0 to 2", (0.0, 2.0)
    ),
    "calibration_error": Metric("ECE", "lower", "how far a subject's probability is from how often it is right"),
    "iou": Metric("IoU", "higher", "of the pixels told to be a subject's and its mask's: what they share of both"),
    "dice": Metric("Dice", "higher", "twice what they share over the sum of both"),
    "box_iou": Metric("Box IoU", "higher", "the same of the boxes around the largest part found, and around the mask"),
    "found": Metric("Found", "higher", "share of photos with a box IoU of .5 or more"),
    "box_ap": Metric("mAP", "higher", "AP of boxes, the mean over IoUs from .5 to .95, as COCO has it"),
    "box_ap50": Metric("AP50", "higher", "AP of boxes that have an IoU of .5 or more with the right one"),
    "spill": Metric("Spill", "lower", "share of the pixels of others' photos that are told to be the subject's"),
}
