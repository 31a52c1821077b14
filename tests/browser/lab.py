"""JupyterLab in a real browser that reaches nothing but this machine, and what is seen in it.

python -m tests.browser.lab FOLDER    writes the pictures of the documentation
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Browser, Page, Response, sync_playwright
from playwright.sync_api import Request as PageRequest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)
WAIT = 60.0
"""Seconds until something is given up."""

TOUR = {
    "graph": """\
from pathlib import Path

import anyio

from graphrt import Runtime, dag, each, node
from graphrt.backends import Scripted
from graphrt.nodes import generated, llm


@llm("Split {{ topic }} into questions.", model="fast")
def plan(topic: str) -> list[str]:
    return generated()


@node(retry=3, timeout=60)
async def search(question: str) -> str:
    while not Path(f"{question}.txt").exists():  # as slow as the library is
        await anyio.sleep(0.02)
    return Path(f"{question}.txt").read_text()


@node
def check(found: list[str]) -> list[str]:
    return [line for line in found if line in Path("sources.txt").read_text()]


@llm("Report on {{ topic }} using only: {{ found }}", model="smart")
def write(topic: str, found: list[str]) -> str:
    return generated()


@dag
def research(topic: str) -> str:
    return write(topic, check(each(search, plan(topic))))


research""",
    "live": """\
questions = '{"result": ["why", "when", "where", "how often"]}'
models = {"fast": Scripted([questions]), "smart": Scripted(["Tides follow the moon."])}
rt = await Runtime("tour.db", models=models)
run = await rt.start(research, topic="tides")
await run""",
    "resumed": """\
Path("sources.txt").write_text("moon")
await (await rt.resume(run.id, research))""",
    "run": "run",
    "steps": "await run.steps()",
    "closed": "await rt.aclose()",
}
"""The cells of a notebook, by name."""
ANSWERS = ("why", "when", "where", "how often")

MARIMO = """\
import marimo

app = marimo.App()


@app.cell
def _():
    from pathlib import Path

    import anyio

    from graphrt import Runtime, dag, each, node

    @node
    async def plan(topic: str) -> list[str]:
        return [f"{topic} {number}" for number in range(4)]

    @node
    async def search(question: str) -> str:
        while not Path("go").exists():
            await anyio.sleep(0.02)
        return question.upper()

    @node
    def write(found: list[str]) -> str:
        return ", ".join(found)

    @dag
    def research(topic: str) -> str:
        return write(each(search, plan(topic)))

    research
    return Runtime, research


@app.cell
async def _(Runtime, research):
    rt = await Runtime("tour.db")
    run = await rt.start(research, topic="tides")
    async for event in run.events():
        last = event
    return last, run


@app.cell
def _(last, run):
    assert last.fact.kind == "run finished"
    run


@app.cell
async def _(run):
    await run.steps()


if __name__ == "__main__":
    app.run()
"""
"""A marimo notebook with a run that waits until there is a file `go` beside it."""

WATCH = """() => {
    window.frames_seen = [];
    const seen = new Set();
    new MutationObserver(() => {
        for (const image of document.querySelectorAll('.jp-OutputArea-output img')) {
            if (image.src && !seen.has(image.src)) {
                seen.add(image.src);
                window.frames_seen.push({at: performance.now(), src: image.src});
            }
        }
    }).observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
}"""
"""Writes down every picture that the page shows, and when."""


@dataclass
class Seen:
    """A page and what it asked for."""

    page: Page
    foreign: list[str] = field(default_factory=list)
    """Addresses that are not this machine's. None of them is reached."""

    def run(self, cell: int) -> None:
        """Execute a cell. A kernel that has only just come up does not hear the first call."""
        found = self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell)
        prompt = found.locator(".jp-InputPrompt")

        def asked() -> bool:
            found.locator(".cm-content").click()
            self.page.keyboard.press("Shift+Enter")
            with contextlib.suppress(TimeoutError):
                until(lambda: prompt.inner_text().strip() != "[ ]:", 3.0)
                return True
            return False

        until(asked)

    def output(self, cell: int, selector: str = "") -> Any:
        """Return what a cell shows."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(f".jp-OutputArea-output {selector}")

    def until(self, words: str, cell: int) -> None:
        """Wait until a cell says something."""
        found = self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator("pre", has_text=re.compile(words))
        found.first.wait_for(timeout=1000 * WAIT)

    def frames(self) -> list[tuple[float, str]]:
        """Return every picture that was shown, and after how many seconds."""
        return [(each["at"] / 1000, decoded(each["src"])) for each in self.page.evaluate("window.frames_seen")]

    def shoot(self, cell: int, path: Path) -> None:
        """Write a picture of a cell."""
        self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell).screenshot(path=str(path))

    def save(self, notebook: Path) -> dict[str, Any]:
        """Save the notebook and return what is in the file then: all of it is, once the server says so."""

        def is_saved(response: Response) -> bool:
            return bool(response.request.method == "PUT") and urlsplit(response.url).path.endswith(f"/{notebook.name}")

        with self.page.expect_response(is_saved, timeout=1000 * WAIT) as answer:
            self.page.locator('[data-command="docmanager:save"]').click()
        assert answer.value.ok
        saved: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
        return saved


def decoded(source: str) -> str:
    """Return the SVG of a data address."""
    from base64 import b64decode
    from urllib.parse import unquote

    head, _, data = source.partition(",")
    return b64decode(data).decode() if head.endswith("base64") else unquote(data)


def until(true: Callable[[], bool], seconds: float = WAIT) -> None:
    """Wait until something is so. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not so after {seconds} seconds")
        time.sleep(0.02)


def write_tour(folder: Path) -> Path:
    """Write the notebook, with nothing shown yet."""
    cells = [nbformat.v4.new_code_cell(source) for source in TOUR.values()]  # type: ignore[no-untyped-call]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)  # type: ignore[no-untyped-call]
    path = folder / "tour.ipynb"
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return path


@contextlib.contextmanager
def lab(folder: Path) -> Iterator[str]:
    """Serve a folder by JupyterLab; gives its address."""
    token = secrets.token_hex(16)
    port = _free()
    home = folder / ".jupyter"
    told = home / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    told.mkdir(parents=True)
    (told / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    around = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home)}
    options = [
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        f"--IdentityProvider.token={token}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *options]
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=around, stdout=log, stderr=log)
    try:
        until(lambda: _answers(port) or server.poll() is not None)
        if server.poll() is not None:
            raise RuntimeError((folder / "lab.log").read_text())
        yield f"http://127.0.0.1:{port}/doc/tree/{{}}?token={token}"
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def marimo(folder: Path) -> Iterator[str]:
    """Serve a notebook by marimo, in a folder; gives its address."""
    (folder / "marimo_app.py").write_text(MARIMO, encoding="utf-8")
    port = _free()
    command = [sys.executable, "-m", "marimo", "run", "marimo_app.py", "--headless", "--no-token"]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser that this machine has."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(browser: Browser, address: str, *, size: tuple[int, int] = (1100, 3200)) -> Iterator[Seen]:
    """Open a page from which nothing but this machine is reached."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    seen = Seen(page)

    def asked(request: PageRequest) -> None:
        if urlsplit(request.url).hostname not in {"127.0.0.1", None}:
            seen.foreign.append(request.url)

    page.on("request", asked)
    page.goto(address)
    try:
        yield seen
    finally:
        page.close()


def tour(browser: Browser, folder: Path, pictures: Path | None = None) -> tuple[Seen, dict[str, Any]]:
    """Go through the notebook: a graph, a live run, a failure, a resumption. Writes what is seen to `pictures`."""
    notebook = write_tour(folder)
    cells = {name: number for number, name in enumerate(TOUR)}

    def shoot(name: str, cell: str) -> None:
        if pictures is not None:
            seen.shoot(cells[cell], pictures / f"notebook-{name}.png")

    with lab(folder) as address, opened(browser, address.format(notebook.name)) as seen:
        seen.page.locator(".jp-Notebook .jp-CodeCell").nth(len(TOUR) - 1).wait_for(timeout=1000 * WAIT)
        seen.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=1000 * WAIT)
        seen.page.evaluate(WATCH)
        seen.run(cells["graph"])
        seen.output(cells["graph"], "img").wait_for(timeout=1000 * WAIT)
        seen.run(cells["live"])
        for number, question in enumerate(ANSWERS):
            seen.until(f"{number + 1} done, {4 - number} running", cells["live"])
            if number == 2:
                shoot("live", "live")
            written = folder / "being written"
            written.write_text("moon")
            written.rename(folder / f"{question}.txt")  # there at once, and whole
        seen.until("FileNotFoundError", cells["live"])
        seen.until("✗ failed", cells["live"])
        shoot("failed", "live")
        seen.run(cells["resumed"])
        seen.until("✓ finished", cells["resumed"])
        seen.output(cells["resumed"], ".jp-OutputArea-executeResult, pre").last.wait_for()
        shoot("resumed", "resumed")
        seen.run(cells["run"])
        seen.output(cells["run"], "img").wait_for(timeout=1000 * WAIT)
        seen.run(cells["steps"])
        seen.output(cells["steps"], "table").wait_for(timeout=1000 * WAIT)
        seen.run(cells["closed"])
        seen.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=1000 * WAIT)
        frames = seen.frames()
        saved = seen.save(notebook)
        saved["frames"] = frames
        return seen, saved


def main(pictures: Path) -> None:
    """Write the pictures of the documentation."""
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        seen, saved = tour(browser, Path(name), pictures)
        print(f"{len(saved['frames'])} pictures shown, {(Path(name) / 'tour.ipynb').stat().st_size} bytes saved")
        print(f"asked for elsewhere: {seen.foreign or 'nothing'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
