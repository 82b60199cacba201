import re

import pytest

from imprint.results.layer_patterns import LONGEST, check_patterns, matching

LAYER = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.mark.parametrize(
    "pattern", ["to_q", r"attn[12]\.to_(q|k|v)", r"down_blocks\.\d+.*to_q", ".*down_blocks.*", r"attn1\.to_q", LAYER]
)
def test_patterns_choose_as_peft_chooses(pattern: str) -> None:
    check_patterns([pattern])
    assert re.match(rf"(.*\.)?({pattern})$", LAYER)
    assert matching({"to_k": 1.0, pattern: 2.0, ".*": 3.0}, ["elsewhere", LAYER], 0.0) == 2.0


def test_a_layer_that_no_pattern_fits_has_what_is_usual() -> None:
    assert matching({"to_k": 1.0, "q": 2.0}, [LAYER], 5.0) == 5.0


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+!",
        r"((\w+\.?)+)+!",
        ".*" * 3,
        "(a|a)" * 20,
        "a?" * 30,
        "x" * (LONGEST + 1),
        "(",
        "[",
        r"(\w+){5}",
        "a{1,99}" * 3,
    ],
)
def test_what_could_take_years_to_fail_or_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="ways|no regular"):
        check_patterns([pattern])


def test_what_is_escaped_or_in_a_set_repeats_nothing() -> None:
    check_patterns([r"\*\+\?\(\)\{", "[*+?(){}|]x"])


def test_no_model_has_so_many_layers() -> None:
    with pytest.raises(ValueError, match="more than"):
        check_patterns([f"layer{number}" for number in range(10_001)])
