"""A folder of pictures."""

from imprint.data.dataset import CaptionSource, Dataset, open_folder
from imprint.data.framing import Crop
from imprint.data.gathering import BadPictures
from imprint.data.pictures import PictureSet


class PictureFolder(Dataset):
    """All pictures that lie directly in `path`."""

    locators = Dataset.locators | {"path"}

    def __init__(
        self,
        *,
        path: str,
        identifier: str,
        class_noun: str,
        captions: CaptionSource,
        bad_pictures: BadPictures,
        background: str,
        crop: Crop,
        flip: bool,
    ) -> None:
        super().__init__(
            identifier=identifier,
            class_noun=class_noun,
            captions=captions,
            bad_pictures=bad_pictures,
            background=background,
            crop=crop,
            flip=flip,
        )
        self.path = path

    def open(self) -> PictureSet:
        return open_folder(
            self.path,
            key="dataset.path",
            bad_pictures=self.bad_pictures,
            background=self.background,
            captions=self.captions,
        )
