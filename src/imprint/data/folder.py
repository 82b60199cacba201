"""A folder of pictures."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le

from imprint.data.dataset import Dataset
from imprint.data.listing import printable
from imprint.data.masks import MaskUse, with_masks
from imprint.data.pictures import PictureSet
from imprint.data.reading import open_folder
from imprint.kinds import of_kind
from imprint.locations import locate


@of_kind("dataset/folder")
@dataclass(kw_only=True)
class PictureFolder(Dataset):
    """All pictures that lie directly in `path`.

    masks            auto: pictures that have a mask use it; require: all must have one; off: none is read
    mask_background  how much a pixel outside a picture's mask counts in the loss, of one inside
    """

    # what they come to is the pictures' content
    not_in_identity = Dataset.not_in_identity | {"path", "masks", "mask_background"}

    path: str
    masks: MaskUse
    mask_background: Annotated[float, Ge(0), Le(1)]

    def _own_name(self) -> str:
        return printable(Path(os.path.normpath(locate(self.path))).name) or self.class_noun

    def _all_pictures(self) -> PictureSet:
        key = "dataset.path"
        pictures = open_folder(
            self.path,
            key=key,
            bad_pictures=self.bad_pictures,
            background=self.background,
            captions=self.captions,
        )
        return with_masks(pictures, locate(self.path), use=self.masks, outside=self.mask_background, key=key)
