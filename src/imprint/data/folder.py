"""A folder of pictures."""

from dataclasses import dataclass

from imprint.data.dataset import Dataset, open_folder
from imprint.data.pictures import PictureSet


@dataclass(kw_only=True)
class PictureFolder(Dataset):
    """All pictures that lie directly in `path`."""

    locators = Dataset.locators | {"path"}

    path: str

    def open(self) -> PictureSet:
        return open_folder(
            self.path,
            key="dataset.path",
            bad_pictures=self.bad_pictures,
            background=self.background,
            captions=self.captions,
        )
