"""PODS in small, in its published form, of the miniature's world: three photos of each object, masks, tests."""

import json
from pathlib import Path

from PIL import Image
from study_world import save

from imprint.miniature.renderer import draw
from imprint.miniature.sampling import reference_scenes
from imprint.miniature.subjects import named

OBJECTS = {"cat": "cat", "dog": "dog", "dog6": "dog"}
GROUPS = {"cat": "test", "dog": "test", "dog6": "val"}
KINDS = ("in_distribution", "pose", "distractors", "pose_and_distractors")
PHOTOS = 3


def write_pods(root: Path) -> Path:
    """JPEG, masks, too, as there."""
    annotations = {}
    for name in OBJECTS:
        pictures = [draw(scene) for scene in reference_scenes(named(name), PHOTOS + len(KINDS))]
        for number, picture in enumerate(pictures[:PHOTOS]):
            save(picture, root / "train" / name / f"{number}.jpg")
            save(mask(picture), root / "train_masks" / name / f"{number}.jpg")
            annotations[f"{name}/{number}.jpg"] = {"class": name, "split": "train"}
        for number, picture in enumerate(pictures[PHOTOS:]):
            save(picture, root / "test" / name / f"{name}_{number}.jpg")
            said = {"class": name, "split": "test", "test_split": KINDS[number]}
            annotations[f"{name}_{number}"] = said
            if number < 2:
                save(picture, root / "test_dense" / name / f"{name}_{number}.jpg")
                save(mask(picture), root / "test_dense_masks" / name / f"{name}_{number}.jpg")
    info = {
        "classes": list(OBJECTS),
        "class_to_idx": {name: number for number, name in enumerate(OBJECTS)},
        "class_to_sc": OBJECTS,
        "class_to_split": GROUPS,
    }
    (root / "pods_info.json").write_text(json.dumps(info), encoding="utf-8")
    (root / "pods_image_annos.json").write_text(json.dumps(annotations), encoding="utf-8")
    return root


def mask(picture: Image.Image) -> Image.Image:
    white = Image.new("L", picture.size)
    white.paste(255, (16, 16, 48, 48))
    return white
