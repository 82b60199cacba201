"""Names of folders stay in the folder that they are made in."""

import pytest
from pydantic import TypeAdapter, ValidationError

from imprint.setting_types import FolderName, Place

NAME = TypeAdapter(FolderName)


@pytest.mark.parametrize("name", ["dog-lora", "dé f", "a.b", "..."])
def test_what_is_a_name(name: str) -> None:
    assert NAME.validate_python(name) == name


@pytest.mark.parametrize("name", ["", " ", ".", "..", "../x", "/x", "a/b", "a\\b", "a\nb", "\x1b[2J", "é" * 100])
def test_what_is_none(name: str) -> None:
    with pytest.raises(ValidationError, match="a folder is called by it"):
        NAME.validate_python(name)


def test_a_place_is_not_empty() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Place).validate_python("")
