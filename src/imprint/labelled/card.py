"""The data card: what a labelled data set holds, how it was made and is loaded, as README.md with the hub's tags."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from imprint.labelled.folder import LabelledFolder
from imprint.labelled.layout import TRAIN
from imprint.tables.markdown import code, code_block, code_cell, plain

if TYPE_CHECKING:
    from jinja2 import Template

# As the hub has them.
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LONGEST = 20_000  # characters of settings that are shown


class Count(NamedTuple):
    split: str
    subject: str
    noun: str
    by_source: Mapping[str, int]
    masks: int


def card(data: LabelledFolder, *, name: str) -> str:
    """`data.about` may say of its making: settings, runs (inside of settings, too), rights, opt_outs, imprint."""
    rows = [row for _, row in data.rows()]
    settings = data.about.get("settings")
    settings = dict(settings) if isinstance(settings, Mapping) else {}
    runs = settings.pop("runs", None) or data.about.get("runs")
    rights = data.about.get("rights")
    opt_outs = data.about.get("opt_outs")
    version = data.about.get("imprint")
    synthetic = sum(not row.is_real for row in rows)
    return _template().render(
        front=yaml.safe_dump(_front(data, name), sort_keys=False, allow_unicode=True),
        name=name,
        total=len(rows),
        synthetic=synthetic,
        subjects=data.subjects,
        sources=sorted({row.source for row in rows}),
        counts=list(_counts(data)),
        rejected=len(data.rejected),
        reasons=Counter(reason.partition(":")[0] for row in data.rejected for reason in row.reasons).most_common(),
        soft=sum(len(row.labels) > 1 for row in rows),
        qualities=Counter(row.label_quality for row in rows if row.label_quality).most_common(),
        runs=sorted((str(key), str(run)) for key, run in runs.items()) if isinstance(runs, Mapping) else [],
        settings=_settings(settings),
        rights=sorted(map(_said, rights.items())) if isinstance(rights, Mapping) else [("", "not stated")],
        opt_outs=[str(line) for line in opt_outs] if isinstance(opt_outs, list) else [],
        written_by=f"Made with imprint {plain(str(version))}." if version else "Written by imprint.",
    )


def _front(data: LabelledFolder, name: str) -> dict[str, Any]:
    rows = [row for _, row in data.rows()]
    is_synthetic, has_boxes = any(not row.is_real for row in rows), any(row.objects for row in rows)
    return {
        "pretty_name": name,
        "tags": [*(["synthetic"] if is_synthetic else []), "imprint"],
        "task_categories": ["image-classification", *(["object-detection"] if has_boxes else [])],
        "annotations_creators": ["machine-generated" if is_synthetic else "found"],
        "size_categories": [next((size for limit, size in SIZES if len(rows) < limit), "n>1M")],
    }


def _counts(data: LabelledFolder) -> Iterator[Count]:
    for split, rows in data.splits.items():
        for subject, noun in sorted({(row.subject, row.noun) for row in rows}):
            own = [row for row in rows if (row.subject, row.noun) == (subject, noun)]
            masks = sum(bool(row.mask_file_name) for row in own)
            yield Count(split or TRAIN, subject, noun, Counter(row.source for row in own), masks)


def _settings(settings: Mapping[str, Any]) -> str:
    if not settings:
        return ""
    return code_block(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)[:LONGEST].rstrip(), "yaml")


def _said(pair: tuple[Any, Any]) -> tuple[str, str]:
    return str(pair[0]), str(pair[1] or "not stated")


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("imprint.labelled"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(plain=plain, code=code, cell=lambda text: code_cell(str(text)))
    return environment.get_template("data_card.md.jinja")
