"""Whether the llama.cpp that is installed fits the machine it is on: a judgement over facts, which `survey` gathers.

llama-cpp-python is compiled where it is installed, for the processor that is there. So a wheel that was kept from
another machine may hold instructions that this one lacks, and the process dies of them; and one that was made without
regard to a processor or a GPU, as every prebuilt one, leaves them idle. Features of processors are called here as
llama.cpp calls them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["ok", "warning", "problem"]

PACKAGES: Mapping[str, str] = {"numpy": "numpy", "llguidance": "llguidance", "llama_cpp": "llama-cpp-python"}
"""What the extra `llama` consists of: modules, in the order in which they are tried, and how they are installed.

Another llama.cpp may take the place of the one that `llama_cpp` brings; it is tried under this name."""
OWN = "own build"
"""What stands for a package, where somebody's own build of llama.cpp is used."""

_IDLE = frozenset({"AMX_INT8", "SME", "SME2"})
"""Features that a build may name and our engine never uses: no loss to lack them, and no reason to crash."""
_GPUS: Mapping[str, tuple[str, str]] = {
    "CUDA": ("-DGGML_CUDA=on", "the CUDA toolkit"),
    "Vulkan": ("-DGGML_VULKAN=on", "the Vulkan SDK"),
    "ROCm": ("-DGGML_HIP=on", "ROCm with HIP"),
    "Metal": ("-DGGML_METAL=on", "Xcode"),
}
HERE = "this machine"
_COMPILER = "install a C++ compiler first, or 'graphrt[llama-prebuilt]' instead, which compiles nothing"
_ANEW = "--force-reinstall --no-cache-dir"
_NATIVE = "-DGGML_NATIVE=on"
_PORTABLE = "-DGGML_NATIVE=off -DGGML_AVX2=on -DGGML_FMA=on -DGGML_F16C=on -DGGML_BMI2=on"
_BEGINNING = ("features", "build")
"""Stages in which llama.cpp is loaded, and asked what it is."""
_LIBRARY = re.compile(r"\b(lib[\w+-]+\.(?:so|dylib)[\w.]*): cannot open shared object")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of this machine, and what a build for it is called."""

    kind: Literal["CUDA", "Metal"]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is here."""

    system: str
    """As `platform.system()` calls it."""
    architecture: str
    """As `platform.machine()` calls it."""
    processor: str = "unknown processor"
    features: tuple[str, ...] | None = None
    """Of those that llama.cpp knows; None if nobody says."""
    processors: int = 1
    """How many this process may run on: as many threads the engine takes for a model that is not small."""
    quota: float | None = None
    """How many processors' time a container may use; None if it is not limited, or nobody says."""
    gpus: tuple[Gpu, ...] = ()
    compiler: bool = True
    """Whether there is a C++ compiler."""
    installer: Literal["pip", "uv pip"] = "pip"


@dataclass(frozen=True, slots=True)
class Build:
    """What llama.cpp says of itself."""

    features: tuple[str, ...]
    """What its code for the processor was compiled with."""
    backends: tuple[str, ...] = ()
    """What it can compute on: CPU, CUDA …; none if it died before it could say."""
    devices: tuple[str, ...] = ()
    """The GPUs that it finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of a process that loaded it all and asked the model that comes along for a token."""

    library: str = PACKAGES["llama_cpp"]
    """The package whose llama.cpp is used, or `OWN`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """By module; one that is not installed is left out. An own build has its path here."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why a stage did not succeed: `numpy`, `llguidance`, `llama_cpp`, `features`, `build`, `tiny`, `gpu`."""
    build: Build | None = None
    seconds: float | None = None
    """From before the model was loaded until its first token."""
    on_gpu: float | None = None
    """The same with all of the model on the GPUs, where there are any."""
    died: str = ""
    """The stage in which the process died."""
    how: str = ""
    """What it died of: the name of a signal, mostly."""
    words: str = ""
    """What it wrote last."""

    @property
    def compiled(self) -> str:
        """The version of llama-cpp-python; empty if it is not what is used."""
        return self.versions.get("llama_cpp", "") if self.library == PACKAGES["llama_cpp"] else ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A problem keeps local models from running, a warning makes them slower."""

    level: Level
    about: str
    what: str
    fix: str = ""
    """What to do about it, in words."""
    command: str = ""
    """What to do about it, for a shell; after what the words ask for."""


def judge(machine: Machine, trial: Trial) -> tuple[Finding, ...]:
    """Say of each thing whether it fits. It looks at nothing but its arguments."""
    again = commands(machine, trial.compiled)
    return (
        *_packages(machine, trial, again),
        *_instructions(machine, trial, again),
        *_gpus(machine, trial, again),
        _threads(machine),
        *_answer(trial, again),
    )


def commands(machine: Machine, version: str) -> dict[str, str]:
    """How to build llama.cpp: for this machine, for each kind of GPU, and for machines that are not known.

    `version` is the one that is installed, whose place it takes; empty if none is.
    """
    package = f"--no-deps llama-cpp-python=={version}" if version else "llama-cpp-python"
    install = f"{machine.installer} install {_ANEW} --no-binary llama-cpp-python {package}"
    return {purpose: f'CMAKE_ARGS="{each}" {install}' for purpose, each in options(machine).items()}


def options(machine: Machine) -> dict[str, str]:
    """What CMake is told in `commands`."""
    portable = {"any x86-64 with AVX2": _PORTABLE} if machine.architecture == "x86_64" else {}
    return {HERE: _NATIVE} | {kind: f"{_NATIVE} {option}" for kind, (option, _) in _GPUS.items()} | portable


def _packages(machine: Machine, trial: Trial, again: Mapping[str, str]) -> Iterator[Finding]:
    for module, package in PACKAGES.items():
        version, why = trial.versions.get(module, ""), trial.failed.get(module)
        about = trial.library if module == "llama_cpp" else package
        anew = again[HERE] if module == "llama_cpp" else f"{machine.installer} install {_ANEW} {package}"
        if trial.died == module:
            what = f"{version} dies when it is loaded: {_death(trial)}"
            yield Finding("problem", about, what, command=anew)
        elif not version:
            compiles = module == "llama_cpp" and not machine.compiler
            fix = _COMPILER if compiles else ""
            yield Finding("problem", about, "not installed", fix, f"{machine.installer} install 'graphrt[llama]'")
        elif why is not None:
            lacks = _LIBRARY.search(why)
            fix = f"install what brings {lacks[1]}, or build it again" if lacks else ""
            yield Finding("problem", about, f"{version} does not load: {why or 'it does not say why'}", fix, anew)
        else:
            prebuilt = ", built for machines that are not known" if about not in {package, OWN} else ""
            yield Finding("ok", about, version + prebuilt)


def _instructions(machine: Machine, trial: Trial, again: Mapping[str, str]) -> Iterator[Finding]:
    """What the build uses of the processor, and what it leaves."""
    kind, has, build = f"{machine.processor}, {machine.architecture}", machine.features, trial.build
    named = ", ".join((*build.features, *build.backends)) if build else ""
    if trial.died in _BEGINNING:
        what = f"{named or 'unknown'}; it dies as soon as it begins: {_death(trial)}"
        yield Finding("problem", "built with", what, command=again[HERE])
    elif "build" in trial.failed:
        yield Finding("warning", "built with", f"it does not say: {trial.failed['build']}")
    elif build is not None:
        yield Finding("ok", "built with", named)
    if build is None:
        yield Finding("ok", "processor", kind)
        return
    if has is None:
        yield Finding("ok", "processor", f"{kind}; what it has is not known here: the trial has to do")
        return
    lacks = [each for each in build.features if each in FEATURES and each not in has]
    leaves = [each for each in has if each not in build.features and each not in _IDLE]
    if crashing := [each for each in lacks if each not in _IDLE]:
        what = f"{kind}, lacks {', '.join(crashing)}, which the build uses: it dies of SIGILL, if not now then later"
        yield Finding("problem", "processor", what, command=again[HERE])
    elif lacks:
        what = f"{kind}, lacks {', '.join(lacks)}: the build was made for another processor, and may use more of it"
        yield Finding("warning", "processor", what, command=again[HERE])
    elif trial.how == "SIGILL":
        what = f"{kind}: it has all that the build names, but the build uses more"
        yield Finding("warning", "processor", what, command=again[HERE])
    elif leaves:
        what = f"{kind}, has {', '.join(leaves)} too, which the build does not use: it is slower than it could be"
        yield Finding("warning", "processor", what, command=again[HERE])
    else:
        yield Finding("ok", "processor", f"{kind}: the build uses all it has")


def _gpus(machine: Machine, trial: Trial, again: Mapping[str, str]) -> Iterator[Finding]:
    backends, devices = (trial.build.backends, trial.build.devices) if trial.build else ((), ())
    names = ", ".join(gpu.name for gpu in machine.gpus)
    found = ", ".join(devices)
    if devices and trial.died == "gpu":
        fix = "see that it was built for this GPU, and for its driver"
        what = f"{found}: the process dies when a model is put there: {_death(trial)}"
        yield Finding("warning", "GPU", what, fix, again["CUDA" if "CUDA" in backends else HERE])
    elif devices and "gpu" in trial.failed:
        yield Finding("warning", "GPU", f"{found}: {trial.failed['gpu']}")
    elif devices:
        took = "" if trial.on_gpu is None else f"llama_cpp:tiny gives a token in {trial.on_gpu:.2f} s; "
        what = f"{found}: {took}used by a model whose URI says so, with '?n_gpu_layers=-1'"
        yield Finding("ok", "GPU", what)
    elif not machine.gpus:
        yield Finding("ok", "GPU", "none is seen: models run on the processor")
    elif {machine.gpus[0].kind, "Vulkan"} & {*backends}:
        fix = "see that its driver is installed, and that this process may use it"
        yield Finding("warning", "GPU", f"{names}: the build is made for it, and finds none that it can use", fix)
    elif backends or "llama_cpp" not in trial.versions:
        kind = machine.gpus[0].kind
        what, fix = f"{names}: only a build with {kind} uses it", f"with {_GPUS[kind][1]} installed:"
        yield Finding("warning", "GPU", what, fix, again[kind])
    else:
        yield Finding("ok", "GPU", names)


def _threads(machine: Machine) -> Finding:
    count, quota = machine.processors, machine.quota
    what = f"1 for a model under 50 million parameters, else {count}: the processors at hand"
    if quota is None or quota >= count:
        return Finding("ok", "threads", what)
    what += f"; of their time this container may use that of {quota:g}"
    return Finding("warning", "threads", what, f"put '?n_threads={max(1, round(quota))}' into their URIs")


def _answer(trial: Trial, again: Mapping[str, str]) -> Iterator[Finding]:
    """What became of the trial, where it came so far."""
    if trial.seconds is not None:
        yield Finding("ok", "trial", f"llama_cpp:tiny loads and gives a token in {trial.seconds:.2f} s")
    elif trial.died == "tiny":
        yield Finding("problem", "trial", f"llama_cpp:tiny: the process dies: {_death(trial)}", command=again[HERE])
    elif "tiny" in trial.failed:
        yield Finding("problem", "trial", f"llama_cpp:tiny: {trial.failed['tiny']}")
    elif trial.died not in {*PACKAGES, *_BEGINNING} and not trial.failed.keys() & PACKAGES.keys():
        yield Finding("problem", "trial", f"it came to nothing: {_death(trial)}")


def _death(trial: Trial) -> str:
    meaning = {"SIGILL": " (an instruction that this processor lacks)", "SIGABRT": " (it gave itself up)"}
    return f"{trial.how}{meaning.get(trial.how, '')}" + (f": {trial.words}" if trial.words else "")


# What systems call the features that llama.cpp names.

_WORDS: Mapping[str, str] = {
    "pni": "SSE3", "ssse3": "SSSE3", "avx": "AVX", "avx_vnni": "AVX_VNNI", "avx2": "AVX2", "f16c": "F16C",
    "fma": "FMA", "bmi2": "BMI2", "avx512f": "AVX512", "avx512vbmi": "AVX512_VBMI", "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16", "amx_int8": "AMX_INT8",
    "asimd": "NEON", "neon": "NEON", "asimdhp": "FP16_VA", "i8mm": "MATMUL_INT8", "asimddp": "DOTPROD",
    "sve": "SVE", "sme": "SME", "sme2": "SME2",
    # macOS, where it says more or otherwise than Linux
    "sse3": "SSE3", "avx1.0": "AVX", "avx512vnni": "AVX512_VNNI", "avx512bf16": "AVX512_BF16",
    "hw.optional.advsimd": "NEON", "hw.optional.neon": "NEON", "hw.optional.arm.feat_fp16": "FP16_VA",
    "hw.optional.arm.feat_i8mm": "MATMUL_INT8", "hw.optional.arm.feat_dotprod": "DOTPROD",
    "hw.optional.arm.feat_sme": "SME", "hw.optional.arm.feat_sme2": "SME2",
}  # fmt: skip
FEATURES = tuple(dict.fromkeys(_WORDS.values()))
"""Features by which a build and a processor are compared. What else a build names says nothing about a processor."""


def in_cpuinfo(text: str) -> tuple[str, ...] | None:
    """The features that every processor of Linux' /proc/cpuinfo has; None if it names none."""
    lines = re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return _features(set.intersection(*(set(line.split()) for line in lines))) if lines else None


def in_sysctl(text: str) -> tuple[str, ...] | None:
    """The features in what macOS says to `sysctl hw.optional machdep.cpu`; None if it names none."""
    words: set[str] = set()
    for name, _, value in (line.partition(":") for line in text.splitlines()):
        words |= {name} if value.strip() == "1" else set(value.split()) if name.endswith("features") else set()
    return _features(words) or None


def _features(words: set[str]) -> tuple[str, ...]:
    known = {_WORDS[word] for word in map(str.lower, words) if word in _WORDS}
    return tuple(each for each in FEATURES if each in known)
