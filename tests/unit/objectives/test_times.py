"""How often each level of noise is trained."""

import math
from pathlib import Path
from statistics import NormalDist

import pytest
import torch
from tiny import tiny_source
from torch import Tensor

from imprint.models.process import Diffusion, Flow, NoiseProcess, Shift, shifted
from imprint.objectives.times import LogitNormal, Mode, Parabola, Times, Uniform

NAMES = [(0, "timestep", f"instance/{position}") for position in range(4000)]
ALL = (0, 1000)
SHAPE = (16, 64, 64)
KINDS: dict[str, Times] = {
    "uniform": Uniform(shift=None),
    "logit_normal": LogitNormal(shift=None, mean=0.0, std=1.0),
    "logit_normal, more noise": LogitNormal(shift=None, mean=0.5, std=1.5),
    "mode": Mode(shift=None, scale=1.29),
    "parabola": Parabola(shift=None, ends=0.0375),
    "parabola to nothing": Parabola(shift=None, ends=0.0),
    "uniform, shifted": Uniform(shift=3.0),
    "logit_normal, by resolution": LogitNormal(shift="resolution", mean=0.0, std=1.0),
}
BY_TOKENS = Shift(base=0.5, maximum=1.15, base_tokens=256, max_tokens=4096, exponential=True, patch=2)


def table(length: int = 1000) -> Diffusion:
    return Diffusion(torch.linspace(0.999, 0.005, length), "epsilon")


def drawn(times: Times, process: NoiseProcess | None = None, window: tuple[int, int] = ALL) -> Tensor:
    return times.draw(NAMES, process or Flow(1000, BY_TOKENS), window, SHAPE)


@pytest.mark.parametrize("times", KINDS.values(), ids=KINDS)
def test_half_of_the_samples_lie_below_the_median_that_the_plan_says(times: Times) -> None:
    """Four standard errors of a share of .5 among as many samples."""
    process = Flow(1000, BY_TOKENS)
    median = times.median(process, ALL, SHAPE)
    below = float((drawn(times) <= median).float().mean())
    assert abs(below - 0.5) < 4 * 0.5 / math.sqrt(len(NAMES))


@pytest.mark.parametrize("times", KINDS.values(), ids=KINDS)
def test_times_are_by_name_within_their_window_and_of_every_process(times: Times) -> None:
    for process in (Flow(1000, BY_TOKENS), table()):
        if process.shift is None and times.shift == "resolution":
            continue
        t = drawn(times, process, (200, 300))
        unit = 1.0 if isinstance(process, Diffusion) else 1000.0
        assert float(t.min()) * unit >= 200
        assert float(t.max()) * unit <= (299 if isinstance(process, Diffusion) else 300)
        alone = times.draw(NAMES[7:9], process, (200, 300), SHAPE)
        assert torch.equal(t[7:9], alone)


def test_a_logit_normal_is_one() -> None:
    """Its quantiles, against the standard library's normal distribution."""
    times = LogitNormal(shift=None, mean=0.5, std=1.5)
    quantiles = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    logits = [NormalDist(0.5, 1.5).inv_cdf(float(quantile)) for quantile in quantiles]
    torch.testing.assert_close(times.at_quantile(quantiles), torch.sigmoid(torch.tensor(logits)))
    assert float(times.at_quantile(torch.tensor([1.0]))) == 1


def test_a_mode_is_uniform_at_scale_0_and_always_in_order() -> None:
    quantiles = torch.linspace(0.001, 1, 1000)
    torch.testing.assert_close(Mode(shift=None, scale=0.0).at_quantile(quantiles), quantiles)
    shares = Mode(shift=None, scale=1.29).at_quantile(quantiles)
    assert (shares.diff() > 0).all()
    assert 0 < float(shares[0]) < float(shares[-1]) <= 1
    with pytest.raises(ValueError, match=r"scale=2\.0: it must not be above 1\.75"):
        Mode(shift=None, scale=2.0)


def test_a_parabola_is_that_of_chroma() -> None:
    """2 - 7.7 (s - 1/2)^2, added up over a fine grid."""
    grid = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    below = torch.cumsum(2 - 7.7 * (grid - 0.5).square(), dim=0)
    quantiles = torch.tensor([0.001, 0.1, 0.5, 0.9, 0.999], dtype=torch.float64)
    expected = grid[torch.searchsorted(below / below[-1], quantiles)]
    found = Parabola(shift=None, ends=0.0375).at_quantile(quantiles)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_a_parabola_stays_within_its_ends_and_is_none_at_as_many() -> None:
    quantiles = torch.linspace(1e-7, 1, 1000)
    for ends in (0.0, 0.0375, 0.999):
        shares = Parabola(shift=None, ends=ends).at_quantile(quantiles)
        assert (shares.diff() > 0).all()
        assert 0 < float(shares[0]) < float(shares[-1]) <= 1
    torch.testing.assert_close(shares, quantiles, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match=r"ends=1\.0: it must be below 1"):
        Parabola(shift=None, ends=1.0)


def test_a_shift_multiplies_the_odds_of_noise() -> None:
    shares = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    odds, moved = (value / (1 - value) for value in (shares, shifted(shares, 3.0)))
    torch.testing.assert_close(moved, 3 * odds)


@pytest.mark.parametrize(("pixels", "factor"), [(512, 1.88), (1024, 3.16)])
def test_a_shift_by_resolution_is_that_of_the_schedule(pixels: int, factor: float) -> None:
    """FLUX.1's published schedule, at which larger pictures are drawn with more noise."""
    shape = (16, pixels // 8, pixels // 8)
    assert abs(BY_TOKENS.factor(shape) - factor) < 0.005
    process = Flow(1000, BY_TOKENS)
    plain, by_resolution = (LogitNormal(shift=shift, mean=0.0, std=1.0) for shift in (None, "resolution"))
    names = NAMES[:100]
    expected = shifted(plain.draw(names, process, ALL, shape), BY_TOKENS.factor(shape))
    torch.testing.assert_close(by_resolution.draw(names, process, ALL, shape), expected)


def test_a_shift_by_resolution_needs_a_schedule_with_one(tiny_sd: Path) -> None:
    facts = tiny_source(tiny_sd).facts()
    (problem,) = Uniform(shift="resolution").problems(facts)
    assert problem.key == "shift"
    assert "Give a number" in str(problem)
    assert not list(Uniform(shift=3.0).problems(facts))
    assert not list(Uniform(shift="resolution").problems(facts._replace(process=Flow(1000, BY_TOKENS))))
