"""What a search chooses from is what Hydra's words say."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from imprint.launching.trials import describe_space, example_of, space_of


def space(*arguments: str) -> dict[str, BaseDistribution]:
    return space_of(OverridesParser.create().parse_overrides(list(arguments)))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("x=4,8", CategoricalDistribution(["4", "8"])),
        ("x=choice(a,b)", CategoricalDistribution(["a", "b"])),
        ("x=[a],[a,b]", CategoricalDistribution(["[a]", "[a,b]"])),
        ("x=range(2,9,2)", IntDistribution(2, 8, step=2)),
        ("x=range(0.1,0.35,0.1)", FloatDistribution(0.1, 0.3, step=0.1)),
        ("x=shuffle(range(0,3))", None),
        ("x=interval(0.5,2)", FloatDistribution(0.5, 2)),
        ("x=interval(1,4)", FloatDistribution(1, 4)),
        ("x=int(interval(1,4))", IntDistribution(1, 4)),
        ("x=tag(log,interval(1e-5,1e-3))", FloatDistribution(1e-5, 1e-3, log=True)),
    ],
)
def test_a_sweep_in_hydras_words_is_a_distribution(said: str, meant: BaseDistribution | None) -> None:
    [found] = space(said).values()
    if meant is None:
        assert isinstance(found, CategoricalDistribution)
        assert sorted(found.choices) == ["0", "1", "2"]
    else:
        assert found == meant


def test_what_is_fixed_is_not_chosen() -> None:
    assert list(space("seed=0", "method.rank=4,8", "name=[a,b]")) == ["method.rank"]


def test_some_point_is_within() -> None:
    assert example_of(space("a=int(interval(2,5))", "b=x,y")) == ["a=2", "b=x"]


def test_it_is_described() -> None:
    lines = list(describe_space(space("lr=tag(log,interval(1e-5,1e-3))", "rank=4,8", "steps=range(200,601,200)")))
    assert lines == ["lr: 1e-05 to 0.001, by powers", "rank: 4, 8", "steps: 200 to 600, in steps of 200"]
