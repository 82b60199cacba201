"""What an interval treats as drawn at random, and how it says so."""

from collections.abc import Sequence

import numpy as np
import pytest

from imprint.evaluation.statistics.crossing import Crossed, table_of_differences, table_of_means
from imprint.evaluation.statistics.nesting import Averaging

Forest = dict[str, list[dict[int, list[float]]]]


def forest(subjects: int, seeds: int, prompts: Sequence[int], pictures: int) -> Forest:
    generator = np.random.default_rng(0)
    return {
        f"subject {number}": [
            {prompt: generator.normal(0.5, 0.1, pictures).tolist() for prompt in prompts} for _ in range(seeds)
        ]
        for number in range(subjects)
    }


def table(scores: Forest, classes: dict[str, str] | None = None, averaging: Averaging = "macro") -> Crossed:
    return table_of_means(scores, classes=classes or {}, averaging=averaging)


@pytest.mark.parametrize(
    ("subjects", "seeds", "prompts", "pictures", "drawn", "covers"),
    [
        (5, 1, 4, 2, ("subjects", "prompts"), "other subjects and other prompts like these"),
        (5, 1, 2, 2, ("subjects",), "other subjects like these; these 2 prompts alone"),
        (2, 1, 4, 2, ("prompts",), "other prompts like these; these 2 subjects alone"),
        (1, 1, 4, 2, ("prompts",), "other prompts like these; this subject alone"),
        (
            1,
            3,
            4,
            2,
            ("training seeds", "prompts"),
            "other training seeds and other prompts like these; this subject alone",
        ),
        (1, 1, 1, 9, ("pictures",), "other pictures like these; this subject and its prompts alone"),
        (2, 2, 2, 9, (), ""),
    ],
)
def test_so_few_that_nothing_can_be_said_of_others_are_what_they_are(
    subjects: int, seeds: int, prompts: int, pictures: int, drawn: tuple[str, ...], covers: str
) -> None:
    found = table(forest(subjects, seeds, range(prompts), pictures))
    assert (found.drawn, found.covers) == (drawn, covers)


def test_classes_are_drawn_where_some_have_several_subjects_and_there_are_enough() -> None:
    scores = forest(7, 1, range(4), 1)
    names = list(scores)
    few = dict(zip(names, "aabbccc", strict=True))
    assert table(scores, few).covers == "other subjects of these 3 classes and other prompts like these"
    enough = table(scores, dict(zip(names, "aabbcde", strict=True)))
    assert enough.rows == "classes"
    assert enough.clusters.tolist() == [0, 0, 1, 1, 2, 3, 4]
    assert table(scores, dict(zip(names, "abcdefg", strict=True))).rows == "subjects"


def test_prompts_that_each_subject_has_for_itself_are_not_drawn_crosswise() -> None:
    scores = {
        subject: [{(subject, number): [0.5, 0.6] for number in range(5)}] for subject in ("dog", "cat", "can", "toy")
    }
    found = table_of_means(scores, classes={}, averaging="macro")
    assert (found.drawn, found.covers) == (("subjects",), "other subjects like these")


def test_seeds_and_pictures_are_averaged_to_a_cell() -> None:
    scores: Forest = {
        "a": [{0: [1.0, 3.0], 1: [5.0], 2: [0.0]}, {0: [4.0]}],
        "b": [{0: [1.0], 1: [1.0], 2: [1.0]}],
        "c": [{0: [2.0], 2: [2.0]}],
    }
    found = table(scores)
    assert found.values.tolist() == [[3, 5, 0], [1, 1, 1], [2, 0, 2]]
    assert found.counts.tolist() == [[1, 1, 1], [1, 1, 1], [1, 0, 1]]
    pooled = table(scores, averaging="pairs")
    assert pooled.counts.tolist() == [[3, 1, 1], [1, 1, 1], [1, 0, 1]]
    assert pooled.weights.tolist() == [0.5, 0.3, 0.2]


def test_a_difference_needs_five_subjects_and_four_prompts() -> None:
    four = table_of_differences({subject: dict.fromkeys(range(4), 0.1) for subject in "abcd"})
    assert (four.drawn, four.covers) == (("prompts",), "other prompts like these; these 4 subjects alone")
    five = table_of_differences({subject: dict.fromkeys(range(3), 0.1) for subject in "abcde"})
    assert (five.drawn, five.covers) == (("subjects",), "other subjects like these; these 3 prompts alone")
