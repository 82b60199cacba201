"""imprint publish: what is sent to a hub, when, and what stops it; the hub is one on this machine."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import yaml
from command import Typed, typed_with
from hub_server import Hub, Published, serving
from PIL import Image
from small_runs import configure, draw_pictures

from imprint.pictures.files import png_bytes
from imprint.provenance.base import MadeBy
from imprint.provenance.xmp import statement
from imprint.runs import Run
from imprint.verbs.train import train

RUN = ["method=lora", "samples=default", "samples.prompts=['a {identifier} {noun}: red']", "samples.seeds=[0]"]
NAME = "somebody/rex"
FORBIDS = statement(MadeBy((), ())).replace(
    "Iptc4xmpExt:DigitalSourceType",
    'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining='
    '"http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED" other',
)


@pytest.fixture(scope="module")
def trained(finished: Callable[..., Run]) -> Run:
    return finished(*RUN)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """One of its own, to be changed."""
    return Run(shutil.copytree(trained.folder, tmp_path / trained.folder.name))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    (tmp_path / "hub").mkdir()
    with serving(tmp_path / "hub") as hub:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.address)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Typed:
    return typed_with(capfd)


def test_nothing_is_sent_without_being_asked(run: Run, hub: Hub, typed: Typed) -> None:
    said = typed("publish", str(run.folder), f"repo={NAME}")
    assert said.code == 0, said.text
    assert "private" in said.text
    assert "samples/" in said.text
    assert ".safetensors" in said.text
    assert "dry_run=false sends it" in said.text
    assert not hub.published


def test_a_result_is_one_commit_of_a_private_repository(run: Run, hub: Hub, typed: Typed) -> None:
    said = typed("publish", str(run.folder), f"repo={NAME}", "dry_run=false")
    assert said.code == 0, said.text
    assert f"Published: {hub.address}/{NAME}/commit/" in said.text
    published = hub.published[NAME]
    assert published.private
    assert len(published.commits) == 1
    here = {file.relative_to(run.result).as_posix(): file for file in run.result.rglob("*") if file.is_file()}
    assert published.files == {name: file.read_bytes() for name, file in here.items()}


def test_the_card_shows_its_pictures_on_the_hub(run: Run) -> None:
    front = yaml.safe_load((run.result / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert front["pipeline_tag"] == "text-to-image"
    assert "base_model" not in front  # which is a folder of this machine here
    [shown] = front["widget"]
    assert shown["text"] == "a sks dog: red"
    assert (run.result / shown["output"]["url"]).is_file()


def test_pictures_can_be_left_out(run: Run, hub: Hub, typed: Typed) -> None:
    assert typed("publish", str(run.folder), f"repo={NAME}", "pictures=false", "dry_run=false").code == 0
    files = hub.published[NAME].files
    assert not [name for name in files if name.startswith("samples/")]
    card = files["README.md"].decode()
    assert "samples/" not in card
    assert yaml.safe_load(card.split("---\n")[1])["library_name"] == "diffusers"


def test_without_rights_nothing_is_public(run: Run, hub: Hub, typed: Typed) -> None:
    public = ["publish", str(run.folder), f"repo={NAME}", "private=false", "dry_run=false"]
    said = typed(*public)
    assert said.code == 1
    assert str(run.result / "README.md") in said.text
    assert not hub.published
    card = run.result / "README.md"
    card.write_text(card.read_text(encoding="utf-8").replace("not stated", "my own pictures of my dog"))
    assert typed(*public).code == 0
    assert not hub.published[NAME].private


def test_photos_that_forbid_training_stop_it(hub: Hub, typed: Typed, tiny_sd: Path, tmp_path: Path) -> None:
    photos = draw_pictures(tmp_path / "photos")
    with Image.open(photos / "1.png") as picture:
        content = png_bytes(picture, xmp=FORBIDS)
    (photos / "1.png").write_bytes(content)
    run = train(configure(tiny_sd, photos, tmp_path / "runs", "method=lora", "hparams.steps=1"))
    said = typed("publish", str(run.folder), f"repo={NAME}", "dry_run=false")
    assert said.code == 1
    assert "1.png forbids" in said.text
    assert "dataset.opt_out=ignore" in said.text
    assert not hub.published


def test_unmarked_pictures_and_a_bad_name_are_told_together(run: Run, hub: Hub, typed: Typed) -> None:
    for file in (run.result / "samples").iterdir():
        Image.new("RGB", (8, 8)).save(file)
    said = typed("publish", str(run.folder), "repo=rex", "dry_run=false")
    assert "2 problems" in said.text
    assert "OWNER/NAME" in said.text
    assert "pictures=false" in said.text
    assert not hub.published


def test_links_are_not_followed(run: Run, hub: Hub, typed: Typed, tmp_path: Path) -> None:
    (run.result / "more").symlink_to(tmp_path)
    said = typed("publish", str(run.folder), f"repo={NAME}", "dry_run=false")
    assert said.code == 1
    assert "links are not published" in said.text
    assert not hub.published


@pytest.mark.parametrize("private", [True, False])
def test_a_repository_that_is_there_is_left_alone(run: Run, hub: Hub, typed: Typed, private: bool) -> None:
    hub.published[NAME] = Published(private=private)
    command = ["publish", str(run.folder), f"repo={NAME}", "dry_run=false"]
    said = typed(*command)
    assert said.code == 1
    assert "update=true" in said.text
    said = typed(*command, "update=true")
    assert (said.code, len(hub.published[NAME].commits)) == ((0, 1) if private else (1, 0)), said.text
    assert private or "this repository is public" in said.text


@pytest.mark.parametrize(
    ("fails", "told"), [("/commit/", "is empty"), ("/large/", "is empty"), ("/repos/create", "Nothing was published")]
)
def test_a_hub_that_fails_leaves_nothing_half_published(
    run: Run, hub: Hub, typed: Typed, monkeypatch: pytest.MonkeyPatch, fails: str, told: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # before the next try
    hub.fails = fails
    said = typed("publish", str(run.folder), f"repo={NAME}", "dry_run=false")
    assert said.code == 1
    assert told in said.text
    assert "Traceback" not in said.text
    assert not [name for name, found in hub.published.items() if found.files]
    hub.fails = None
    assert typed("publish", str(run.folder), f"repo={NAME}", "dry_run=false", "update=true").code == 0


def test_without_a_login_the_remedy_is_told(
    run: Run, hub: Hub, typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = ["publish", str(run.folder), f"repo={NAME}", "dry_run=false"]
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    said = typed(*command)
    assert "Invalid credentials" in said.text
    assert "hf auth login" in said.text
    assert "hf_wrong" not in said.text
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    said = typed(*command)
    assert "there is no login" in said.text
    assert not hub.published


def test_without_a_network_nothing_is_published(
    run: Run, hub: Hub, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    said = typed("publish", str(run.folder), f"repo={NAME}", "dry_run=false")
    assert said.code == 1
    assert "cannot be reached" in said.text
    assert "Nothing was published" in said.text
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in typed("publish", str(run.folder), f"repo={NAME}", "dry_run=false").text
