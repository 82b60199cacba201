from collections.abc import Sequence

import pytest

from imprint.evaluation.samples import SampleProtocol
from imprint.types import Concept, Sampler

CONCEPT = Concept("sks", "dog")
SAMPLER = Sampler("DDIMScheduler", 4, 3.0, "")


def protocol(prompts: Sequence[str] = ("a {identifier} {noun}",), every: int = 0, seeds=(0, 1)):
    return SampleProtocol(prompts=list(prompts), seeds=list(seeds), every=every, sampler=SAMPLER, batch_size=3)


@pytest.mark.parametrize(("every", "due"), [(0, [0, 10]), (4, [0, 4, 8, 10]), (5, [0, 5, 10]), (20, [0, 10])], ids=str)
def test_pictures_are_due_at_the_start_the_end_and_each_period(every: int, due: list[int]) -> None:
    assert [step for step in range(11) if protocol(every=every).due(step, total=10)] == due


@pytest.mark.parametrize("empty", [{"prompts": []}, {"seeds": []}])
def test_without_prompts_or_seeds_nothing_is_due(empty: dict) -> None:
    assert not any(protocol(every=1, **empty).due(step, total=3) for step in range(4))


def test_every_prompt_is_asked_for_with_every_seed() -> None:
    asked = protocol(["a {identifier} {noun}", "a {noun} at night"], seeds=(0, 7)).asked([CONCEPT])
    assert asked == [("a sks dog", 0), ("a sks dog", 7), ("a dog at night", 0), ("a dog at night", 7)]


@pytest.mark.parametrize("prompt", ["a {subject}", "a {}", "a {noun:>9}", "a {noun!r}", "a {noun.upper}", "a {noun"])
def test_a_prompt_with_anything_else_in_braces_is_refused(prompt: str) -> None:
    with pytest.raises(ValueError, match=r"Only \{identifier\} and \{noun\} are replaced") as refusal:
        protocol([prompt])
    assert prompt in str(refusal.value)


def test_all_faults_are_told_together() -> None:
    with pytest.raises(ValueError, match="seeds") as refusal:
        protocol(["a {x}", "a {y}"], seeds=(1, 1))
    assert "{x}" in str(refusal.value)
    assert "{y}" in str(refusal.value)


def test_braces_can_be_written_doubled() -> None:
    assert protocol(["{{a}} {noun}"], seeds=(0,)).asked([CONCEPT]) == [("{a} dog", 0)]
