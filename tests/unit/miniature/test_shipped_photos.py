"""The reference pictures in the package are those that the renderer draws, and each has its configuration."""

from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageChops

from imprint.config import conf_folder
from imprint.locations import locate
from imprint.miniature.references import SETS, STYLE_SETS, references
from imprint.miniature.subjects import class_noun

PHOTOS = locate("pkg://imprint.miniature/photos")


@pytest.mark.parametrize("name", SETS)
def test_a_set_can_be_drawn_again(name: str) -> None:
    shipped = sorted((PHOTOS / name).glob("*.png"))
    drawn = references(name)
    assert len(shipped) == len(drawn) >= 4
    for file, picture in list(zip(shipped, drawn, strict=True))[:2]:
        difference = ImageChops.difference(Image.open(file).convert("RGB"), picture.convert("RGB"))
        # Other versions of the drawing library may round an edge differently.
        assert sum(difference.convert("L").histogram()[32:]) < 40, file.name


@pytest.mark.parametrize("name", SETS)
def test_every_set_has_its_configuration(name: str) -> None:
    content = yaml.safe_load((conf_folder() / "dataset" / "mini" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert Path(content["path"]).name == name
    assert name in STYLE_SETS or content["class_noun"] == class_noun(name)
