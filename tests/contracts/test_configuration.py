"""Every YAML: it composes, its keys are its constructor's, its values have their types, and each value has one home."""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import composed
import pytest
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from imprint.cli import VERBS
from imprint.config import compose, conf_folder, resolved
from imprint.construct import Constructor
from imprint.errors import UserError
from imprint.launching import Composer
from imprint.launching.plan import sweep_points

GROUPS = {
    "model",
    "method",
    "dataset",
    "hparams",
    "optimizer",
    "prior",
    "objective",
    "samples",
    "trainer",
    "report",
    "provenance",
}
FILES = sorted(path for path in conf_folder().rglob("*.yaml") if "local" not in path.parts)
# What a file leaves to its user, given so that it can be composed here.
GIVEN = {
    "dataset/folder": ["dataset.path=x", "dataset.class_noun=dog"],
    "dataset/kohya": ["dataset.path=10_sks dog"],
    "dataset/joint": ["+dataset@dataset.subjects.a=mini/dog6"],
    "dataset/hub": ["dataset.id=x", "dataset.class_noun=dog"],
    "dataset/mini/any": ["dataset.path=x", "dataset.class_noun=dog"],
    "prior/folder": ["prior.path=x"],
    "provenance/signed": ["provenance.certificate=chain.pem", "provenance.key=key.pem"],
    "model/sd": ["model.source=x"],
    "model/sd_file": ["model.source=x.safetensors"],
}


def options(group: str) -> list[str]:
    """The choices of a group: files that name what they construct, themselves or by the file they start from."""
    folder = conf_folder() / group
    found = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    return [option for option in found if _target(folder / f"{option}.yaml")]


def _target(file: Path) -> str | None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    if "_target_" in content:
        return str(content["_target_"])
    for base in content.get("defaults", []):
        if isinstance(base, str) and base != "_self_":
            return _target(_place(base, file))
    return None


def _place(base: str, file: Path) -> Path:
    """The file that an entry of a defaults list names: absolute, or seen from the group."""
    name = base.partition("@")[0]
    group = conf_folder() / file.relative_to(conf_folder()).parts[0]
    return (conf_folder() / name[1:] if name.startswith("/") else group / name).with_suffix(".yaml")


def test_every_group_of_the_design_is_there() -> None:
    assert GROUPS | {"experiment", "recipe"} <= {path.name for path in conf_folder().iterdir() if path.is_dir()}


@pytest.mark.parametrize(
    ("group", "option"), [(group, option) for group in sorted(GROUPS) for option in options(group)]
)
def test_a_file_binds_to_its_constructor(group: str, option: str) -> None:
    cfg = resolved(compose("train", [f"{group}={option}", *GIVEN.get(f"{group}/{option}", [])]))
    constructor = Constructor()
    if "bitsandbytes" in str(cfg[group]):
        pytest.importorskip("bitsandbytes")
    constructor.build(cfg[group], group)
    assert not [str(problem) for problem in constructor.problems]


def _triples() -> Iterator[tuple[str, str, str]]:
    """Every two of a model, a method and a prior once or more: not more than two of them ever meet in a file."""
    models, methods, priors = (options(group) for group in ("model", "method", "prior"))
    for row, model in enumerate(models):
        for column, method in enumerate(methods):
            yield model, method, priors[(row + column) % len(priors)]


@pytest.mark.parametrize(("model", "method", "prior"), _triples())
def test_every_model_goes_with_every_method_and_prior(model: str, method: str, prior: str) -> None:
    given = [*GIVEN.get(f"model/{model}", []), *GIVEN.get(f"prior/{prior}", [])]
    cfg = resolved(compose("train", [f"model={model}", f"method={method}", f"prior={prior}", *given]))
    assert cfg["name"].endswith(f"{method}-{model}")


def test_no_two_choices_were_left_out() -> None:
    for one, other in ((0, 1), (0, 2), (1, 2)):
        names = [options(group) for group in ("model", "method", "prior")]
        met = {(triple[one], triple[other]) for triple in _triples()}
        assert met == {(left, right) for left in names[one] for right in names[other]}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_composes(verb: str) -> None:
    assert compose(verb)


EXPERIMENTS = conf_folder() / "experiment"
LOCAL = ["dataset.path=pictures", "dataset.class_noun=dog"]  # what an experiment on one's own pictures is given


@pytest.mark.parametrize(
    "experiment", sorted(str(path.relative_to(EXPERIMENTS).with_suffix("")) for path in EXPERIMENTS.rglob("*.yaml"))
)
def test_every_point_of_every_experiment_composes(experiment: str) -> None:
    given = [f"experiment={experiment}", *(LOCAL if "/" in experiment else [])]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        whole = hydra_compose("train", given, return_hydra_config=True)
    assert whole.sweep.question
    axes = [f"{key}={value}" for key, value in whole.hydra.sweeper.params.items()]
    parser = SimpleNamespace(parse=OverridesParser.create().parse_overrides)
    points = sweep_points(cast(Composer, parser), axes, whole.hydra.sweeper.points)
    assert len(points) > 1
    for point in points:
        assert resolved(composed.compose("train", [*given, *point.overrides]))  # as a sweep composes its points


def test_no_constructor_has_a_default_of_its_own() -> None:
    """A value has one home, its YAML: a second one in a signature would be forgotten when the first is changed."""
    wrong = []
    for group in sorted(GROUPS):
        for option in options(group):
            target = _target(conf_folder() / group / f"{option}.yaml")
            assert target
            if not target.startswith("imprint."):
                continue
            module, _, name = target.rpartition(".")
            constructor = getattr(__import__(module, fromlist=[name]), name)
            wrong += [
                f"{target}({parameter.name}={parameter.default!r})"
                for parameter in inspect.signature(constructor).parameters.values()
                if parameter.default is not parameter.empty
            ]
    assert not wrong


def test_no_file_repeats_the_value_of_the_file_it_starts_from() -> None:
    repeated = []
    for file in FILES:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        for base in content.get("defaults", []):
            place = _place(base, file) if isinstance(base, str) else None
            if place is None or not place.is_file():
                continue
            values = dict(_leaves(yaml.safe_load(place.read_text(encoding="utf-8"))))
            own = dict(_leaves({key: value for key, value in content.items() if key != "defaults"}))
            repeated += [f"{file.name}: {key}" for key, value in own.items() if values.get(key, ...) == value != "???"]
    assert not repeated


def test_every_number_of_the_default_configuration_is_written_once() -> None:
    """A key that several of the composed files give has its number from the last; no two agree by accident."""
    cfg = resolved(compose("train"))
    chosen = [path for path in FILES if _is_default(path)]
    for key, value in _leaves(cfg):
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        homes = [path for path in chosen if _gives(path, key, value)]
        assert len(homes) <= 1, (key, homes)


def test_an_unknown_choice_is_refused_with_what_there_is() -> None:
    with pytest.raises(HydraException, match="dreambooth"):
        compose("train", ["method=dreamboth"])


def test_a_reference_to_nothing_is_said_with_its_key() -> None:
    with pytest.raises(UserError, match=r"outputs"):
        resolved(compose("train", ["outputs='${nowhere}'"]))


def _is_default(path: Path) -> bool:
    text = (conf_folder() / "train.yaml").read_text(encoding="utf-8")
    defaults = {
        f"{k}/{v}" for entry in yaml.safe_load(text)["defaults"] if isinstance(entry, dict) for k, v in entry.items()
    }
    name = path.relative_to(conf_folder()).with_suffix("").as_posix()
    return (
        name == "train"
        or name in defaults
        or name in {"model/sd", "dataset/folder", "dataset/subject", "dataset/mini/any"}
    )


def _gives(path: Path, key: str, value: Any) -> bool:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    relative = path.relative_to(conf_folder())
    prefix = f"{relative.parts[0]}." if len(relative.parts) > 1 else ""
    return (key, value) in {(f"{prefix}{own}", given) for own, given in _leaves(content) if not isinstance(given, list)}


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, part in node.items():
            yield from _leaves(part, f"{prefix}.{name}" if prefix else str(name))
    else:
        yield prefix, node
