"""Subjects that have a data set configuration each."""

from imprint.data.collections.base import Collection, Entry
from imprint.data.folder import PictureFolder
from imprint.kinds import of_kind


@of_kind("collection/listed")
class ListedSubjects(Collection):
    """`subjects` are data sets by name. Who a subject is and where it lies is taken from them; how its pictures are
    used comes from `dataset`, for all alike."""

    noun_remedy = "Give each a class_noun."

    def __init__(self, *, subjects: dict[str, PictureFolder]) -> None:
        self._listed = subjects

    def entries(self) -> list[Entry]:
        return [Entry(name, one.class_noun, one.kind, one.path) for name, one in self._listed.items()]
