"""Where the files of a labelled data set lie, and what they may be called."""

import hashlib
import re
from pathlib import PurePosixPath

from imprint.files import is_inside

METADATA = "metadata.jsonl"  # of a split: a row a line
ABOUT = "synthesis.json"  # what the data set was made of
CARD = "README.md"
TRAIN = "train"
TEST = "test"
SPLITS = (TRAIN, "validation", "valid", "val", TEST)  # as folders are called, here and in data sets of others
REJECTED = ".rejected"  # its dot hides it from programs that look for splits
MASKS = "masks"  # inside a split
NO_MASK = f"{MASKS}/none.png"  # one black pixel: a column of files has a file in each row

PLAIN = re.compile(r"[A-Za-z0-9_-]{1,80}")


def subject_folder(subject: str) -> str:
    """The name of a subject's folder: its own where any file system and archive takes that. Different subjects have
    different ones."""
    if PLAIN.fullmatch(subject):
        return subject
    words = "-".join(re.findall(r"[A-Za-z0-9_]+", subject))[:60].strip("-")
    return "-".join(filter(None, (words, hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:8])))


def picture_name(subject: str, photo: int, k: int) -> str:
    """`dog6/p03-k1.png`: picture k of photo, or prompt, number `photo`. No prompt is part of it, and no dot: an
    archive's readers tell pictures apart by what comes before the first one."""
    return f"{subject_folder(subject)}/p{photo:02d}-k{k}.png"


def mask_name(file_name: str) -> str:
    """Where the mask of a picture of a split lies."""
    return str(PurePosixPath(MASKS) / PurePosixPath(file_name).with_suffix(".png"))


def name_fault(name: str) -> str | None:
    """Why a file of this name is not looked for."""
    if not is_inside(name) or "\\" in name or "\0" in name or "://" in name:
        return "it leads out of its folder"
    return "it is no name of a file" if PurePosixPath(name).name in ("", ".", "..") else None
