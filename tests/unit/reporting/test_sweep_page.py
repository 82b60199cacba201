import json
import os
import re
import threading
from html import unescape
from pathlib import Path

import pytest
from composed import compose
from PIL import Image
from unit.reporting.runs_on_disk import being_trained, make_run, picture
from unit.reporting.sweeps_on_disk import COMMAND, finished_point, note, rates

from imprint.errors import UserError
from imprint.reporting import page, thumbnails
from imprint.reporting.page import write_sweep_report
from imprint.runs import Run
from imprint.sweeps import Point, Sweep
from imprint.verbs.report import main, write_report

LIVE = "location.reload()"


def rows(html: str) -> list[str]:
    """Of the table of points, as read aloud."""
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    return [
        " ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split())
        for row in re.findall(r"<tr data-run.*?</tr>", body, flags=re.DOTALL)
    ]


def test_every_point_has_a_row_in_its_order_begun_or_not(tmp_path: Path) -> None:
    sweep = rates(tmp_path)
    with being_trained(sweep.points[4].run.folder):
        written = write_sweep_report(sweep)
    assert written == sweep.report
    found = rows(written.read_text())
    settings = [" ".join(row.split()[2:5]) for row in found]
    assert settings == [
        "0.0001 4 finished",
        "0.0001 8 finished",
        "0.001 4 finished",
        "0.001 8 failed",
        "0.01 4 running",
        "0.01 8 waiting",
    ]
    assert "running 25%" in found[4]
    assert re.search(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", found[0]), "a metric with its interval"


def test_the_question_and_the_command_stand_above(tmp_path: Path) -> None:
    sweep = rates(tmp_path)
    sweep.note(question=None, command="imprint train -m more", objectives=["clip_t"], points=[])
    text = write_sweep_report(sweep).read_text()
    head = text[: text.index("Points</h2>")]
    assert "Which rate, and &lt;b&gt;which&lt;/b&gt; rank?" in head
    assert head.index("imprint train -m more") < head.index("1 earlier command") < head.index(COMMAND)
    assert "3 finished" in head
    assert "1 waiting" in head


def test_what_users_wrote_is_text_and_nothing_else(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)> $x$ {{ 7 * 7 }}'
    folder = make_run(
        tmp_path / "run-1",
        settings={"method": {"_target_": "a.LoRA", "lr": 1}, "dataset": {"path": "x", "subject": evil}},
        prompts=[evil],
        status="failed",
        error=evil,
    )
    sweep = Sweep.named("evil", tmp_path)
    points = [Point((f"dataset.subject={evil}",), Run(folder)), Point(("dataset.subject=b",), Run(tmp_path / "run-2"))]
    sweep.note(question=evil, command=evil, objectives=[evil], points=points)
    html = write_sweep_report(sweep).read_text()
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "{{ 7 * 7 }}" in html


def test_it_is_live_until_every_point_has_ended_and_is_scored(tmp_path: Path) -> None:
    assert LIVE in write_sweep_report(rates(tmp_path / "a")).read_text()
    sweep = rates(tmp_path / "b", is_over=True)
    assert LIVE not in write_sweep_report(sweep).read_text()
    assert LIVE in write_sweep_report(sweep, live=True).read_text()
    run = sweep.points[0].run
    (run.folder / "scores" / "quick.json").unlink()
    assert LIVE not in write_sweep_report(sweep).read_text(), "nobody asked for scores"
    run.config.write_text(run.config.read_text() + "evaluation:\n  name: quick\n")
    assert LIVE in write_sweep_report(sweep).read_text(), "its scores are still to come"
    run.scoring_error.write_text("the disk is full")
    text = write_sweep_report(sweep).read_text()
    assert LIVE not in text
    assert "scoring failed" in text


def test_it_is_written_while_runs_are_written(tmp_path: Path) -> None:
    """Files that appear, grow, are half there and vanish, at any moment."""
    sweep = rates(tmp_path)
    folder, stop = sweep.points[5].run.folder, threading.Event()

    def train() -> None:
        while not stop.is_set():
            for name in ("manifest.json", "config.yaml", "samples/samples.json", "scores/quick.json", "metrics.csv"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text('{"status": "run')
                (folder / name).unlink()

    trainer = threading.Thread(target=train)
    trainer.start()
    try:
        for _ in range(4):
            assert len(rows(write_sweep_report(sweep).read_text())) == 6
    finally:
        stop.set()
        trainer.join()


def test_thumbnails_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = rates(tmp_path)
    write_sweep_report(sweep)
    opened: list[str] = []
    real = Image.open
    monkeypatch.setattr(
        thumbnails.Image, "open", lambda file, **how: opened.append(Path(file).name) or real(file, **how)
    )
    write_sweep_report(sweep)
    assert opened == []
    changed = sweep.points[0].run.samples / "step-000040" / "00-s0.png"
    os.utime(changed, (1, 1))
    write_sweep_report(sweep)
    assert opened == [changed.name]


@pytest.mark.slow
def test_thirty_points_with_twenty_pictures_each_stay_at_a_few_megabytes(tmp_path: Path) -> None:
    noise = Image.effect_noise((256, 256), 90).convert("RGB")
    points = []
    for number in range(30):
        folder = make_run(
            tmp_path / f"run-{number:02}", settings={"seed": number}, prompts=[f"p{n}" for n in range(10)]
        )
        for file in folder.rglob("*.png"):
            noise.save(file, compress_level=1)
        points.append(Point((f"seed={number}",), Run(folder)))
    sweep = Sweep.named("large", tmp_path)
    note(sweep, points)
    assert write_sweep_report(sweep).stat().st_size < 6_000_000, "pictures of noise, the worst there are"


def test_more_pictures_than_a_page_can_hold_are_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = rates(tmp_path)
    monkeypatch.setattr(page, "MOST_PICTURES", 8)
    assert "more rows are left out" in write_sweep_report(sweep).read_text()


def test_the_best_number_is_marked_and_runs_without_scores_are_named(tmp_path: Path) -> None:
    points = [finished_point(tmp_path, rate, 4, better_by=rate) for rate in (0.1, 0.9)]
    (points[0].run.folder / "scores" / "error.txt").write_text("no")
    unscored = make_run(tmp_path / "run-x", settings={"method": {"lr": 3}}, drawn_at=())
    sweep = Sweep.named("some", tmp_path)
    note(sweep, [*points, Point(("method.lr=3",), Run(unscored))])
    html = write_sweep_report(sweep).read_text()
    best = re.findall(r'<td class="number best" data-value="([^"]*)"', html)
    assert len(best) == 2, "one of each metric"
    assert "1 finished run was never scored" in html
    assert re.search(r"imprint evaluate \S*run-x<", html)


def test_noise_is_neither_bold_nor_coloured(tmp_path: Path) -> None:
    def page(name: str, better: tuple[float, ...]) -> str:
        rates = [(rate, rank) for rate in (0.1, 0.2) for rank in (4, 8)]
        points = [
            finished_point(tmp_path / name, rate, rank, better_by=by)
            for (rate, rank), by in zip(rates, better, strict=True)
        ]
        sweep = Sweep.named("some", tmp_path / name)
        note(sweep, points)
        return write_sweep_report(sweep).read_text()

    noise, signal = page("noise", (0.0, 0.0, 0.0, 0.0)), page("signal", (0.0, 0.1, 0.2, 0.9))
    for text, is_real in ((noise, False), (signal, True)):
        assert ("which cannot be told apart" in text) != is_real
        assert ('class="number best"' in text) == is_real
        assert ("is nearest to the subject (" in text) == is_real
        assert ("which of them is nearest to the subject cannot be told" in text) != is_real
        assert ("Orange is better" in text) == is_real


def test_a_sweep_without_points_has_a_page(tmp_path: Path) -> None:
    sweep = Sweep.named("empty", tmp_path)
    note(sweep, [])
    assert "No point is planned yet" in write_sweep_report(sweep).read_text()


def test_pictures_that_were_drawn_to_be_scored_are_shown_where_there_are_no_others(tmp_path: Path) -> None:
    points = []
    for number, word in enumerate(("sks", "txl")):
        folder = make_run(tmp_path / f"run-{number}", settings={"seed": number}, drawn_at=())
        manifest = json.loads((folder / "manifest.json").read_text())
        concepts = [{"identifier": word, "noun": "dog", "name": ""}]
        (folder / "manifest.json").write_text(json.dumps({**manifest, "concepts": concepts}))
        drawn = [
            {"file": f"{n:03}-0.png", "k": 0, "state": "ok", "prompt": f"a {word} dog {n}", "seed": n} for n in range(3)
        ]
        for each in drawn:
            picture(folder / "pictures" / "subject-0123" / str(each["file"]), 50 * number)
        index = {"subject": "dog", "pictures": drawn}
        (folder / "pictures" / "subject-0123" / "pictures.json").write_text(json.dumps(index))
        points.append(Point((f"seed={number}",), Run(folder)))
    sweep = Sweep.named("judged", tmp_path)
    note(sweep, points)
    html = write_sweep_report(sweep).read_text()
    assert html.count("data:image/webp") == 6 + 2, "one of each is in the strip at the top, too"
    assert "a [V] dog 2" in html


def test_all_runs_name_the_sweeps_among_them(tmp_path: Path) -> None:
    sweep = rates(tmp_path)
    out = tmp_path / "report.html"
    assert "rates</a>" not in write_report([tmp_path], out).read_text()
    write_sweep_report(sweep)
    assert '<a href="sweeps/rates/report.html">rates</a>' in write_report([tmp_path], out).read_text()
    with pytest.raises(UserError, match=r"imprint report \S*sweeps/rates"):
        write_report([tmp_path / "sweeps"], out)


def test_the_verb_takes_a_sweep_s_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sweep = rates(tmp_path)
    with caplog.at_level("INFO"):
        main(compose("report", [f"folder={sweep.folder}"]))
    html = sweep.report.read_text()
    assert len(rows(html)) == 6
    assert LIVE not in html, "nobody writes it again"
    assert "stopped" in html
    assert any("lr 0.01, rank 8" in line and "waiting" in line for line in caplog.messages)
