import torch

from imprint import rng
from imprint.seeds import seed_of


def test_a_name_always_draws_the_same() -> None:
    first = rng.normal([(0, "noise", "instance/3")], (4, 2, 2))
    torch.rand(7)  # nothing global takes part
    assert torch.equal(first, rng.normal([(0, "noise", "instance/3")], (4, 2, 2)))


def test_every_part_of_a_name_matters_and_so_does_its_kind() -> None:
    seeds = [
        seed_of(0, "noise", "a"),
        seed_of(1, "noise", "a"),
        seed_of(0, "timestep", "a"),
        seed_of(0, "noise", "b"),
        seed_of("0", "noise", "a"),
        seed_of(0, "noisea"),
        seed_of("noise", 0, "a"),
    ]
    assert len(set(seeds)) == len(seeds)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    names = [(5, "noise", f"instance/{position}") for position in range(6)]
    whole = rng.normal(names, (3,))
    assert torch.equal(whole[2:4], rng.normal(names[2:4], (3,)))


def test_integers_fill_their_range_evenly() -> None:
    drawn = rng.integers([(0, "t", index) for index in range(4000)], 10, 14)
    counts = torch.bincount(drawn, minlength=14)
    assert counts[:10].sum() == 0
    assert (counts[10:] > 900).all()


def test_normal_draws_are_normal() -> None:
    drawn = rng.normal([(0, "noise", index) for index in range(2000)], (8,))
    assert abs(float(drawn.mean())) < 0.03
    assert abs(float(drawn.std()) - 1) < 0.03


def test_layers_draw_what_they_draw_after_torchs_own_seed() -> None:
    rng.seed_layers(5, torch.device("cpu"))
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))
