"""What Sphinx reads, in the folder that is given: the repository's own Markdown at its own places, so that its links
hold, and a page for each verb, method, model and metric, made of the comments in its YAML and of docstrings.

A link that leads nowhere is an error. One that leads to a file which is no page becomes text.
"""

import dataclasses
import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra.utils import get_class

import imprint
from imprint.command_line import VERBS
from imprint.explaining.comments import read
from imprint.migration.table import flags

ROOT = Path(__file__).parents[1]
OUT = Path(sys.argv[-1])  # build/docs-source
CONF = ROOT / "conf"
PROSE = [
    "*.md",
    "docs/*.md",
    "docs/families/*.md",
    "benchmarks/**/*.md",
    "experiments/**/*.md",
    "src/imprint/miniature/**/*.md",
    "tests/README.md",
]
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
SETTING = re.compile(r"(?<![`\w])[\w./@]+=[^\s`]*[^\s`.,;:)]")
FLAGS = re.compile(r"<!-- flags: .* -->")  # where the tables of other trainers' flags stand
SHORT = 90
PICTURES = (".png", ".jpg", ".svg")
GROUPS = {"method": "Methods", "model": "Models", "metric": "Metrics"}
PARTS = {
    "Guides": [
        "docs/tutorial",
        "docs/methods",
        "docs/troubleshooting",
        "docs/models",
        "docs/memory",
        *sorted(f"docs/families/{page.stem}" for page in (ROOT / "docs/families").glob("*.md")),
        "docs/migration",
        "docs/files",
        "docs/grids",
        "docs/high_resolution",
        "docs/synthesis",
        "docs/upscaling",
        "docs/report",
        "docs/serve",
        "docs/evaluation",
        "docs/tracking",
        "docs/provenance",
        "docs/data_sets",
        "docs/trust",
        "experiments/README",
        "benchmarks/README",
    ],
    "Reference": ["reference/api", "reference/verbs/index", *(f"reference/{group}/index" for group in GROUPS)],
    "Development": ["ARCHITECTURE", "CONTRIBUTING", "tests/README", "SECURITY", "CHANGELOG"],
}


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    pages = {page.relative_to(ROOT) for pattern in PROSE for page in ROOT.glob(pattern)}
    broken: list[str] = []
    for page in sorted(pages):
        text = (ROOT / page).read_text(encoding="utf-8")
        _write(_place(page), linked(page, FLAGS.sub(lambda _: _flags(), text), pages, broken))
    front = OUT / "index.md"
    front.write_text(front.read_text(encoding="utf-8") + "".join(_contents()), encoding="utf-8")
    _reference()
    if broken:
        sys.exit("Links that lead nowhere:\n" + "\n".join(broken))


def _flags() -> str:
    """Tables of what other trainers' flags are here."""
    tables = []
    for program, own in flags().items():
        rows = [
            f"| `{name}` | {f'`{flag.shown}`' if flag.shown else ''} | {_prose(flag.note)} |"
            for name, flag in sorted(own.items())
        ]
        tables.append("\n".join([f"### {program}", "", "| flag | here | |", "|---|---|---|", *rows]))
    return "\n\n".join(tables)


def _place(page: Path) -> Path:
    return Path("index.md") if page == Path("README.md") else page


def linked(page: Path, text: str, pages: set[Path], broken: list[str]) -> str:
    """The page's text, with links to pages and pictures alone. Adds to `broken`."""

    def link(found: re.Match[str]) -> str:
        _, text, target = found.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return found[0]
        there = (ROOT / page.parent / path).resolve()
        if not there.exists():
            broken.append(f"{page}: {target}")
            return text
        inside = there.relative_to(ROOT)
        readme = inside / "README.md"
        goal = next((goal for goal in (inside, readme) if goal in pages), None)
        if goal:
            up = "../" * len(page.parent.parts)
            return f"[{text}]({up}{_place(goal)}{'#' + anchor if anchor else ''})"
        if there.suffix in PICTURES:
            (OUT / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(there, OUT / inside)
            return found[0]
        return text

    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)  # code holds no links
    linked = "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)
    told = {part for parts in PARTS.values() for part in parts} | {"README"}
    return linked if str(page.with_suffix("")) in told else f"---\norphan: true\n---\n{linked}"


def _contents() -> Iterator[str]:
    for title, parts in PARTS.items():
        yield "\n```{toctree}\n:hidden:\n:caption: " + title + "\n:maxdepth: 2\n\n" + "\n".join(parts) + "\n```\n"


def _reference() -> None:
    _write("reference/api.md", "\n\n".join(_api()))
    verbs = {name: verb.summary for name, verb in VERBS.items()}
    for name, summary in verbs.items():
        text = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
        _write(f"reference/verbs/{name}.md", f"# imprint {name}\n\n{summary[0].upper()}{summary[1:]}.\n\n{_yaml(text)}")
    _write("reference/verbs/index.md", _index("Verbs", "Each is `imprint <verb>`.", verbs))
    for group, title in GROUPS.items():
        files = sorted((CONF / group).glob("*.yaml"))
        texts = {file.stem: file.read_text(encoding="utf-8") for file in files}
        chosen = {name: text for name, text in texts.items() if _target(name, texts)}
        for name in chosen:
            _write(f"reference/{group}/{name}.md", "\n\n".join(_choice(group, name, texts)))
        about = {name: _summary(text) for name, text in chosen.items()}
        _write(f"reference/{group}/index.md", _index(title, f"Each is a file in `conf/{group}/`.", about))


def _choice(group: str, name: str, texts: dict[str, str]) -> Iterator[str]:
    """A file of conf/, with the files that it begins from and the class that it configures."""
    told = get_class(_target(name, texts))
    command = (
        f"imprint train {group}={name}"
        if group != "metric"
        else f"imprint evaluate outputs/RUN +metric@evaluation.metrics.{name}={name}"
    )
    yield f"# {name}"
    yield _summary(texts[name])
    yield f"```\n{command}\n```"
    yield f"## Settings\n\n`conf/{group}/{name}.yaml`\n\n{_yaml(texts[name])}"
    for base in _bases(name, texts):
        yield f"It begins with `conf/{group}/{base}.yaml`:\n\n{_yaml(texts[base])}"
    yield f"## Class\n\n`{told.__module__}.{told.__qualname__}`\n\n{_doc(told)}"
    if fields := _types(told):
        yield "| setting | type |\n|---|---|\n" + "\n".join(f"| `{key}` | `{kind}` |" for key, kind in fields)


def _bases(name: str, texts: dict[str, str]) -> list[str]:
    given = (yaml.safe_load(texts[name]) or {}).get("defaults", [])
    own = [base for base in given if isinstance(base, str) and base in texts]
    return [*own, *(further for base in own for further in _bases(base, texts))]


def _target(name: str, texts: dict[str, str]) -> str:
    for file in (name, *_bases(name, texts)):
        if target := (yaml.safe_load(texts[file]) or {}).get("_target_"):
            return str(target)
    return ""


def _summary(text: str) -> str:
    """The comment that a file begins with, as prose."""
    about = read(text).about.replace("\n", " ")
    return _prose(SETTING.sub(lambda found: f"`{found[0]}`", about))


def _types(told: type) -> list[tuple[str, str]]:
    """What the constructor takes, which is what the YAML may hold."""
    source = {field.name: field.type for field in dataclasses.fields(told)} if dataclasses.is_dataclass(told) else {}
    taken = inspect.signature(told).parameters.values()
    return [(one.name, _kind(source.get(one.name, one.annotation)).replace("|", "\\|")) for one in taken]


def _kind(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"Annotated\[(\w+), .*\]", r"\1", text)
    return re.sub(r"\b(?:[a-z]\w*\.)+(?=\w)", "", text)


def _api() -> Iterator[str]:
    yield f"# Python\n\n{_doc(imprint)}\n\nAll of this is imported when it is used; `import imprint` costs nothing."
    for name in ("train", "open", "Run", "Sweep", "compose", "command", "Score", "Picture", "UserError", "locate"):
        yield from _part(getattr(imprint, name), name, "##")
        if inspect.isclass(told := getattr(imprint, name)):
            for key, member in vars(told).items():
                if not key.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                    yield from _part(member, f"{name}.{key}", "###")


def _part(told: Any, name: str, level: str) -> Iterator[str]:
    yield f"{level} {name}"
    if inspect.isclass(told) and hasattr(told, "_fields"):
        yield "| field | type |\n|---|---|\n" + "\n".join(f"| `{key}` | `{kind}` |" for key, kind in _types(told))
    elif callable(told) and not (inspect.isclass(told) and issubclass(told, Exception)):
        yield f"```python\n{name}{_signature(told)}\n```"
    yield _doc(told)


def _signature(told: Any) -> str:
    """As it is called: a parameter a line, where they are many."""
    whole = inspect.signature(told)
    own = whole.replace(parameters=[one for one in whole.parameters.values() if one.name != "self"])
    if inspect.isclass(told):
        own = own.replace(return_annotation=inspect.Signature.empty)
    text = _kind(str(own)).replace("-> '", "-> ").removesuffix("'")
    if len(text) < SHORT:
        return text
    taken, closing, returned = text[1:].rpartition(")")
    return "(\n    " + re.sub(r", (?=\**\w+:|\*,)", ",\n    ", taken) + f",\n{closing}{returned}"


def _doc(told: Any) -> str:
    return _prose(inspect.getdoc(told) or "")


def _prose(text: str) -> str:
    """Plain text as Markdown: <names> are no tags, and stars and underlines mean themselves."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<>\[\]$])", r"\\\1", part) for part in parts)


def _yaml(text: str) -> str:
    return f"```yaml\n{text.rstrip()}\n```"


def _index(title: str, about: str, entries: dict[str, str]) -> str:
    rows = "\n".join(f"| [{name}]({name}.md) | {text.replace('|', chr(92) + '|')} |" for name, text in entries.items())
    names = "\n".join(entries)
    return f"# {title}\n\n{about}\n\n| | |\n|---|---|\n{rows}\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"


def _write(place: str | Path, text: str) -> None:
    (OUT / place).parent.mkdir(parents=True, exist_ok=True)
    (OUT / place).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
