"""What `fitness` judges: what this machine is, and what becomes of llama.cpp on it.

It changes nothing. Interrupted, it ends the process in which it tries llama.cpp.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from graphrt.backends.llama.native.ending import ending
from graphrt.backends.llama.native.fitness import OWN, PACKAGES, Build, Gpu, Machine, Trial, in_cpuinfo, in_sysctl
from graphrt.backends.llama.native.model import processors
from graphrt.backends.llama.native.origin import origin


def look_around() -> Machine:
    """Say what this machine is, as far as files and the tools that are there tell. Takes some seconds at most."""
    system, architecture = platform.system(), platform.machine()
    cpuinfo = _read("/proc/cpuinfo")
    sysctl = _said("sysctl", "hw.optional", "machdep.cpu") if system == "Darwin" else ""
    named = re.search(r"^(?:model name\s*|machdep\.cpu\.brand_string):(.*)$", cpuinfo + sysctl, re.MULTILINE)
    return Machine(
        system=system,
        architecture=architecture,
        processor=named[1].strip() if named else platform.processor() or "unknown processor",
        features=in_cpuinfo(cpuinfo) if cpuinfo else in_sysctl(sysctl),
        processors=processors(),
        quota=_quota(_read("/sys/fs/cgroup/cpu.max")),
        gpus=tuple(_metal() if system == "Darwin" else _nvidia()),
        compiler=any(map(shutil.which, ("c++", "g++", "clang++", "cl"))),
        installer="pip" if find_spec("pip") or not shutil.which("uv") else "uv pip",
    )


def try_out(*, timeout: float) -> Trial:
    """Load all of it in another process, and have the model that comes along give a token.

    A process that takes longer than `timeout` seconds is ended.
    """
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    surroundings = os.environ | {"PYTHONPATH": paths, "GGML_NO_BACKTRACE": "1"}
    line = [sys.executable, "-P", "-m", "graphrt.backends.llama.trial"]
    try:
        ended = subprocess.run(line, env=surroundings, capture_output=True, timeout=timeout, check=False)  # noqa: S603
        how, out, err = ending(ended.returncode), ended.stdout, ended.stderr
    except subprocess.TimeoutExpired as late:
        how, out, err = f"ended, as it was not done after {timeout:g} s", late.stdout or b"", late.stderr or b""
    return _trial(out.decode("utf-8", "replace"), how, err.decode("utf-8", "replace"))


def _trial(out: str, how: str, err: str) -> Trial:
    done: dict[str, dict[str, Any]] = {}
    begun = ""
    for told in (json.loads(line) for line in out.splitlines() if line.startswith('{"stage"')):
        begun = told["stage"]
        if len(told) > 1:
            done[begun] = told
    results = {stage: told["result"] for stage, told in done.items() if "result" in told}
    features = results.get("features")
    build = results.get("build") or (features and {"features": features})
    # Where a package fails, what comes after fails for its sake.
    failed = {stage: _printable(told["failed"]) for stage, told in done.items() if "failed" in told}
    packages = {stage: why for stage, why in failed.items() if stage in PACKAGES}
    used = origin()
    installed = {module: _version(package) for module, package in PACKAGES.items()}
    installed["llama_cpp"] = _version(used.package) if used.package else used.library
    return Trial(
        library=used.package or OWN,
        versions={module: found for module, found in installed.items() if found},
        failed=packages or failed,
        build=Build(**{key: tuple(value) for key, value in build.items()}) if build else None,
        seconds=results.get("tiny"),
        on_gpu=results.get("gpu"),
        died=begun if how and begun not in done else "",
        how=how,
        words=_printable(err.strip().rpartition("\n")[2])[:200] if how else "",
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _quota(text: str) -> float | None:
    """Read a cgroup's `cpu.max`: microseconds of processor time, and of what period."""
    allowed, _, period = text.partition(" ")
    return int(allowed) / int(period) if allowed.isdecimal() else None


def _metal() -> list[Gpu]:
    return [Gpu("Metal", "Apple GPU")] if platform.machine() == "arm64" else []


def _nvidia() -> list[Gpu]:
    names = re.findall(r"^GPU \d+: (.*?)(?: \(UUID.*)?$", _said("nvidia-smi", "-L"), re.MULTILINE)
    if not names:
        cards = Path("/proc/driver/nvidia/gpus").glob("*/information")
        names = [found[1] for card in cards if (found := re.search(r"^Model:\s*(.+)$", _read(card), re.MULTILINE))]
    return [Gpu("CUDA", name) for name in names]


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _said(*line: str) -> str:
    """What a tool says; nothing if it is not there, fails or takes too long."""
    if (tool := shutil.which(line[0])) is None:
        return ""
    try:
        return subprocess.run([tool, *line[1:]], capture_output=True, text=True, timeout=10, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _printable(words: str) -> str:
    """Leave out what would steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in words)
