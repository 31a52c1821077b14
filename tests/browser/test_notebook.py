"""V1, V2: notebooks in a real browser that reaches nothing but this machine.

unshare -n sh -c 'ip link set lo up; pytest -m browser'    and with no network at all
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs the group `browser`")
pytest.importorskip("jupyterlab", reason="needs the group `browser`")

from playwright.sync_api import Browser

from tests.browser.lab import CHROMIUM, TOUR, Seen, chromium, marimo, opened, tour

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium, such as Debian's package")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def toured(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seen, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("lab")
    seen, saved = tour(browser, folder)
    return folder, seen, saved


Toured = tuple[Path, Seen, dict[str, Any]]


def pictures_of(saved: dict[str, Any]) -> dict[str, list[str]]:
    """The pictures that a saved notebook holds, by the name of the cell."""
    return {
        name: [
            "".join(output["data"]["image/svg+xml"])
            for output in cell["outputs"]
            if "image/svg+xml" in output.get("data", {})
        ]
        for name, cell in zip(TOUR, saved["cells"], strict=False)
    }


def said(picture: str) -> str:
    """Where a picture says that a run stands as a whole."""
    found = re.search(r">((?:running|finished|failed|suspended) · \d+ done[^<]*)<", picture)
    return found[1] if found else ""


def test_nothing_is_asked_of_anybody_else(toured: Toured) -> None:
    """V1: no address but this machine's is even tried."""
    assert toured[1].foreign == []


def test_a_live_run_goes_through_pictures_of_one_size_at_most_ten_a_second(toured: Toured) -> None:
    frames = [(at, frame) for at, frame in toured[2]["frames"] if said(frame)]
    live = [(at, frame) for at, frame in frames if not said(frame).startswith("finished")]
    counts = [int(re.search(r"(\d+) done", said(frame))[1]) for _, frame in live]  # type: ignore[index]
    assert counts == sorted(counts)
    assert {1, 2, 3, 4} <= set(counts)
    assert len({re.search(r'width="[\d.]+" height="[\d.]+"', frame)[0] for _, frame in frames}) == 1  # type: ignore[index]
    for number, (at, _) in enumerate(frames):
        assert sum(1 for later, _ in frames[number:] if later < at + 1) <= 11


def test_a_saved_notebook_keeps_the_last_picture_of_each_run_and_is_small(toured: Toured) -> None:
    """One for the graph, one for each run that was waited for, one for the run that was shown."""
    folder, _, saved = toured
    pictures = pictures_of(saved)
    assert {name: len(found) for name, found in pictures.items()} == {
        "graph": 1,
        "live": 1,
        "resumed": 1,
        "run": 1,
        "steps": 0,
        "closed": 0,
    }
    assert said(pictures["live"][0]).startswith("failed · 5 done, 1 failed")
    assert said(pictures["resumed"][0]).startswith("finished · 7 done")
    assert said(pictures["run"][0]) == said(pictures["resumed"][0])
    assert (folder / "tour.ipynb").stat().st_size < 60_000


def test_a_failed_run_shows_the_users_code_and_not_what_ran_it(toured: Toured) -> None:
    live = toured[2]["cells"][list(TOUR).index("live")]
    [error] = [output for output in live["outputs"] if output["output_type"] == "error"]
    told = "\n".join(error["traceback"])
    assert "in check" in told
    assert 'Path("sources.txt").read_text()' in told
    assert "    await run" in told
    assert "finished steps are kept; resume with: graphrt resume" in told
    assert not re.search(r"(graphrt|anyio|IPython)/\w+", told)


def test_nbconvert_makes_a_page_of_it_that_needs_no_network(toured: Toured, browser: Browser, tmp_path: Path) -> None:
    """Its pictures are all there; what the template of the page asks for elsewhere is not needed for them."""
    notebook = tmp_path / "tour.ipynb"
    shutil.copy(toured[0] / "tour.ipynb", notebook)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(notebook)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    page = notebook.with_suffix(".html")
    with opened(browser, page.as_uri()) as seen:
        images = seen.page.locator(".jp-RenderedSVG img, .jp-RenderedSVG svg")
        assert images.count() == 4
        for number in range(4):
            box = images.nth(number).bounding_box()
            assert box is not None
            assert box["width"] > 200
            assert box["height"] > 300


def test_marimo_shows_a_run_in_its_own_way(browser: Browser, tmp_path: Path) -> None:
    """The output of a cell is replaced while its run goes on; what the cell is worth comes after it."""
    with marimo(tmp_path) as address, opened(browser, address) as seen:
        page = seen.page
        page.get_by_text("running · 1 done, 4 running").first.wait_for(timeout=60_000)
        page.get_by_text("running · 0 of 4").last.wait_for(timeout=60_000)
        (tmp_path / "go").touch()
        page.get_by_text(re.compile(r"finished · 6 done")).last.wait_for(timeout=60_000)
        page.locator("table", has_text="each:search[3]").wait_for(timeout=60_000)
        assert page.get_by_text("running").count() == 0
        assert seen.foreign == []
