"""Every class that conf/ names has a kind, by which it is found again."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from imprint.config import conf_folder
from imprint.construct import Constructor
from imprint.first_release import CLASS_NAMES, PATHS
from imprint.kinds import HOMES, LIBRARIES, class_of, kind_at, kind_of


def targets(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "_target_" in value:
            yield value["_target_"]
        for part in value.values():
            yield from targets(part)


CONFIGURED = sorted(
    {
        target
        for file in conf_folder().rglob("*.yaml")
        if not {"hydra", "local"} & set(file.relative_to(conf_folder()).parts)  # Hydra's own parts are no part of a run
        for target in targets(yaml.safe_load(file.read_text(encoding="utf-8")))
        if not target.startswith("hydra_plugins.")
    }
)


@pytest.mark.parametrize("target", CONFIGURED)
def test_what_a_file_names_has_a_kind_and_is_found_by_it(target: str) -> None:
    if target in LIBRARIES:
        assert LIBRARIES[target].partition("/")[0] == "optimizer"
        return
    constructor = Constructor()
    cls = constructor._at(target, "part")
    kind = kind_of(cls)
    assert kind is not None, f"give {target} a kind: @of_kind(...)"
    assert kind.partition("/")[0] in HOMES
    assert class_of(kind) is cls
    assert kind_at(target) == kind


def test_what_was_written_down_at_the_first_release_is_still_understood() -> None:
    assert len(set(PATHS.values())) == len(CLASS_NAMES) == len(PATHS)
    for kind, path in PATHS.items():
        assert kind_at(path) == kind
        assert class_of(kind) or LIBRARIES.get(path) == kind


@pytest.mark.parametrize("kind", ["method/nothing", "nothing/lora", "os.system", "", "../methods/lora"])
def test_nothing_else_is_found(kind: str) -> None:
    assert class_of(kind) is None
