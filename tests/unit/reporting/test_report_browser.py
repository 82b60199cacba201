"""The page as people use it: in a real browser, with clicks and keys."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import CHROMIUM, WITHOUT, Browser, browser
from unit.reporting.runs_on_disk import knows_photos, make_run, picture, scored_pictures
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.sweeps_on_disk import rates
from unit.reporting.test_report_scores import scored_run

from imprint.reporting.heading import REFRESH
from imprint.reporting.page import write_sweep_report
from imprint.verbs.report import write_report

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT)]

PHONE, DESKTOP = 390, 1400
ROWS = "[...document.querySelectorAll('.runs tbody tr[data-run]')].filter(row => !row.hidden)"
COLUMN = "[...document.querySelectorAll('.runs th')].find(heading => heading.textContent.startsWith('{}'))"
PICTURES = ".gallery tbody tr:nth-child({}) td:nth-of-type({}) button.picture"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(autouse=True)
def without_problems(seen: Browser) -> Iterator[None]:
    """Nothing is written on the console, nothing is asked of the network."""
    seen.problems.clear()
    yield
    assert seen.problems == []


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of several subjects and methods."""
    outputs = tmp_path_factory.mktemp("runs")
    for subject in ("dog", "cat", "can"):
        for method, better in (("lora", 0.0), ("dreambooth", 0.1)):
            scored_run(outputs, sheet(subject, method, better_by=better))
    return write_report([outputs], outputs / "report.html")


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep_report(rates(tmp_path_factory.mktemp("unfinished")))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep_report(rates(tmp_path_factory.mktemp("finished"), is_over=True))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of several methods, with pictures after several steps, and different times."""
    outputs = tmp_path_factory.mktemp("mixed")
    for number, (method, better) in enumerate([("lora", 0.0), ("dreambooth", 0.1), ("loha", -0.1)]):
        own = replace(sheet(method=method, better_by=better, prompts=8), drawing={"size": [64, 64]})
        settings = {"method": {"_target_": f"imprint.methods.{method}"}, "dataset": {"path": "photos/dog"}}
        folder = make_run(outputs / own.run, settings=settings, drawn_at=(0, 100, 200))
        own.write(folder / "scores" / "quick.json")
        scored_pictures(folder, own)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["training"]["seconds"] = 60 * (number + 1)
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return write_report([outputs], outputs / "report.html")


def restless(page: Path, folder: Path, script: str = "") -> Path:
    """The same page, which loads itself again five times a second, and runs a script each time."""
    text = page.read_text()
    assert f"{1000 * REFRESH});" in text
    copy = folder / "restless.html"
    copy.write_text(
        text.replace(f"{1000 * REFRESH});", "200);").replace("</body>", f"<script>{script}</script></body>")
    )
    return copy


def click_column(seen: Browser, text: str) -> None:
    seen.evaluate(f"{COLUMN.format(text)}.querySelector('button').click()")


def values(seen: Browser, column: str) -> list[float]:
    at = f"{COLUMN.format(column)}.cellIndex"
    found = seen.evaluate(f"{ROWS}.map(row => row.cells[{at}].dataset.value)")
    return [float(value) for value in found if value]


def choose(seen: Browser, box: str, option: int) -> None:
    script = f"(box => {{ box.selectedIndex = {option}; box.dispatchEvent(new Event('change')); }})({box})"
    seen.evaluate(script)


def points(seen: Browser) -> list[str]:
    found: list[str] = seen.evaluate(f"{ROWS}.map(row => row.cells[0].dataset.value)")
    return found


def enlarged(seen: Browser) -> str:
    """What the large picture is of; empty: there is none."""
    told: str = seen.evaluate(
        "document.querySelector('dialog').open"
        " ? document.querySelector('dialog .shown figcaption').textContent"
        "   + ' | ' + document.querySelector('dialog p').textContent : ''"
    )
    return told


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_all_of_it_fits_and_can_be_read(seen: Browser, runs: Path, unfinished: Path, width: int, dark: bool) -> None:
    for page in (runs, unfinished):
        seen.show(page, width=width, dark=dark)
        assert seen.evaluate("[innerWidth, document.documentElement.scrollWidth <= innerWidth]") == [width, True]
        colours = "getComputedStyle(document.querySelector('{}')).{}"
        ink, faint = (brightness(seen, colours.format(part, "color")) for part in ("h1", ".lead"))
        paper = brightness(seen, colours.format("body", "backgroundColor"))
        assert (paper < 0.1) == dark
        assert contrast(ink, paper) > 7
        assert contrast(faint, paper) > 4.5


def test_it_sorts(seen: Browser, runs: Path) -> None:
    seen.show(runs)
    click_column(seen, "DINO")
    best = values(seen, "DINO")
    assert len(best) == 6
    assert best == sorted(best, reverse=True), "the first click shows the best first"
    click_column(seen, "DINO")
    assert values(seen, "DINO") == sorted(best)
    assert seen.evaluate(f"{COLUMN.format('DINO')}.ariaSort") == "ascending"
    click_column(seen, "loss")
    assert values(seen, "loss") == sorted(values(seen, "loss"))
    assert seen.evaluate(f"{COLUMN.format('DINO')}.ariaSort") == "none"


def test_it_filters_by_words_and_by_values(seen: Browser, runs: Path) -> None:
    seen.show(runs)
    seen.click("input[type=search]")
    seen.type("LORA cat")
    [found] = points(seen)
    assert "cat-lora" in found
    assert seen.evaluate("document.querySelector('.runs output').textContent") == "1 of 6"
    seen.evaluate("document.querySelector('input[type=search]').select()")
    seen.type("method=dreambooth")
    assert len(points(seen)) == 3
    seen.evaluate("document.querySelector('input[type=search]').select()")
    seen.type("method=dream")
    assert points(seen) == [], "a value is given whole"


def test_what_is_not_known_comes_last_and_pictures_follow_the_rows(seen: Browser, unfinished: Path) -> None:
    seen.show(unfinished)
    click_column(seen, "DINO")
    assert points(seen) == ["3", "2", "1", "4", "5", "6"]
    heads = (
        "[...document.querySelectorAll('.gallery thead th')].filter(head => !head.hidden)"
        ".map(head => [...head.childNodes].filter(part => part.nodeType === 3).map(part => part.data).join('').trim())"
    )
    assert [head.split(",")[0] for head in seen.evaluate(heads)[1:]] == [
        "untuned",
        "lr 0.001",
        "lr 0.0001",
        "lr 0.0001",
    ]
    choose(seen, "[...document.querySelectorAll('.choice')].find(box => box.textContent.startsWith('rank')).control", 1)
    assert points(seen) == ["3", "1", "5"]
    assert len(seen.evaluate(heads)) == 4


def test_a_picture_is_enlarged_its_neighbours_follow_and_it_closes(seen: Browser, unfinished: Path) -> None:
    seen.show(unfinished)
    assert enlarged(seen) == ""
    seen.click(PICTURES.format(2, 2))
    first = "lr 0.0001, rank 4 | a sks dog, seed 1"
    assert enlarged(seen) == first
    sizes = seen.evaluate(
        "[...document.querySelectorAll('dialog img')].map(image => image.complete && image.naturalWidth)"
    )
    assert sizes == [64, 64, 64], "the subject, the untuned model's, and this one"
    for key, then in (
        ("ArrowRight", "lr 0.0001, rank 8 | a sks dog, seed 1"),
        ("ArrowDown", "lr 0.0001, rank 8 | a sks dog in the jungle, seed 0"),
        ("ArrowLeft", "lr 0.0001, rank 4 | a sks dog in the jungle, seed 0"),
        ("ArrowUp", first),
        ("ArrowLeft", "untuned | a sks dog, seed 1"),
        ("ArrowLeft", "untuned | a sks dog, seed 1"),
    ):
        seen.press(key)
        assert enlarged(seen) == then, key
    seen.press("Escape")
    assert enlarged(seen) == ""
    seen.click(".references button.picture")
    assert enlarged(seen) == "photo | The subject"
    seen.click("dialog [data-step=close]")
    assert enlarged(seen) == ""


def test_what_is_hidden_is_no_neighbour(seen: Browser, unfinished: Path) -> None:
    seen.show(unfinished)
    seen.click("input[type=search]")
    seen.type("rank=4")
    seen.click(PICTURES.format(1, 2))
    seen.press("ArrowRight")
    assert enlarged(seen).startswith("lr 0.001, rank 4")


def test_marks_tell_who_they_are(seen: Browser, finished: Path) -> None:
    seen.show(finished)
    assert seen.evaluate("document.querySelector('.tip').hidden")
    seen.point_at("figure.map .labelled")
    assert seen.evaluate("document.querySelector('.tip').hidden") is False
    assert seen.evaluate("document.querySelector('.tip').textContent").startswith("lr 0.0001, rank 4\nCLIP-T ↑ 0.")
    seen.point_at("h1")
    assert seen.evaluate("document.querySelector('.tip').hidden")


def test_another_metric_can_be_chosen(seen: Browser, finished: Path) -> None:
    seen.show(finished)
    visible = "[...document.querySelectorAll('.study')].filter(study => study.offsetHeight)"
    shown = f"{visible}.map(study => study.querySelector('svg').ariaLabel)"
    assert seen.evaluate(shown) == ["CLIP-T ↑ by lr and rank"]
    choose(seen, "document.querySelector('.studies select')", 1)
    assert seen.evaluate(shown) == ["DINO ↑ by lr and rank"]


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_the_first_column_stays_in_sight(seen: Browser, unfinished: Path, width: int) -> None:
    seen.show(unfinished, width=width)
    left = "document.querySelector('.runs tbody th').getBoundingClientRect().left"
    before = seen.evaluate(left)
    seen.evaluate("document.querySelector('.runs .scroll').scrollLeft = 200")
    assert seen.evaluate(left) == before


def test_it_loads_itself_again_and_keeps_what_was_chosen(seen: Browser, unfinished: Path, tmp_path: Path) -> None:
    seen.show(restless(unfinished, tmp_path))
    loads = seen.loads
    seen.until(
        lambda: seen.evaluate(f"({COLUMN.format('DINO')}.querySelector('button').click(), scrollTo(0, 500), true)")
    )
    seen.until(lambda: seen.loads > loads + 2)
    seen.until(lambda: points(seen) == ["3", "2", "1", "4", "5", "6"])
    seen.until(lambda: seen.evaluate("scrollY") == 500)
    written = "document.querySelector('#written').textContent"
    seen.until(lambda: bool(re.fullmatch(r"written \d+ (s|min) ago", seen.evaluate(written))))


@pytest.mark.parametrize(
    "use",
    [
        "Object.defineProperty(document, 'hidden', {get: () => true})",
        "document.querySelector('.gallery button.picture').click()",
        "document.querySelector('input[type=search]').focus()",
    ],
    ids=["in another tab", "looking at a picture", "writing"],
)
def test_it_does_not_load_itself_again_while_it_is_used_or_not_seen(
    seen: Browser, unfinished: Path, tmp_path: Path, use: str
) -> None:
    seen.show(restless(unfinished, tmp_path, use))
    loads = seen.loads
    seen.listen(1)
    assert seen.loads == loads


def test_when_all_is_over_it_stays(seen: Browser, finished: Path) -> None:
    assert f"{1000 * REFRESH});" not in finished.read_text()
    seen.show(finished)
    loads = seen.loads
    seen.listen(0.5)
    assert seen.loads == loads
    assert seen.evaluate("document.querySelector('progress')") is None


MARKS = "[...document.querySelectorAll('.scatter .mark[data-runs]')]"


def marks(seen: Browser) -> list[str]:
    found: list[str] = seen.evaluate(f"{MARKS}.map(mark => mark.ariaLabel)")
    return found


def address(seen: Browser) -> str:
    found: str = seen.evaluate("location.hash")
    return found


def test_both_axes_are_chosen_and_stand_in_the_address(seen: Browser, mixed: Path) -> None:
    seen.show(mixed)
    assert address(seen) == ""
    assert len(marks(seen)) == 3
    assert all("DINO" in text and "CLIP-T" in text for text in marks(seen))
    choose(seen, "document.querySelector('#tradeoff [name=x]')", 2)
    assert "time 1 min 00 s" in marks(seen)[1] + marks(seen)[0] + marks(seen)[2]
    levels = "[...document.querySelectorAll('.scatter g.labelled:not(.mark)')].map(level => level.ariaLabel)"
    assert [text.split("\n")[0] for text in seen.evaluate(levels)] == ["untuned model", "real photos"]
    assert address(seen) == "#x=seconds"
    seen.show(mixed, at="#x=seconds&y=clip_t")
    assert all("time" in text and "CLIP-T" in text for text in marks(seen))
    seen.show(mixed, at="#x=nonsense&sort=nonsense&run=nonsense")
    assert all("CLIP-T" in text for text in marks(seen))


def test_a_view_can_be_sent(seen: Browser, mixed: Path) -> None:
    seen.show(mixed)
    click_column(seen, "DINO")
    seen.click("input[type=search]")
    seen.type("lo")
    seen.click(".runs tbody tr:not([hidden]) td:nth-child(3)")
    order = seen.evaluate(f"{ROWS}.map(row => row.dataset.run)")
    assert len(order) == 2
    view = address(seen)
    seen.show(mixed, at=view)
    assert seen.evaluate(f"{ROWS}.map(row => row.dataset.run)") == order
    assert seen.evaluate("document.querySelector('[aria-selected=true]').dataset.run") == order[0]
    seen.click(".title [name=only]")
    assert seen.evaluate(f"{ROWS}.map(row => row.dataset.run)") == order[:1]
    assert len(marks(seen)) == 1
    seen.click("[data-do=clear]")
    assert len(marks(seen)) == 2


def test_what_is_pointed_at_stands_out_everywhere(seen: Browser, mixed: Path) -> None:
    seen.show(mixed)
    name = seen.evaluate(f"{ROWS}[1].dataset.run")
    seen.point_at(".runs tbody tr:nth-child(2)")
    lit = "[...document.querySelectorAll('{}')].map(part => part.dataset.run ?? part.dataset.runs)"
    for part in (".scatter .lit", "#steps g.lit", ".gallery th.lit", ".strip .lit", ".legend .lit"):
        assert set(seen.evaluate(lit.format(part))) == {name}, part
    seen.point_at("h1")
    assert seen.evaluate("document.querySelector('.lit')") is None
    seen.click(".scatter .mark[data-runs] circle")
    chosen = seen.evaluate("document.querySelector('tr[aria-selected=true]').dataset.run")
    assert chosen == seen.evaluate(f"{MARKS}[0].dataset.runs")


def test_pictures_of_earlier_steps(seen: Browser, mixed: Path) -> None:
    seen.show(mixed)
    shown = "document.querySelector('.gallery td[data-run] img:not([hidden])').{}"
    last = seen.evaluate(shown.format("src"))
    slider = "document.querySelector('.steps input')"
    seen.evaluate(f"(box => {{ box.value = 0; box.dispatchEvent(new Event('input')); }})({slider})")
    assert seen.evaluate(shown.format("dataset.step")) == "100"
    assert seen.evaluate(shown.format("src")) != last
    seen.click(PICTURES.format(1, 2))
    assert "step 100" in enlarged(seen)
    assert address(seen) == "#step=100"
    seen.show(mixed, at="#step=150")
    assert seen.evaluate(shown.format("dataset.step")) == "100", "the newest that was drawn by then"


def test_two_pictures_are_compared_in_one_place(seen: Browser, mixed: Path) -> None:
    seen.show(mixed)
    seen.click(PICTURES.format(1, 2))
    assert "DINO" in seen.evaluate("document.querySelector('dialog .shown small').textContent")
    seen.click("[data-mode=slider]")
    both = "[...document.querySelectorAll('dialog .over img')].map(image => image.alt)"
    assert seen.evaluate(both)[0] == "untuned"
    at = "document.querySelector('dialog .over').style.getPropertyValue('--at')"
    assert seen.evaluate(at) == "50%"
    seen.click("dialog .over input")
    seen.press("ArrowRight")
    assert seen.evaluate(at) == "51%", "the keys are the slider's"
    choose(seen, "document.querySelector('dialog select')", 1)
    assert seen.evaluate(both)[0] != "untuned"
    seen.click("[data-mode=blink]")
    told = "document.querySelector('dialog figcaption').textContent"
    first = seen.evaluate(told)
    seen.until(lambda: seen.evaluate(told) != first)
    seen.press("Escape")
    assert seen.evaluate("document.querySelector('dialog').open") is False


def test_a_picture_has_its_own_scores_where_it_was_scored(seen: Browser, mixed: Path) -> None:
    seen.show(mixed)
    small = "document.querySelector('dialog .shown small').textContent"
    seen.click(PICTURES.format(1, 2))
    assert seen.evaluate(small).startswith("all scored pictures: DINO 0."), "a sample was not scored itself"
    seen.press("Escape")
    seen.click("details.gallery > summary")
    seen.click("details.gallery tbody td:nth-of-type(1) button.picture")
    own, whole = seen.evaluate(small).split("\n")
    assert own.startswith("this picture: DINO 0.")
    assert whole.startswith("all scored pictures: DINO 0.")
    below = seen.evaluate("document.querySelector('details.gallery .told').textContent")
    assert own == f"this picture: {below}"
    seen.click("[data-mode=slider]")
    told = seen.evaluate(small).split("\n")
    assert [line.partition(":")[0] for line in told] == [
        f"{side}, {what}" for side in ("left", "right") for what in ("this picture", "all scored pictures")
    ]


def test_the_strip_is_compared_too(seen: Browser, finished: Path) -> None:
    seen.show(finished)
    seen.click(".strip figure:nth-of-type(3) button.picture")
    captions = "[...document.querySelectorAll('dialog figcaption')].map(text => text.textContent)"
    assert seen.evaluate(captions) == ["photo", "untuned", "lr 0.0001, rank 4"]
    seen.press("ArrowRight")
    assert seen.evaluate(captions)[-1] == "lr 0.0001, rank 8"
    seen.click("[data-mode=slider]")
    assert seen.evaluate("[...document.querySelectorAll('dialog .over img')].map(image => image.alt)")[0] == "untuned"


def test_on_a_phone_the_photo_stays_beside_the_enlarged_picture(seen: Browser, unfinished: Path) -> None:
    seen.show(unfinished, width=PHONE, height=844)
    seen.click(PICTURES.format(1, 2))
    boxes = "[...document.querySelectorAll('dialog img')].map(image => image.getBoundingClientRect())"
    inside = "box => box.width > 60 && box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth"
    assert seen.evaluate(f"{boxes}.map({inside})") == [True] * 3
    look = "getComputedStyle(document.querySelector('dialog .shown img')).imageRendering"
    assert seen.evaluate(look) == "pixelated"


def test_the_page_of_one_run_has_steps_as_columns_and_a_slider(seen: Browser, tmp_path: Path) -> None:
    for number in range(2):
        picture(tmp_path / "photos" / f"{number}.png", number)
    run = make_run(tmp_path / "dog-lora-01", settings={"method": "lora"}, drawn_at=range(0, 1000, 100))
    knows_photos(run, tmp_path / "photos", sorted((tmp_path / "photos").iterdir()))
    seen.show(write_report([run], tmp_path / "report.html"))
    heads = "[...document.querySelectorAll('.gallery thead th')].slice(1).map(head => head.textContent.trim())"
    columns = seen.evaluate(heads)
    assert columns[0] == "untuned"
    assert columns[-1] == "step 900"
    slider = "document.querySelector('.steps input')"
    assert seen.evaluate(f"{slider}.dataset.steps").split() == [str(step) for step in range(100, 1000, 100)]
    seen.evaluate(f"(box => {{ box.value = 1; box.dispatchEvent(new Event('input')); }})({slider})")
    assert seen.evaluate(heads) == [*columns[:-1], "step 200"]
    seen.click(".gallery tbody td:last-child button.picture")
    assert enlarged(seen).startswith("step 200 |")
    assert address(seen) == "#step=200"


def test_columns_are_hidden_and_rows_grouped_in_a_view_that_can_be_sent(seen: Browser, mixed: Path) -> None:
    seen.show(mixed)
    heads = "[...document.querySelectorAll('.runs thead tr:last-child th')].filter(cell => !cell.hidden).length"
    before = seen.evaluate(heads)
    seen.click(".columns summary")
    for name in ("loss", "CLIP-T"):
        box = f"[...document.querySelectorAll('.columns label')].find(box => box.textContent.includes('{name}'))"
        seen.evaluate(f"{box}.control.click()")
    assert seen.evaluate(heads) == before - 2
    widths = "[...document.querySelectorAll('.runs thead tr')].map(row => [...row.cells].filter(cell => !cell.hidden)"
    assert set(seen.evaluate(f"{widths}.reduce((sum, cell) => sum + cell.colSpan, 0))")) == {before - 2}
    seen.click("h1")
    assert seen.evaluate("document.querySelector('.columns').open") is False
    choose(seen, "document.querySelector('[name=group]')", 1)
    groups = "[...document.querySelectorAll('tr.group')].map(row => row.cells[0].textContent)"
    assert seen.evaluate(groups) == ["dreambooth 1 row", "loha 1 row", "lora 1 row"]
    click_column(seen, "DINO")
    in_order = ["dreambooth 1 row", "lora 1 row", "loha 1 row"]
    assert seen.evaluate(groups) == in_order, "the group with the best row comes first"
    seen.show(mixed, at=address(seen))
    assert seen.evaluate(groups) == in_order
    assert seen.evaluate(heads) == before - 2
    seen.evaluate(
        "URL.createObjectURL = blob => { window.saved = blob; return '#'; };"
        "HTMLAnchorElement.prototype.click = function () {};"
    )
    seen.click("[data-do=csv]")
    lines = seen.evaluate("saved.text()").strip().split("\n")
    assert len(lines) == 4, "without the rows of the groups"
    assert "dino" in lines[0].split(",")
    assert not {"loss", "clip-t"} & set(lines[0].split(","))


def test_on_a_phone_scores_are_in_sight_and_the_first_column_says_what_differs(seen: Browser, finished: Path) -> None:
    seen.show(finished, width=PHONE)
    cell = f"{ROWS}[0].cells[{COLUMN.format('DINO')}.cellIndex].getBoundingClientRect()"
    assert seen.evaluate(f"(box => box.width > 0 && box.right <= innerWidth)({cell})")
    told = "getComputedStyle(document.querySelector('.runs tbody th'), '::after').content"
    assert seen.evaluate(told) == '"lr 0.0001, rank 4"'
    assert address(seen) == "", "nobody chose it"
    shown = "[...document.querySelectorAll('[name=column]')].filter(box => box.checked).length"
    before = seen.evaluate(shown)
    seen.evaluate("document.querySelectorAll('[name=column]:not(:checked)').forEach(box => box.click())")
    assert address(seen) == "#hide=nothing"
    seen.show(finished, width=PHONE, at=address(seen))
    assert seen.evaluate(shown) > before
    seen.show(finished, width=DESKTOP)
    assert seen.evaluate(told) == "none"


def test_a_group_has_the_mean_of_the_rows_that_are_shown(seen: Browser, runs: Path) -> None:
    seen.show(runs)
    group = "[...document.querySelector('[name=group]').options].findIndex(option => option.text === 'method')"
    choose(seen, "document.querySelector('[name=group]')", seen.evaluate(group))
    assert seen.evaluate("document.querySelectorAll('tr.group').length") == 2
    cell = f"document.querySelector('tr.group').cells[{COLUMN.format('DINO')}.cellIndex].textContent"
    shown = values(seen, "DINO")
    own = [value for value in shown[:3] if value]
    assert seen.evaluate(cell) == f"mean {sum(own) / len(own):.3f}"


def test_small_pictures_show_their_pixels_unless_they_are_to_be_smooth(seen: Browser, mixed: Path) -> None:
    seen.show(mixed)
    look = "getComputedStyle(document.querySelector('.gallery td img')).imageRendering"
    assert seen.evaluate(look) == "pixelated"
    seen.click(".looking [name=smooth]")
    assert seen.evaluate(look) == "auto"
    assert address(seen) == "#smooth=yes"
    seen.click(PICTURES.format(1, 2))
    seen.click("[data-actual]")
    assert seen.evaluate("document.querySelector('dialog .shown img').getBoundingClientRect().width") == 64


def test_the_rows_that_are_shown_are_a_file_and_the_address_is_copied(seen: Browser, mixed: Path) -> None:
    seen.show(mixed, at="#filter=dreambooth")
    seen.evaluate(
        "URL.createObjectURL = blob => { window.saved = blob; return '#'; };"
        "HTMLAnchorElement.prototype.click = function () { window.called = this.download; };"
        "navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); };"
    )
    seen.click("[data-do=csv]")
    head, row = seen.evaluate("saved.text()").strip().split("\n")
    assert len(head.split(",")) == len(row.split(","))
    found = dict(zip(head.split(","), row.split(","), strict=True))
    assert found["name"].startswith("dog-dreambooth")
    assert float(found["dino low"]) < float(found["dino"]) < float(found["dino high"])
    assert seen.evaluate("called").endswith(".csv")
    seen.click("[data-do=link]")
    assert seen.evaluate("copied").endswith("report.html#filter=dreambooth")


def test_contents_lead_to_parts_and_keep_what_was_chosen(seen: Browser, mixed: Path) -> None:
    seen.show(mixed, at="#x=seconds")
    places = seen.evaluate("[...document.querySelectorAll('nav.parts a')].map(link => link.hash)")
    assert all(seen.evaluate(f"document.querySelector('{place}') !== null") for place in places)
    assert {"#runs", "#tradeoff", "#pictures-1", "#steps"} <= set(places)
    seen.click("nav.parts a[href='#steps']")
    assert address(seen) == "#steps&x=seconds"
    before = seen.evaluate("scrollY")
    assert before > 0
    seen.show(mixed, at="#steps&x=seconds")
    seen.until(lambda: seen.evaluate("scrollY") > 0)


def test_an_error_of_a_script_and_a_wish_for_the_network_would_be_seen(
    seen: Browser, runs: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.html"
    more = "<img src='http://localhost:9/a.png'><script>undefined.something</script></body>"
    broken.write_text(runs.read_text().replace("</body>", more))
    seen.show(broken)
    assert any("undefined" in problem for problem in seen.problems)
    assert any("network" in problem for problem in seen.problems)
    seen.problems.clear()


def brightness(seen: Browser, colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", seen.evaluate(colour))[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: float, other: float) -> float:
    low, high = sorted((one, other))
    return (high + 0.05) / (low + 0.05)
