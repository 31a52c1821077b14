"""Records docs/resumed.gif: an agent in a real terminal, killed with -9 in the middle, and resumed.

python docs/recording.py    needs the extra `llama` and the group `docs`
"""

from __future__ import annotations

import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib
import pyte
from PIL import Image, ImageDraw, ImageFont

from graphrt.cli.demo import MODELS, prepare
from graphrt.demo import agent

HERE = Path(__file__).parent
COLUMNS, LINES = 100, 27
KILLED_AFTER = 30
"""Finished steps."""
SIZE = 14
PAD = 12
GROUND, TEXT = "#0b1220", "#e7edf6"
COLOURS = {
    "default": TEXT,
    "red": "#f87171",
    "green": "#4ade80",
    "brown": "#fbbf24",
    "yellow": "#fbbf24",
    "blue": "#60a5fa",
    "magenta": "#e879f9",
    "cyan": "#67c1f0",
    "white": TEXT,
}
FAINT = "#8492a8"
FRAME = 0.12
"""Seconds: what changes faster is one picture."""


class Terminal:
    """A shell in a terminal, what it shows, and when it showed something else."""

    def __init__(self, folder: Path) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.frames: list[tuple[float, Image.Image]] = []
        self._font = _font("DejaVuSansMono.ttf")
        around = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PS1": "$ ",
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
        }
        self.pid, self._handle = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile"], around)
        subprocess.run(["stty", "rows", str(LINES), "cols", str(COLUMNS)], stdin=self._handle, check=True)

    def watch(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        """Show what comes, for so long or until something is so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done():
            if select.select([self._handle], [], [], 0.02)[0]:
                self._stream.feed(os.read(self._handle, 65_536))
                self._take()

    def type(self, command: str) -> None:
        """Type a command as a person does."""
        for letter in command:
            os.write(self._handle, letter.encode())
            self.watch(0.035)
        self.watch(0.4)
        os.write(self._handle, b"\n")

    def prompted(self) -> bool:
        """Whether the shell waits for a command."""
        return self.screen.buffer[self.screen.cursor.y][0].data == "$" and self.screen.cursor.x == len("$ ")

    def close(self) -> None:
        """End the shell."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def _take(self) -> None:
        now = time.monotonic()
        if self.frames and now - self.frames[-1][0] < FRAME:
            self.frames[-1] = (self.frames[-1][0], self._drawn())
        else:
            self.frames.append((now, self._drawn()))

    def _drawn(self) -> Image.Image:
        wide, high = self._font.getlength("m"), SIZE * 1.25
        image = Image.new("RGB", (round(COLUMNS * wide) + 2 * PAD, round(LINES * high) + 2 * PAD), GROUND)
        draw = ImageDraw.Draw(image)
        for line in range(LINES):
            for column, cell in self.screen.buffer[line].items():
                if cell.data.strip():
                    colour = COLOURS.get(cell.fg, FAINT if cell.fg == "brightblack" else TEXT)
                    place = (PAD + column * wide, PAD + line * high)
                    draw.text(place, cell.data, font=self._font, fill=colour)
        if not self.screen.cursor.hidden:
            x, y = PAD + self.screen.cursor.x * wide, PAD + self.screen.cursor.y * high
            draw.rectangle((x, y, x + wide - 1, y + high - 2), fill=FAINT)
        return image


def _font(name: str) -> Any:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), SIZE)


def finished(store: Path) -> int:
    """Count the finished steps that a store holds."""
    with suppress(sqlite3.Error):
        table = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
        try:
            return int(table.execute("SELECT count(*) FROM steps WHERE status = 'finished'").fetchone()[0])
        finally:
            table.close()
    return 0


def children(pid: int) -> Iterator[int]:
    """Yield the processes that a process started."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    yield from map(int, found.stdout.split())


def play(folder: Path) -> Terminal:
    """Play the story in a folder."""
    store, _ = prepare(folder)
    letters = Path(agent.__file__).parent / "inbox"
    (folder / "letters").symlink_to(letters)
    (folder / "agent.py").write_text("from graphrt.demo.agent import inbox\n", encoding="utf-8")
    models = "".join(f'{role} = "{uri}"\n' for role, uri in MODELS.items())
    (folder / "graphrt.toml").write_text(f'[store]\npath = "runs.db"\n\n[models]\n{models}', encoding="utf-8")
    shell = Terminal(folder)
    shell.watch(5, shell.prompted)
    shell.watch(0.6)
    shell.type("graphrt run agent.py:inbox --folder letters --orders orders.db --concurrency 4 --watch")
    shell.watch(120, lambda: finished(store) >= KILLED_AFTER)
    for child in children(shell.pid):
        os.kill(child, signal.SIGKILL)
    shell.watch(5, shell.prompted)
    shell.watch(2.0)
    for command, rest in (
        ("graphrt ls", 2.5),
        ("graphrt resume @last --watch > report.md", 3.0),
        ("clear; graphrt show @last --timeline", 5.0),
    ):
        shell.type(command)
        shell.watch(0.5)
        shell.watch(120, shell.prompted)
        shell.watch(rest)
    shell.close()
    return shell


def write(frames: list[tuple[float, Image.Image]], path: Path) -> None:
    """Write what was shown as a GIF that goes on for as long as it took."""
    ends = [at for at, _ in frames[1:]] + [frames[-1][0] + 5.0]
    palette = frames[-1][1].quantize(32, dither=Image.Dither.NONE)
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for _, image in frames]
    lasting = [max(20, round(1000 * (end - at))) for (at, _), end in zip(frames, ends, strict=True)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=lasting, loop=0, optimize=True)


def main() -> None:
    """Record it."""
    with tempfile.TemporaryDirectory() as name:
        shell = play(Path(name))
    path = HERE / "resumed.gif"
    write(shell.frames, path)
    seconds = shell.frames[-1][0] - shell.frames[0][0]
    sys.stdout.write(f"{path.name}: {len(shell.frames)} pictures, {seconds:.0f} s, {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
