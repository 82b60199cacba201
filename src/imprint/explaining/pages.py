"""Pages of help: text for a terminal, within its width."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from imprint.explaining.comments import CommentedFile
from imprint.explaining.settings import Explained, Section

WIDEST = 110  # of a line that is easily read
NARROWEST = 40
SETTING_COLUMN = 34  # of a setting and its value; longer ones have a line of their own
CLOSING = (
    "imprint help GROUP, GROUP.CHOICE or a setting's name tells more; imprint {verb} GROUP=CHOICE --help has the "
    "settings of a choice. -m runs a grid of all combinations (key=a,b,c); --cfg job shows the configuration instead "
    "of running it; --config-dir FOLDER has groups of your own; --hydra-help lists Hydra's own options."
)
DEEPEST = 3  # names in a key that is listed itself


def width() -> int:
    """COLUMNS, the terminal's, or 80."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns - 1))


def of_verb(verb: str, summary: str, head: CommentedFile, sections: Sequence[Section]) -> str:
    blocks = [
        *_paragraphs(head.about or f"imprint {verb}: {summary}."),
        _indented(head.examples),
        *(_section(section) for section in sections if section.settings),
        "\n".join(_groups([section for section in sections if section.group and not section.settings])),
        _wrapped(CLOSING.format(verb=verb), "", ""),
    ]
    return "\n\n".join(filter(None, blocks))


def of_choice(about: str, examples: Sequence[str], settings: Sequence[Explained]) -> str:
    return "\n\n".join(filter(None, [*_paragraphs(about), _indented(examples), "\n".join(_settings(settings))]))


def of_group(group: str, chosen: str, summaries: dict[str, str]) -> str:
    """The choices of a group, and the first sentences about each."""
    column = min(SETTING_COLUMN, max(map(len, summaries)) + 2)
    rows = [_row(name, summary, column) for name, summary in summaries.items()]
    usual = f", {chosen} unless you say so" if chosen else ""
    ask = f"imprint help {group}.{chosen or next(iter(summaries))} explains one."
    return "\n\n".join([f"{group}=NAME{usual}:", "\n".join(rows), ask])


def of_settings(found: Sequence[tuple[str, Explained]]) -> str:
    """Settings, with the command or the choice that has each."""
    return "\n\n".join(f"{where}\n{chr(10).join(_settings([setting]))}" for where, setting in found)


def _section(section: Section) -> str:
    head = "Settings"
    if section.group:
        also = f"; also {', '.join(section.others)}" if section.others else ""
        head = f"{section.group}={section.chosen}{also}"
    return "\n".join([_wrapped(head, "", "    "), *_settings(_shallow(section.settings))])


def _groups(sections: Sequence[Section]) -> Iterator[str]:
    """Those without a setting of their own."""
    if sections:
        yield "Groups"
    for section in sections:
        chosen = f"={section.chosen}" if section.chosen else ""
        yield _row(f"{section.group}{chosen}", f"also {', '.join(section.others)}" if section.others else "")


def _shallow(settings: Sequence[Explained]) -> Iterator[Explained]:
    """Deep ones are named by what they have in common."""
    said = set()
    for setting in settings:
        names = setting.key.split(".")
        if len(names) <= DEEPEST:
            yield setting
        elif (above := ".".join(names[:DEEPEST])) not in said:
            said.add(above)
            yield Explained(f"{above}.*", "", f"imprint help {above}")


def _settings(settings: Sequence[Explained] | Iterator[Explained]) -> Iterator[str]:
    for setting in settings:
        yield _row(f"{setting.key}={setting.value}" if setting.value else setting.key, setting.comment)


def _row(term: str, text: str, column: int = SETTING_COLUMN) -> str:
    beside = " " * (column + 2)
    if not text:
        return f"  {term}"
    if len(term) + 2 <= column:
        return _wrapped(text, f"  {term:<{column}}", beside)
    return f"  {term}\n{_wrapped(text, beside, beside)}"


def _paragraphs(text: str) -> list[str]:
    return [_wrapped(part, "", "") for part in text.split("\n") if part]


def _wrapped(text: str, first: str, further: str) -> str:
    return textwrap.fill(
        text,
        width(),
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
