"""The YAML files of the two groups build what they name."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pydantic import TypeAdapter

from imprint.evaluation.samples import SampleProtocol
from imprint.reporting.reporter import Reporter
from imprint.reporting.tracking.session import WandbSettings
from imprint.types import Sampler

CONF = Path(__file__).parents[3] / "conf"


def composed(group: str, name: str) -> dict:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose(overrides=[f"+{group}={name}"])[group]
    return OmegaConf.to_container(node, resolve=False)  # type: ignore[return-value]


@pytest.mark.parametrize(("name", "mode"), [("default", "offline"), ("online", "online"), ("local", "off")])
def test_report(name: str, mode: str) -> None:
    values = composed("report", name)
    assert values.pop("_target_") == f"{Reporter.__module__}.Reporter"
    values["wandb"]["group"] = None  # its sweep
    values["wandb"] = TypeAdapter(WandbSettings).validate_python(values["wandb"])
    assert Reporter(**values).wandb.mode == mode


@pytest.mark.parametrize(("name", "draws"), [("default", True), ("none", False)])
def test_samples(name: str, draws: bool) -> None:
    values = composed("samples", name)
    assert values.pop("_target_") == f"{SampleProtocol.__module__}.SampleProtocol"
    assert values.pop("sampler") == "${model.sampler}"
    protocol = SampleProtocol(**values, sampler=Sampler("model", 2, 1.0, ""))
    assert protocol.due(0, 10) is draws
