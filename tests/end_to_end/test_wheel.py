"""What people install is the whole program, and nothing else."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "imprint"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    _python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty folder to work in."""
    return tmp_path


def test_all_that_the_program_reads_is_in_the_wheel(wheel: Path) -> None:
    expected = {f"imprint/{path.relative_to(SOURCE).as_posix()}" for path in _files(SOURCE)}
    expected |= {f"imprint/conf/{path.relative_to(ROOT / 'conf').as_posix()}" for path in _files(ROOT / "conf")}
    assert {"imprint/conf/train.yaml", "imprint/py.typed", "imprint/reporting/templates/report.html.j2"} <= expected
    assert not expected - _names(wheel)


def test_nothing_else_is_in_the_wheel(wheel: Path) -> None:
    others = {name for name in _names(wheel) if not name.startswith("imprint/")}
    # Hydra looks for plugins in a namespace that all packages share: what is ours there says so.
    plugins = {name for name in others if name.startswith("hydra_plugins/")}
    assert plugins
    assert all(name.startswith("hydra_plugins/imprint_") for name in plugins)
    [about] = {name.partition("/")[0] for name in others - plugins}
    assert about.endswith(".dist-info")
    assert not [name for name in _names(wheel) if "local/" in name or name.endswith((".pyc", ".ipynb"))]


def test_the_configuration_of_an_installed_program_is_its_own(installed: Path, elsewhere: Path) -> None:
    hparams = installed / "imprint" / "conf" / "hparams" / "default.yaml"
    original = hparams.read_text(encoding="utf-8")
    hparams.write_text(original.replace("clip: 1.0", "clip: 0.123"), encoding="utf-8")
    try:
        said = _run(installed, elsewhere, "-m", "imprint.cli", "train", "--cfg", "job", "--resolve")
    finally:
        hparams.write_text(original, encoding="utf-8")
    assert "clip: 0.123" in said
    assert "${" not in said
    assert not list(elsewhere.iterdir()), "showing a configuration leaves nothing behind"


def test_an_installed_program_helps(installed: Path, elsewhere: Path) -> None:
    assert "imprint train" in _run(installed, elsewhere, "-m", "imprint.cli", "--help")
    assert "imprint train" in _run(installed, elsewhere, str(installed / "bin" / "imprint"), "--help")
    assert "model" in _run(installed, elsewhere, "-m", "imprint.cli", "train", "--help")


def test_an_installed_program_does_not_need_the_checkout(installed: Path, elsewhere: Path) -> None:
    said = _run(
        installed, elsewhere, "-c", "import imprint.verbs.train, sys; print(imprint.__file__, *sys.path, sep='\\n')"
    )
    file, *path = said.splitlines()
    assert Path(file).is_relative_to(installed)
    assert not [entry for entry in path if Path(entry).is_relative_to(ROOT / "src")]


def _run(installed: Path, folder: Path, *arguments: str) -> str:
    """What a Python says that sees the libraries and `installed`, but no .pth file: no checkout, though this one is
    installed from it."""
    places = [str(installed), *dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))]
    return _python("-S", *arguments, cwd=folder, PYTHONPATH=os.pathsep.join(places))


def _python(*arguments: str, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def _files(folder: Path) -> Iterator[Path]:
    """But for what git does not keep."""
    ignored = {"__pycache__", "local"}
    return (path for path in folder.rglob("*") if path.is_file() and not ignored & set(path.relative_to(folder).parts))
