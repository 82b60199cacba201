"""What the server answers, and what it refuses."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from composed import compose
from starlette.testclient import TestClient
from unit.reporting.runs_on_disk import being_trained, make_run
from unit.reporting.sweeps_on_disk import QUESTION, rates

from imprint.errors import UserError
from imprint.results.picture_request import read_picture_request
from imprint.serving.application import application
from imprint.serving.drawing import Asked, TryOut
from imprint.serving.folder import ServedFolder
from imprint.serving.guard import LARGEST_BODY, TOKEN
from imprint.verbs.generate import Request as Generating

HERE = "http://127.0.0.1:8420"
SECRET = "a secret of the reader's"
MARKUP = "<img src=x onerror=alert(1)>"
RUN, OTHER, STOPPED = "dog-lora-0000000001", "dog-dreambooth-0000000002", "dog-loha-0000000009"


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[Path]:
    """Three runs: one has finished, one is being trained, one was killed. Beside the folder lie a secret and a run that
    is not to be shown."""
    folder = tmp_path / "outputs"
    settings = {"method": {"_target_": "imprint.methods.lora.LoRA"}, "hparams": {"steps": 40}}
    make_run(folder / RUN, settings=settings, steps=40, drawn_at=(0, 20, 40))
    make_run(folder / OTHER, settings={"method": MARKUP}, status="running", steps=10, drawn_at=())
    make_run(folder / STOPPED, settings={}, status="running", steps=10, drawn_at=())
    make_run(tmp_path / "elsewhere-1", settings={}, error=SECRET)
    (tmp_path / "secret.txt").write_text(SECRET)
    with being_trained(folder / OTHER):
        yield folder


@pytest.fixture
def tryout(outputs: Path) -> TryOut:
    return TryOut(ServedFolder(outputs, trust=[]), read_picture_request(Generating, compose("serve").drawing))


@pytest.fixture
def client(outputs: Path, tryout: TryOut) -> Iterator[TestClient]:
    with TestClient(application(ServedFolder(outputs, trust=[]), tryout), base_url=HERE) as found:
        yield found


def token(client: TestClient) -> dict[str, str]:
    [found] = re.findall(r'data-token="([^"]+)"', client.get("/try").text)
    return {TOKEN: found}


def asked(**more: object) -> dict[str, object]:
    return {"sides": [{"run": RUN, "prompt": "a dog", "strength": 1}], "seed": 0, **more}


def test_the_list_has_all_runs_with_what_tells_them_apart(client: TestClient) -> None:
    page = client.get("/").text
    assert [word in page for word in ("dog-lora", "dog-dreambooth", "1 finished", "1 running", "1 stopped")] == [
        True
    ] * 5
    assert "40<span" in page
    assert "elsewhere" not in page


def test_a_run_has_its_curve_and_its_samples_by_step(client: TestClient) -> None:
    page = client.get("/run", params={"key": RUN}).text
    assert "<svg" in page
    assert 'data-steps="0 20 40"' in page
    files = [address.replace("&amp;", "&") for address in re.findall(r'src="(/picture[^"]+)"', page)]
    assert len(files) == 12
    for address in files:
        found = client.get(address)
        assert found.status_code == 200
        assert found.headers["content-type"] == "image/png"


def test_what_has_not_changed_is_not_sent_again(client: TestClient, outputs: Path) -> None:
    for address in (f"/run/live?key={RUN}", "/overview", "/try/state"):
        first = client.get(address)
        join = "&" if "?" in address else "?"
        again = client.get(f"{address}{join}version={first.headers['x-version']}")
        assert (first.status_code, again.status_code) == (200, 204)
    before = client.get(f"/run/live?key={OTHER}")
    with (outputs / OTHER / "metrics.csv").open("a") as metrics:
        metrics.write("11,0.5,1e-06\n")
    after = client.get(f"/run/live?key={OTHER}&version={before.headers['x-version']}")
    assert after.status_code == 200
    assert "step 11" in after.text
    assert "step 10" in before.text


def test_a_run_that_is_killed_or_gone_on_with_is_shown_so(client: TestClient, outputs: Path) -> None:
    address = f"/run/live?key={STOPPED}"
    before = client.get(address)
    assert "goes on from its last checkpoint" in before.text
    with being_trained(outputs / STOPPED):
        meanwhile = client.get(f"{address}&version={before.headers['x-version']}")
        assert meanwhile.status_code == 200
        assert "running" in meanwhile.text
        assert "2 running" in client.get("/").text
    after = client.get(f"{address}&version={meanwhile.headers['x-version']}")
    assert after.status_code == 200
    assert "stopped" in after.text


def test_runs_are_compared_on_the_report_s_page_with_a_way_back(client: TestClient) -> None:
    page = client.get("/compare", params={"key": [RUN, OTHER]})
    assert "2 runs" in page.text
    assert '<a href="/">' in page.text
    assert client.get("/compare").status_code == 409


def test_a_sweep_has_its_page(client: TestClient, outputs: Path) -> None:
    rates(outputs)
    assert "sweeps/rates" in client.get("/").text.replace("%2F", "/")
    page = client.get("/sweep", params={"key": "sweeps/rates"}).text
    assert "&lt;b&gt;which&lt;/b&gt;" in page
    assert QUESTION not in page


def test_a_sweep_with_runs_that_are_not_served_is_not_shown(tmp_path: Path, tryout: TryOut) -> None:
    rates(tmp_path / "all")
    sweeps = ServedFolder(tmp_path / "all" / "sweeps", trust=[])
    with TestClient(application(sweeps, tryout), base_url=HERE) as client:
        assert client.get("/sweep", params={"key": "rates"}).status_code == 404


def test_texts_of_runs_are_text(client: TestClient, outputs: Path) -> None:
    name = "<b>bold<b>-0000000003"
    settings = {"method": MARKUP, MARKUP: MARKUP}
    make_run(outputs / name, settings=settings, status="failed", error=MARKUP, prompts=[MARKUP])
    pages = [client.get(address, params={"key": name}).text for address in ("/", "/run", "/compare", "/try")]
    pages.append(client.get("/run", params={"key": MARKUP}).text)
    for page in pages:
        assert MARKUP not in page
        assert "<b>bold" not in page
    assert all("&lt;" in page for page in pages[:3])


@pytest.mark.parametrize(
    "key",
    [
        "..",
        "../elsewhere-1",
        "/",
        "/etc",
        f"{RUN}/../../elsewhere-1",
        f"{RUN}/\0",
        "nothing",
        ".",
        "",
        "~",
        RUN + "/samples",
    ],
)
def test_nothing_outside_of_the_folder_has_an_address(client: TestClient, key: str) -> None:
    for address in ("/run", "/run/live", "/compare", "/sweep", "/picture"):
        more = "&of=samples&file=step-000000/00-s0.png" if address == "/picture" else ""
        found = client.get(f"{address}?key={quote(key)}{more}")
        assert found.status_code == 404
        assert SECRET not in found.text


@pytest.mark.parametrize(
    ("of", "file"),
    [
        ("samples", "../config.yaml"),
        ("samples", "../../../secret.txt"),
        ("samples", "samples.json"),
        ("samples", "unlisted.png"),
        ("samples", "/etc/passwd"),
        ("generated", "step-000000/00-s0.png"),
        ("..", "secret.txt"),
        ("checkpoints", "last.ckpt"),
        ("", "config.yaml"),
    ],
)
def test_of_a_run_s_files_only_pictures_that_it_lists_are_sent(
    client: TestClient, outputs: Path, of: str, file: str
) -> None:
    (outputs / RUN / "samples" / "unlisted.png").write_bytes(b"")
    assert client.get("/picture", params={"key": RUN, "of": of, "file": file}).status_code == 404


@pytest.mark.parametrize(
    ("name", "target"),
    [("error.txt", "secret.txt"), ("generated", "."), ("samples/step-000020/00-s0.png", "secret.txt")],
)
def test_a_run_with_links_that_lead_out_is_not_shown(client: TestClient, outputs: Path, name: str, target: str) -> None:
    link = outputs / RUN / name
    link.unlink(missing_ok=True)
    link.symlink_to(outputs.parent / target)
    overview = client.get("/").text
    assert "1 more is not shown" in overview
    assert RUN not in overview
    for address in ("/run", "/compare"):
        found = client.get(address, params={"key": RUN})
        assert found.status_code == 404
        assert SECRET not in found.text
    params = {"key": RUN, "of": "samples", "file": "step-000020/00-s0.png"}
    assert client.get("/picture", params=params).status_code == 404


def test_a_link_to_a_run_elsewhere_leads_nowhere(client: TestClient, outputs: Path) -> None:
    (outputs / "linked-1").symlink_to(outputs.parent / "elsewhere-1")
    assert "linked" not in client.get("/").text
    assert client.get("/run", params={"key": "linked-1"}).status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", "10.0.0.1:8420", ""])
def test_another_name_for_this_machine_is_refused(client: TestClient, host: str) -> None:
    for address in ("/", "/try", "/assets/live.js"):
        found = client.get(address, headers={"host": host})
        assert found.status_code == 400
        assert "data-token" not in found.text
    assert client.post("/try/draw", headers={"host": host, **token(client)}, json=asked()).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8420", "localhost:1234"])
def test_its_own_names_are_known(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


def test_who_draws_has_a_page_of_this_server(
    client: TestClient, tryout: TryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Asked] = []
    monkeypatch.setattr(tryout, "begin", begun.append)
    own = token(client)
    foreign = {"origin": "http://evil.example"}
    others = [{}, {TOKEN: "x"}, {TOKEN: "\xe4".encode()}, {**own, **foreign}, {**own, "origin": "null"}]
    for headers in others:
        for address in ("/try/draw", "/try/cancel"):
            assert client.post(address, headers=headers, json=asked()).status_code == 403
    assert begun == []
    assert client.get("/try/draw", headers=own).status_code == 405
    assert client.post("/try/draw", headers={**own, "origin": HERE}, json=asked()).status_code == 202
    assert client.post("/try/draw", headers=own, json=asked()).status_code == 202
    assert [one.seed for one in begun] == [0, 0]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**40}, "seed"),
        ({"seed": "x"}, "seed"),
        ({"steps": 100_000}, "steps"),
        ({"sides": []}, "sides"),
        ({"sides": [{"run": RUN, "prompt": "", "strength": 1}]}, "sides 1 prompt"),
        ({"sides": [{"run": RUN, "prompt": "x" * 3000, "strength": 1}]}, "sides 1 prompt"),
        ({"sides": [{"run": RUN, "prompt": "a", "strength": -1}]}, "sides 1 strength"),
        ({"outputs": "/tmp"}, "outputs"),
    ],
)
def test_what_cannot_be_drawn_is_told_by_name(client: TestClient, wrong: dict[str, object], named: str) -> None:
    found = client.post("/try/draw", headers=token(client), json=asked(**wrong))
    assert found.status_code == 422
    assert found.json()["error"].startswith(f"{named}:")


def test_more_than_any_page_sends_is_refused(client: TestClient) -> None:
    body = b" " * (LARGEST_BODY + 1)
    assert client.post("/try/draw", headers=token(client), content=body).status_code == 403
    assert client.post("/try/draw", headers=token(client), content=b"{").status_code == 422


def test_a_run_that_is_not_here_is_not_drawn_with(client: TestClient) -> None:
    sides = [{"run": "../elsewhere-1", "prompt": "a dog", "strength": 1}]
    assert client.post("/try/draw", headers=token(client), json=asked(sides=sides)).status_code == 404


def test_every_answer_keeps_a_browser_from_other_places(client: TestClient) -> None:
    for address in ("/", "/try", f"/compare?key={RUN}", f"/run?key={RUN}", "/nothing", "/assets/live.js"):
        headers = client.get(address).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert (
        "'unsafe-inline'"
        not in client.get("/").headers["content-security-policy"].partition("script-src")[2].split(";")[0]
    )


def test_a_damaged_run_stands_in_the_list(client: TestClient, outputs: Path) -> None:
    (outputs / "broken-1").mkdir()
    (outputs / "broken-1" / "manifest.json").write_text("{")
    assert "unreadable" in client.get("/").text
    assert client.get("/run", params={"key": "broken-1"}).status_code == 200


def test_a_folder_that_cannot_be_served_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        ServedFolder(tmp_path / "nothing", trust=[])
    sweep = rates(tmp_path / "outputs")
    with pytest.raises(UserError, match="imprint serve .*outputs"):
        ServedFolder(sweep.folder, trust=[])
    (tmp_path / "empty").mkdir()
    assert ServedFolder(tmp_path / "empty", trust=[]).runs() == ([], 0)
