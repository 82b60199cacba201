"""Captions of the user's that do not say the word that is taught."""

from pathlib import Path

import pytest
from lessons import Watch
from small_runs import configure, draw_pictures

from imprint.planning.prepare import prepare
from imprint.verbs.train import train


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    folder = draw_pictures(tmp_path / "captioned")
    (folder / "0.txt").write_text("lying on the grass")
    (folder / "1.txt").write_text("{identifier} in the rain")
    return folder


def test_they_are_told_of(captioned: Path, tiny_sd: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    prepare(configure(tiny_sd, captioned, tmp_path))
    [record] = [record for record in caplog.records if "captions=prefix" in record.getMessage()]
    assert "'sks' is not in the captions of 0.png:" in record.getMessage()
    caplog.clear()
    for captions in ("prefix", "template"):
        prepare(configure(tiny_sd, captioned, tmp_path, f"dataset.captions={captions}"))
    assert not [record for record in caplog.records if "is not in the captions" in record.getMessage()]


def test_so_are_templates_if_a_picture_needs_them(
    captioned: Path, pictures: Path, tiny_sd: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def told(folder: Path) -> bool:
        caplog.clear()
        prepare(configure(tiny_sd, folder, tmp_path, "method.templates=['a dog','a {identifier} {noun}']"))
        return any("without {identifier}: 'a dog'. They" in record.getMessage() for record in caplog.records)

    assert told(pictures)
    assert told(captioned)
    (captioned / "2.txt").write_text("{identifier} at home")
    assert not told(captioned)


def test_or_given_the_words_which_is_another_run(
    captioned: Path, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    run = train(configure(tiny_sd, captioned, tmp_path, "dataset.captions=prefix"))
    seen = {caption for _, _, caption in watch.samples(prior=False)}
    assert seen == {"sks dog, lying on the grass", "sks in the rain", "a sks dog"}
    assert run.signature != prepare(configure(tiny_sd, captioned, tmp_path)).run.signature


def test_a_dropped_caption_is_seen_as_the_empty_one(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where embeddings are kept by caption, and where nothing but a word learns."""
    for number, method in enumerate(("dreambooth", "textual_inversion")):
        watch = Watch(monkeypatch)
        words = ["dataset.identifier=auto", f"method={method}", "dataset.caption_dropout=0.5", "hparams.steps=8"]
        run = train(configure(tiny_sd, pictures, tmp_path / str(number), *words))
        captions = [caption for _, _, caption in watch.samples(prior=False)]
        assert 0 < captions.count("") < len(captions)
        assert run.status == "finished"
