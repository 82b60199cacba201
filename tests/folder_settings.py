"""The settings of a folder of pictures, as conf/dataset/folder.yaml has them, for tests that construct one."""

from typing import Any

FOLDER_SETTINGS: dict[str, Any] = {
    "identifier": "auto",
    "class_noun": "dog",
    "nouns": "common",
    "subject": "auto",
    "kind": "object",
    "holdout": 0,
    "shots": None,
    "captions": "auto",
    "caption_dropout": 0.0,
    "masks": "auto",
    "mask_background": 0.1,
    "bad_pictures": "strict",
    "background": "white",
    "crop": "centre",
    "flip": False,
    "rights": None,
    "opt_out": "tell",
}
