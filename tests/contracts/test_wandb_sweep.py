"""The ready sweep for W&B's agents: its keys are imprint's, its metric is what such runs log."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from composed import compose

from imprint.evaluation.fingerprints import facts_of
from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare
from imprint.reporting.tracking.scores import score_key

FILE = Path(__file__).parents[2] / "experiments" / "wandb_sweep" / "sweep.yaml"


@pytest.fixture(scope="module")
def sweep() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return content


def ends(parameter: dict[str, Any]) -> tuple[Any, Any]:
    """Its first and its last value."""
    values = parameter.get("values") or [parameter["min"], parameter["max"]]
    return values[0], values[-1]


def planned(sweep: dict[str, Any], *given: str) -> Plan:
    program, verb, *fixed, last = sweep["command"]
    assert (program, verb, last) == ("imprint", "train", "${args_no_hyphens}")
    return prepare(compose("train", [*fixed, *given]))


def test_every_parameter_is_a_key_that_changes_the_run(sweep: dict[str, Any]) -> None:
    for key, parameter in sweep["parameters"].items():
        first, last = (planned(sweep, f"{key}={value}").run.signature for value in ends(parameter))
        assert first != last, key


def test_its_metric_is_logged_online_under_this_name(sweep: dict[str, Any]) -> None:
    plan = planned(sweep)
    profile, model = plan.parts.evaluation, plan.parts.model
    assert profile is not None
    assert plan.parts.report.wandb.mode == "online"
    sampling = {
        "sampler": model.sampler._asdict(),
        "size": [plan.facts.resolution, plan.facts.resolution],
        "precision": profile.precision,
    }
    encoders = {**profile.encoders, **model.encoders}
    facts = facts_of(profile, encoders, sampling=sampling, sets=profile.sets())["dino"]
    assert sweep["metric"] == {"name": score_key("quick", "dino", facts.fingerprint), "goal": "maximize"}
    assert facts.better == "higher"
