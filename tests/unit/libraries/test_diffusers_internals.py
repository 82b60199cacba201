"""What is assumed of diffusers beyond its public interface."""

import diffusers
import pytest
import torch
from tiny import tiny_tokenizer

from imprint.libraries.diffusers import kind_of_single_file, needed_packages, schedulers, with_all_vectors


def test_the_list_of_schedulers_names_classes_of_the_library() -> None:
    assert {"DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"} <= schedulers()
    assert all(hasattr(diffusers, name) for name in schedulers())


def test_a_stand_in_says_which_packages_it_lacks() -> None:
    assert needed_packages("DDIMScheduler") == []
    lacking = [name for name in schedulers() if needed_packages(name)]
    for name in lacking:
        with pytest.raises(ImportError, match="|".join(needed_packages(name))):
            getattr(diffusers, name)()


def test_a_word_of_several_vectors_is_written_as_all_of_its_tokens() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<toy>", "<toy>_1"])
    assert with_all_vectors("a <toy>", tokenizer) == "a <toy> <toy>_1"
    assert with_all_vectors("a dog", tokenizer) == "a dog"


def test_a_file_is_known_by_its_tensors() -> None:
    key = "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
    assert kind_of_single_file({key: torch.empty(320, 1024, device="meta")}) == "v2"
    assert kind_of_single_file({key: torch.empty(320, 768, device="meta")}) == "v1"
