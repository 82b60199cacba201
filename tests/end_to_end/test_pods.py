"""PODS's protocol as it is typed: from the data set on disk to drawn pictures, and to what they are worth."""

from pathlib import Path

import pytest
from command import typed_with
from pods_world import write_pods

from imprint.labelled.folder import read_folder

# A model and an encoder that are small, and few steps of everything.
SMALL = ["model=mini", "images=20", "steps=2", "hparams.steps=2", "prior.count=2", "trainer.accelerator=cpu"]
THIN = ["encoders=mini", "accelerator=cpu", "seeds=[0]", "learners.tuned.updates=2", "learners.tuned.batch=8"]


@pytest.mark.slow
def test_pods_is_drawn_and_studied(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    typed = typed_with(capfd)
    pods, outputs = write_pods(tmp_path / "pods"), tmp_path / "outputs"
    for way in ("from_noise", "paste"):
        command = ["synthesis_profile=pods", f"synthesis={way}", f"collection.path={pods}", f"outputs={outputs}"]
        drawn = typed("synthesise", *command, f"out={tmp_path / way}", *SMALL)
        assert drawn.code == 0, drawn.text
        data = read_folder(tmp_path / way)
        assert data.subjects == ("cat", "dog")  # those of the group `test`
        assert data.nouns == ("cat", "dog")
    assert {row.label_quality for _, row in data.rows()} == {"construction"}  # pasted by the data set's own masks
    studied = typed(
        "study",
        *map(str, (pods, tmp_path / "from_noise", tmp_path / "paste")),
        *("study_profile=pods", "subjects=test", "parts=tell", f"out={tmp_path / 'study'}", *THIN),
    )
    assert studied.code == 0, studied.text
    assert "16 of 16" in studied.text  # two learners, four arms, two objects
    assert "before, 3 shots" in studied.text
    assert "nothing says" not in studied.text  # which photos the generator was taught from
