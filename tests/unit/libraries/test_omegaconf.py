"""What is assumed of omegaconf."""

from collections.abc import Iterator

import pytest
from omegaconf import OmegaConf

from imprint.libraries.omegaconf import environment_reads, written_value


@pytest.fixture(autouse=True)
def _variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OF_A_TEST", "secret")
    OmegaConf.register_new_resolver("of_a_test", lambda text: f"[{text}]", use_cache=True, replace=True)
    yield
    OmegaConf.clear_resolver("of_a_test")


def test_values_are_had_as_they_were_written() -> None:
    cfg = OmegaConf.create({"plain": 1, "other": "${plain}", "several": ["${plain}", None]})
    assert [written_value(cfg, key) for key in ("plain", "other")] == [1, "${plain}"]
    assert [written_value(cfg.several, place) for place in (0, 1)] == ["${plain}", None]


def test_reading_the_environment_is_heard_by_whatever_detour() -> None:
    cfg = OmegaConf.create(
        {
            "plain": 1,
            "direct": "${oc.env:OF_A_TEST}",
            "other": "a ${direct}",
            "kept": "${of_a_test:${oc.env:OF_A_TEST}}",
        }
    )
    assert cfg.kept == "[secret]"  # from now on in the configuration's own memory
    heard: list[str] = []
    read: dict[str, str] = {}
    with environment_reads(cfg, lambda: heard.append("read")):
        for key in cfg:
            heard.clear()
            read[key] = cfg[key]
            assert bool(heard) == (key != "plain"), f"{key} was read from elsewhere than oc.env, or from there"
    assert read == {"plain": 1, "direct": "secret", "other": "a secret", "kept": "[secret]"}
    heard.clear()
    assert cfg.direct == "secret"
    assert not heard


def test_a_missing_variable_is_what_it_is_without() -> None:
    cfg = OmegaConf.create({"other": "${oc.env:NOT_OF_A_TEST,instead}"})
    with environment_reads(cfg, lambda: None):
        assert cfg.other == "instead"
