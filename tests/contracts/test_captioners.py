"""Every captioner of conf/captioner: it binds, and says something of pictures that depends on them alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from PIL import Image
from tiny_captioners import tiny_blip, tiny_llava
from tiny_encoders import tiny_vit

from imprint.captioning.base import Captioner
from imprint.captioning.chat import Chat
from imprint.captioning.image_to_text import ImageToText
from imprint.config import choices, conf_folder, resolved
from imprint.construct import Constructor
from imprint.errors import UserError

CAPTIONERS = choices("captioner")
# Of each way of asking, a tiny model that is asked so.
TINY: dict[type[Captioner], Callable[[Path], Path]] = {ImageToText: tiny_blip, Chat: tiny_llava}
PICTURES = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "white")]


def built(option: str, *overrides: str) -> Captioner:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = hydra_compose("shell", [f"+captioner={option}", *overrides])
    constructor = Constructor()
    captioner: Captioner = constructor.build(resolved(composed)["captioner"], "captioner")
    assert not [str(problem) for problem in constructor.problems]
    return captioner


def tiny(option: str, folder: Path) -> Captioner:
    source = TINY[type(built(option))](folder)
    return built(option, f"captioner.source={source}", "captioner.max_tokens=6")


def test_the_design_has_these() -> None:
    assert {"blip", "florence2", "qwen25_vl"} <= set(CAPTIONERS)


@pytest.mark.parametrize("option", CAPTIONERS)
def test_what_it_says_depends_on_the_picture_alone(option: str, tmp_path: Path) -> None:
    captioner = tiny(option, tmp_path / "model")
    captioner.check("captioner")
    captioner.to(torch.device("cpu"))
    said = captioner.captions(PICTURES)
    assert all(said)
    assert len(set(said)) == len(PICTURES)
    assert [captioner.captions([picture])[0] for picture in PICTURES] == said


@pytest.mark.parametrize("option", CAPTIONERS)
def test_what_is_no_such_model_is_refused_before_it_is_loaded(option: str, tmp_path: Path) -> None:
    other = tiny_vit(tmp_path / "vit")
    with pytest.raises(UserError, match="captioner.source=.*model_type='vit'"):
        built(option, f"captioner.source={other}").check("captioner")
    with pytest.raises(UserError, match="captioner.source"):
        built(option, f"captioner.source={tmp_path}/absent").check("captioner")


def test_a_model_that_cannot_be_spoken_to_says_so(tmp_path: Path) -> None:
    source = tiny_llava(tmp_path / "model", template=None)
    with pytest.raises(UserError, match="no template for questions"):
        built("qwen25_vl", f"captioner.source={source}").check("captioner")
