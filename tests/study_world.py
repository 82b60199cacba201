"""A small world for studies: two dogs and a cat of the miniature, with photos, true and made pictures."""

from pathlib import Path

from labelled_sets import drawn
from PIL import Image, ImageFilter

from imprint.labelled.folder import write_folder
from imprint.labelled.layout import picture_name
from imprint.labelled.row import Row
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import reference_scenes
from imprint.miniature.subjects import named

SUBJECTS = {"cat": "cat", "dog": "dog", "dog6": "dog"}
SHOTS = 2


def write_world(folder: Path) -> Path:
    """photos/, test/ and truth/, a folder for each subject; data/, a labelled data set of children of the photos."""
    rows = []
    for subject in SUBJECTS:
        pictures = [draw(scene) for scene in reference_scenes(named(subject), 9)]
        for name, some in (("photos", pictures[:SHOTS]), ("test", pictures[3:6]), ("truth", pictures[6:9])):
            for number, picture in enumerate(some):
                save(picture, folder / name / subject / f"{number:02d}.png")
        rows += [row for photo in range(SHOTS) for row in children(folder / "data", subject, photo, pictures[photo])]
    write_folder(folder / "data", splits={"train": rows}, rejected=(), about={"state": "finished"})
    return folder


def children(folder: Path, subject: str, photo: int, picture: Image.Image) -> list[Row]:
    """Two pictures that are like a photo."""
    found = []
    for k in range(2):
        name = picture_name(subject, photo, k)
        save(picture.filter(ImageFilter.GaussianBlur(1 + k)), folder / "train" / name)
        facts = {"noun": SUBJECTS[subject], "source": "img2img", "parent": f"{subject}/{photo:02d}.png", "run": ""}
        found.append(drawn(subject, photo, k, file_name=name, **facts))
    return found


def save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)
