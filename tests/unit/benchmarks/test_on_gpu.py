"""The program for the first minutes on a GPU: parts, what is kept of them, and what travels."""

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Module = Callable[[str], Any]
ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "benchmarks/on_gpu.py"


@pytest.fixture
def part(module: Module, tmp_path: Path) -> Any:
    document = module("gpu.document").Document(tmp_path / "on_gpu.json", private={"OUT": tmp_path})
    document.begin(command="none", code="this", again=False)
    document.start("steps", command="none")
    return module("gpu.part").Part(
        name="steps",
        document=document,
        rehearse=True,
        work=tmp_path,
        out=tmp_path,
        peer=None,
        until=time.time() + 60,
    )


def fails() -> dict[str, Any]:
    raise ValueError("it broke")


def test_an_item_that_fails_leaves_the_others_and_is_tried_again(part: Any) -> None:
    tried: list[str] = []

    def measured(name: str) -> dict[str, Any]:
        tried.append(name)
        return {"ms": 1}

    assert part.item("first", lambda: measured("first"))["ms"] == 1
    assert part.item("second", fails) is None
    assert part.document.items("steps")["second"]["failed"] == "ValueError: it broke"
    for name in ("first", "second"):
        part.item(name, lambda name=name: measured(name))
    assert tried == ["first", "second"]
    assert "failed" not in part.document.items("steps")["second"]


def test_no_folder_of_the_machine_is_told(part: Any, tmp_path: Path) -> None:
    part.item("first", lambda: {"said": f"written to {tmp_path}/flow"})
    assert part.document.items("steps")["first"]["said"] == "written to OUT/flow"


def test_an_item_says_what_it_lacks(part: Any, module: Module) -> None:
    def lacks() -> dict[str, Any]:
        raise module("gpu.part").Skipped("no GPU")

    assert part.item("graph", lacks) is None
    assert part.document.items("steps")["graph"]["skipped"] == "no GPU"


def broken(part: Any) -> None:
    raise RuntimeError("no device")


def skipped_alone(part: Any) -> None:
    part.document.note(part.name, "an item", {"skipped": "no GPU"})


def failed_in_part(part: Any) -> None:
    part.item("good", lambda: {"ms": 1})
    part.item("bad", fails)


@pytest.mark.parametrize(
    ("run", "state", "why"),
    [
        (lambda part: None, "done", ""),
        (broken, "failed", "RuntimeError: no device"),
        (skipped_alone, "skipped", "no GPU"),
        (failed_in_part, "failed", "bad: ValueError: it broke"),
    ],
)
def test_a_part_ends_with_a_reason(
    run: Callable[[Any], None], state: str, why: str, part: Any, module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module("gpu.steps"), "run", run)
    module("gpu.part").carry_out(part)
    assert (part.document.state("steps"), part.document.reason("steps")) == (state, why)
    held = json.loads(part.document.file.read_text())
    assert held["circumstances"]["versions"]["torch"]


def test_what_other_code_has_done_is_forgotten(part: Any) -> None:
    part.item("first", lambda: {"ms": 1})
    part.document.end("steps", "done", "", 1.0)
    part.document.begin(command="none", code="this", again=False)
    assert part.document.state("steps") == "done"
    part.document.begin(command="none", code="that", again=False)
    assert part.document.state("steps") is None


def test_every_part_has_a_file(module: Module) -> None:
    for name in module("on_gpu").PARTS:
        assert callable(module(f"gpu.{name}").run)


def test_a_part_that_takes_too_long_is_ended_with_all_that_it_started(
    module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    on_gpu = module("on_gpu")
    monkeypatch.setattr(on_gpu, "__file__", str(program))
    monkeypatch.setattr(on_gpu, "PARTS", {"steps": on_gpu.Planned("a part", 5)})
    monkeypatch.setattr(sys, "argv", ["on_gpu.py", f"--out={tmp_path / 'out'}", f"--work={tmp_path / 'work'}"])
    on_gpu.main()
    held = json.loads((tmp_path / "out/on_gpu.json").read_text())
    assert held["parts"]["steps"]["state"] == "failed"
    assert held["parts"]["steps"]["why"] == "its time was over, 5 s"
    child = int((tmp_path / "child").read_text())
    deadline = time.time() + 20
    while (running := Path(f"/proc/{child}/stat")).is_file() and ") Z " not in running.read_text():
        assert time.time() < deadline
        time.sleep(0.1)


def test_wheels_are_put_on_the_path(module: Module, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "carried-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("carried/__init__.py", "answer = 42\n")
    site = module("gpu.luggage").unpack(wheels, tmp_path / "site")
    said = subprocess.run(
        [sys.executable, "-c", "import carried; print(carried.answer)"],
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "42\n"


def test_luggage_has_the_program_without_what_it_does_not_need(
    module: Module, tmp_path: Path, peer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    luggage = module("gpu.luggage")

    def no_network(listed: Path, folder: Path, python: str) -> list[Path]:
        folder.mkdir(parents=True)
        assert "diffusers==" in listed.read_text()
        return []

    monkeypatch.setattr(luggage, "_wheels", no_network)
    folder = tmp_path / "luggage"
    *_, told = luggage.pack(ROOT, folder, peer=peer, python="3.12")
    assert told.endswith("python benchmarks/on_gpu.py --out results --peer peer")
    for needed in ("src/imprint/cli.py", "conf/train.yaml", "benchmarks/gpu/steps.py", "COMMIT"):
        assert (folder / needed).is_file()
    assert (folder / "src/imprint/miniature/weights/model_index.json").is_file()
    assert not (folder / "src/imprint/miniature/flow_weights").exists()
    assert module("sides.peer").missing(folder / "peer") == []
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 30 * 2**20


def test_a_wheel_loses_the_libraries_of_other_devices(module: Module, tmp_path: Path) -> None:
    wheel = tmp_path / "bitsandbytes-1.0-py3-none-any.whl"
    names = [
        "bitsandbytes/__init__.py",
        *(f"bitsandbytes/libbitsandbytes_{kind}.so" for kind in ("cuda130", "cuda124")),
    ]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    module("gpu.luggage")._lighten(wheel)
    assert zipfile.ZipFile(wheel).namelist() == names[:2]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_of_it_is_rehearsed(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), "--rehearse", "--minutes=25"]
    command += [f"--out={tmp_path / 'out'}", f"--work={tmp_path / 'work'}"]
    subprocess.run(command, check=True, timeout=1700)
    held = json.loads((tmp_path / "out/on_gpu.json").read_text())
    ends = {name: (part["state"], part["why"]) for name, part in held["parts"].items()}
    assert [name for name, (state, _) in ends.items() if state == "failed"] == [], ends
    skipped = {name: why for name, (state, why) in ends.items() if state == "skipped"}
    assert all("GPU" in why or "there is no" in why for why in skipped.values()), skipped
    assert {"machine", "precision", "steps", "grids", "drawing", "pretraining"} <= set(ends) - set(skipped)
    assert (tmp_path / "out/flow_unet.safetensors").is_file()
