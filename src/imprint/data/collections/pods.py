"""PODS and data sets in its form: an object is a folder of train/, with its masks in train_masks/."""

from typing import Literal

from imprint.data.collections.base import Collection, Entry, existing_folder, kind_of
from imprint.data.pods import PARTS, pods_in
from imprint.errors import ConfigError, Problem
from imprint.kinds import of_kind


@of_kind("collection/pods")
class PersonalObjects(Collection):
    """
    path   the folder with train/ and pods_info.json
    group  val, the objects to choose settings by; test, those to tell results of; null: all
    live   names of people and pets, with wildcards
    """

    noun_remedy = "Name them in class_to_sc of its info file."

    def __init__(self, *, path: str, group: Literal["val", "test"] | None, live: list[str]) -> None:
        self.path = path
        self.group = group
        self.live = live

    def entries(self) -> list[Entry]:
        folder = existing_folder(self.path, key="collection.path")
        pods = pods_in(folder)
        if pods is None:
            remedy = f"{folder} has no {PARTS[0]}/, or no *_info.json beside it. Give the folder of both."
            raise ConfigError([Problem("collection.path", self.path, remedy)])
        names = sorted(pods.nouns) if self.group is None else pods.of_group(self.group)
        photos = pods.root / PARTS[0]
        return [Entry(name, pods.nouns.get(name), kind_of(name, self.live), str(photos / name)) for name in names]
