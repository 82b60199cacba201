"""What is said beside a scoreboard about all of it: gaps, few subjects, and what the score sheets themselves say."""

from collections.abc import Iterator, Mapping, Sequence

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.evaluation.statistics.crossing import FEWEST, FEWEST_SUBJECTS
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.scores import Score


def missing_subject_notes(contestants: Sequence[Entry], subjects: Mapping[str, str]) -> Iterator[str]:
    short = {
        entry.label: absent
        for entry in contestants
        if (absent := [subject for subject in subjects if subject not in {sheet.subject for sheet in entry.sheets}])
    }
    if len(short) == 1:
        [(label, absent)] = short.items()
        yield (
            f"{label} has no scores of {', '.join(absent)}. Its means are over {len(subjects) - len(absent)} of "
            f"{len(subjects)} subjects and cannot be compared with the others'; the tests use the common subjects."
        )
    elif short:
        counted = ", ".join(f"{label}: {len(subjects) - len(absent)}" for label, absent in short.items())
        yield (
            f"{len(short)} contestants lack some of the {len(subjects)} subjects ({counted}). Means over different "
            "subjects cannot be compared; the tests use the common ones."
        )


def lost_prompt_notes(scores: Sequence[Score], columns: Sequence[ScoreColumn]) -> Iterator[str]:
    """`scores` are means over all subjects of the contestants."""
    titles = {column.key: column.title for column in columns}
    lost: dict[str, list[str]] = {}
    for each in scores:
        if each.lost:
            lost.setdefault(each.entry, []).append(f"{each.lost} of {titles[each.column]}")
    if lost:
        told = "; ".join(
            f"{entry} {', '.join(counts)}" if len(lost) > 1 else ", ".join(counts) for entry, counts in lost.items()
        )
        yield (
            f"{next(iter(lost)) if len(lost) == 1 else f'{len(lost)} contestants'} "
            f"{'has' if len(lost) == 1 else 'have'} no number of some prompts, since pictures failed or came out blank "
            f"({told}). What is left may be the easier part: such means cannot be compared with the others', and the "
            "tests use the prompts of a subject that both have."
        )


def few_subjects_notes(subjects: Mapping[str, str]) -> Iterator[str]:
    if len(subjects) == 1:
        yield (
            "There is one subject. Intervals come from its training seeds, prompts and pictures, and say nothing about "
            "other subjects."
        )
    elif len(subjects) < FEWEST_SUBJECTS:
        only = "Intervals of differences" if len(subjects) >= FEWEST else "Intervals"
        yield f"There are {len(subjects)} subjects. {only} are about these alone: too few to speak of others."


def sheet_notes(sheets: Sequence[ScoreSheet]) -> Iterator[str]:
    """The notes of the score sheets; one that all have is not repeated."""
    by_note: dict[str, list[str]] = {}
    for sheet in sheets:
        for note in sheet.notes:
            by_note.setdefault(note, []).append(sheet.run)
    for note, runs in by_note.items():
        yield note if len(runs) == len(sheets) else f"{', '.join(dict.fromkeys(runs))}: {note}"
