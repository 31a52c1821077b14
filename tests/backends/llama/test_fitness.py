"""Whether a llama.cpp fits a machine: the judgement of machines that are made up, and what is found of a real one."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graphrt.backends.llama.native.fitness import (
    FEATURES,
    OWN,
    Build,
    Finding,
    Gpu,
    Level,
    Machine,
    Trial,
    commands,
    in_cpuinfo,
    in_sysctl,
    judge,
)
from graphrt.backends.llama.native.library import library
from graphrt.backends.llama.native.origin import OWN_BUILD
from graphrt.backends.llama.native.survey import look_around, try_out

AVX2 = ("SSE3", "SSSE3", "AVX", "AVX2", "F16C", "FMA", "BMI2")
AVX512 = (*AVX2, "AVX512", "AVX512_VNNI")
ARM = ("NEON", "DOTPROD")
VERSIONS = {"numpy": "2.4.6", "llguidance": "1.9.1", "llama_cpp": "0.3.36"}
NVIDIA = (Gpu("CUDA", "NVIDIA H100"), Gpu("CUDA", "NVIDIA H200"))

HERE = Machine(system="Linux", architecture="x86_64", processor="EPYC", features=AVX512, processors=8)
PLAIN = Build((*AVX512, "OPENMP"), ("CPU",))
WELL = Trial(versions=VERSIONS, build=PLAIN, seconds=0.25)


def about(word: str, machine: Machine, trial: Trial) -> Finding:
    """The one finding about a thing."""
    [found] = [each for each in judge(machine, trial) if each.about == word]
    return found


def test_a_build_for_this_machine_fits() -> None:
    found = judge(HERE, WELL)
    assert {each.level for each in found} == {"ok"}
    assert [each.about for each in found] == [
        "numpy", "llguidance", "llama-cpp-python", "built with", "processor", "GPU", "threads", "trial"
    ]  # fmt: skip
    assert found[3].what.endswith("AVX512_VNNI, OPENMP, CPU")
    assert found[-1].what == "llama_cpp:tiny loads and gives a token in 0.25 s"


@pytest.mark.parametrize(
    ("has", "uses", "level", "named"),
    [
        (AVX512, AVX512, "ok", ()),
        (AVX2, AVX512, "problem", ("lacks AVX512, AVX512_VNNI,", "SIGILL")),
        (AVX512, AVX2, "warning", ("has AVX512, AVX512_VNNI too", "slower")),
        (AVX2, (*AVX2, "AMX_INT8"), "warning", ("lacks AMX_INT8", "made for another processor")),
        ((*AVX512, "AMX_INT8"), AVX512, "ok", ()),
        (AVX2, (*AVX2, "OPENMP", "LLAMAFILE", "REPACK", "ARM_FMA", "NEW_THING"), "ok", ()),
        (ARM, (*ARM, "SVE"), "problem", ("lacks SVE,",)),
        ((*ARM, "MATMUL_INT8", "SME"), ARM, "warning", ("has MATMUL_INT8 too",)),
        (None, AVX512, "ok", ("not known here",)),
    ],
)
def test_the_build_is_held_against_the_processor(
    has: tuple[str, ...] | None, uses: tuple[str, ...], level: Level, named: tuple[str, ...]
) -> None:
    """What it lacks kills; what is left idle is slower; what the engine never uses, and other words, are neither."""
    found = about("processor", replace(HERE, features=has), replace(WELL, build=Build(uses, ("CPU",))))
    assert found.level == level
    assert all(word in found.what for word in named)
    assert bool(found.command) == (level != "ok")


def test_a_gpu_that_the_build_cannot_use_is_told_with_the_way_to_use_it() -> None:
    found = about("GPU", replace(HERE, gpus=NVIDIA), WELL)
    assert (found.level, found.what) == ("warning", "NVIDIA H100, NVIDIA H200: only a build with CUDA uses it")
    assert "-DGGML_CUDA=on" in found.command
    assert "CUDA toolkit" in found.fix
    before = about("GPU", replace(HERE, gpus=NVIDIA), Trial(failed={"llama_cpp": "ModuleNotFoundError: …"}))
    assert (before.level, before.what) == ("warning", found.what)
    assert before.command == found.command.replace("--no-deps llama-cpp-python==0.3.36", "llama-cpp-python")


@pytest.mark.parametrize("backend", ["CUDA", "Vulkan"])
def test_a_gpu_without_its_driver_is_told(backend: str) -> None:
    """To build it again would not help."""
    found = about("GPU", replace(HERE, gpus=NVIDIA), replace(WELL, build=Build(AVX512, ("CPU", backend))))
    assert (found.level, found.command) == ("warning", "")
    assert "driver" in found.fix


def test_a_gpu_that_is_used_says_how_a_model_asks_for_it() -> None:
    """llama.cpp's word counts, also where nobody else sees the GPU."""
    found = about("GPU", HERE, replace(WELL, build=Build(AVX512, ("CUDA", "CPU"), ("NVIDIA H100",))))
    assert found.level == "ok"
    assert "'?n_gpu_layers=-1'" in found.what


def on_gpu(**came: Any) -> Finding:
    """What is said of a GPU that llama.cpp finds, after a trial on it that came to something."""
    return about("GPU", HERE, replace(WELL, build=Build(AVX512, ("CUDA", "CPU"), ("NVIDIA H100",)), **came))


def test_a_gpu_is_tried_and_only_slower_models_are_left_where_it_fails() -> None:
    assert "llama_cpp:tiny gives a token in 0.50 s" in on_gpu(on_gpu=0.5).what
    died = on_gpu(died="gpu", how="SIGABRT", words="no kernel image is available for execution on the device")
    assert (died.level, died.what) == (
        "warning",
        "NVIDIA H100: the process dies when a model is put there: SIGABRT (it gave itself up): no kernel image is "
        "available for execution on the device",
    )
    assert "-DGGML_CUDA=on" in died.command
    full = on_gpu(failed={"gpu": "BackendError: no memory"})
    assert (full.level, full.what) == ("warning", "NVIDIA H100: BackendError: no memory")


def test_a_mac_is_told_of_metal() -> None:
    mac = Machine(system="Darwin", architecture="arm64", features=ARM, gpus=(Gpu("Metal", "Apple GPU"),))
    found = about("GPU", mac, replace(WELL, build=Build(ARM, ("CPU",))))
    assert "-DGGML_METAL=on" in found.command


@pytest.mark.parametrize(
    ("stage", "word"), [("llama_cpp", "llama-cpp-python"), ("build", "built with"), ("tiny", "trial")]
)
def test_a_process_that_died_is_told_with_its_stage_and_its_cause(stage: str, word: str) -> None:
    found = about(word, HERE, Trial(versions=VERSIONS, died=stage, how="SIGILL", words="last words"))
    assert found.level == "problem"
    assert "SIGILL (an instruction that this processor lacks): last words" in found.what
    assert found.command == commands(HERE, "0.3.36")["this machine"]


def test_what_is_not_installed_is_told_once_with_the_way_to_install_it() -> None:
    """The trial fails for its sake, and says nothing more."""
    trial = Trial(versions={"numpy": "2"}, failed={"llama_cpp": "ModuleNotFoundError: …", "llguidance": "…"})
    found = {each.about: each for each in judge(replace(HERE, compiler=False), trial) if each.level == "problem"}
    assert {name: (each.what, each.command) for name, each in found.items()} == dict.fromkeys(
        ("llguidance", "llama-cpp-python"), ("not installed", "pip install 'graphrt[llama]'")
    )
    assert "C++ compiler" in found["llama-cpp-python"].fix
    assert found["llguidance"].fix == ""


def test_a_library_that_is_missing_is_named() -> None:
    why = "RuntimeError: Failed to load: libgomp.so.1: cannot open shared object file: No such file or directory"
    found = about("llama-cpp-python", HERE, Trial(versions=VERSIONS, failed={"llama_cpp": why}))
    assert found.fix == "install what brings libgomp.so.1, or build it again"


def test_a_trial_that_failed_or_never_began_is_a_problem() -> None:
    failed = about("trial", HERE, Trial(versions=VERSIONS, build=PLAIN, failed={"tiny": "NotFound: no file"}))
    assert (failed.level, failed.what) == ("problem", "llama_cpp:tiny: NotFound: no file")
    never = about("trial", HERE, Trial(versions=VERSIONS, how="exit code 1", words="no module"))
    assert (never.level, never.what) == ("problem", "it came to nothing: exit code 1: no module")


def test_a_build_that_dies_before_it_computes_has_told_what_it_uses() -> None:
    """Which is what the processor lacks; or more than has a name."""
    trial = Trial(versions=VERSIONS, build=Build(AVX512), died="build", how="SIGILL")
    assert about("built with", HERE, trial).what.startswith("SSE3, SSSE3, AVX")
    assert "lacks AVX512, AVX512_VNNI" in about("processor", replace(HERE, features=AVX2), trial).what
    assert (
        about("processor", HERE, trial).what == "EPYC, x86_64: it has all that the build names, but the build uses more"
    )
    assert about("GPU", replace(HERE, gpus=NVIDIA), trial).level == "ok"


STAGES = ("numpy", "llguidance", "llama_cpp", "features", "build", "tiny")


@example(versions=dict(VERSIONS), failed={"numpy": ""}, build=None, died="", how="")
@given(
    versions=st.fixed_dictionaries({}, optional={each: st.just("1") for each in VERSIONS}),
    failed=st.dictionaries(st.sampled_from(STAGES), st.text()),
    build=st.sampled_from([None, PLAIN, Build(AVX2)]),
    died=st.sampled_from(["", *STAGES]),
    how=st.sampled_from(["", "SIGILL", "exit code 1"]),
)
def test_without_a_token_nothing_fits(
    versions: dict[str, str], failed: dict[str, str], build: Build | None, died: str, how: str
) -> None:
    """However little a trial came to, there is something that is told."""
    found = judge(HERE, Trial(versions=versions, failed=failed, build=build, died=died, how=how))
    assert "problem" in {each.level for each in found}
    assert len({each.about for each in found}) == len(found)


def test_a_prebuilt_one_and_an_own_build_are_called_by_their_names() -> None:
    """What is built instead is llama-cpp-python, which goes before them; nothing of its version is there to keep."""
    prebuilt = replace(WELL, library="xllamacpp", versions=VERSIONS | {"llama_cpp": "2026.10"}, build=Build(AVX2))
    assert about("xllamacpp", HERE, prebuilt).what == "2026.10, built for machines that are not known"
    assert about("processor", HERE, prebuilt).command.endswith("--no-binary llama-cpp-python llama-cpp-python")
    own = replace(WELL, library=OWN, versions=VERSIONS | {"llama_cpp": "/opt/libllama.so"})
    assert about("own build", HERE, own) == Finding("ok", "own build", "/opt/libllama.so")


def test_an_own_build_is_tried_as_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tests.llama")
    there = library()._lib._name
    monkeypatch.setenv(OWN_BUILD, there)
    trial = try_out(timeout=60)
    assert (trial.library, trial.versions["llama_cpp"], dict(trial.failed)) == (OWN, there, {})
    assert trial.build
    assert trial.seconds


def test_a_build_that_says_nothing_of_itself_may_still_work() -> None:
    trial = replace(WELL, build=None, failed={"build": "AttributeError: no such symbol"})
    assert about("built with", HERE, trial).level == "warning"
    assert about("trial", HERE, trial).level == "ok"


def test_a_container_that_may_use_less_than_it_sees_is_told() -> None:
    """The engine takes as many threads as there are processors, and they would wait for each other."""
    found = about("threads", replace(HERE, processors=64, quota=2.5), WELL)
    assert (found.level, found.fix) == ("warning", "put '?n_threads=2' into their URIs")
    assert about("threads", replace(HERE, processors=2, quota=2.0), WELL).level == "ok"


def test_the_commands_build_the_version_that_is_there_by_the_installer_that_is_there() -> None:
    built = commands(replace(HERE, installer="uv pip"), "0.3.36")
    assert set(built) == {"this machine", "CUDA", "Vulkan", "ROCm", "Metal", "any x86-64 with AVX2"}
    assert built["ROCm"] == (
        'CMAKE_ARGS="-DGGML_NATIVE=on -DGGML_HIP=on" uv pip install --force-reinstall --no-cache-dir '
        "--no-binary llama-cpp-python --no-deps llama-cpp-python==0.3.36"
    )
    assert "any x86-64 with AVX2" not in commands(replace(HERE, architecture="aarch64"), "")


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("model name\t: X\nflags\t\t: fpu pni ssse3 avx avx2 fma f16c bmi2 avx512f avx512_vnni amx_int8\n",
         (*AVX512, "AMX_INT8")),
        ("Features\t: fp asimd asimdhp asimddp i8mm\n", ("NEON", "FP16_VA", "MATMUL_INT8", "DOTPROD")),
        ("flags : pni avx avx2\n\nflags : pni avx\n", ("SSE3", "AVX")),
        ("processor : 0\n", None),
    ],
)  # fmt: skip
def test_linux_says_what_every_processor_has(text: str, has: tuple[str, ...] | None) -> None:
    found = in_cpuinfo(text)
    assert (found and set(found)) == (has and set(has))


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("hw.optional.AdvSIMD: 1\nhw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_I8MM: 0\n", ARM),
        ("machdep.cpu.features: SSE3 SSSE3 FMA AVX1.0 F16C\nmachdep.cpu.leaf7_features: BMI2 AVX2\n", AVX2),
        ("", None),
    ],
)
def test_macos_says_what_its_processor_has(text: str, has: tuple[str, ...] | None) -> None:
    found = in_sysctl(text)
    assert (found and set(found)) == (has and set(has))


def test_nvidia_s_tool_names_its_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\necho 'GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)'\necho '  MIG 1g (UUID: x)'\n", encoding="utf-8"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert look_around().gpus == (Gpu("CUDA", "NVIDIA H100 80GB HBM3"),)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems need not say it")
def test_linux_names_the_features_of_the_processor_it_runs_on() -> None:
    machine = look_around()
    assert machine.features
    assert set(machine.features) <= set(FEATURES)
    assert machine.processors >= 1


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """Install modules that do what is written, for this process and those it starts."""
    for module, code in modules.items():
        (folder / f"{module}.py").write_text(code, encoding="utf-8")
        info = folder / f"{module}-0.0.1.dist-info"
        info.mkdir()
        name = module.replace("llama_cpp", "llama-cpp-python")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0.1\n", encoding="utf-8")
    (folder / "llama_cpp-0.0.1.dist-info").rename(folder / "llama_cpp_python-0.0.1.dist-info")
    monkeypatch.syspath_prepend(folder)


def test_a_build_for_another_processor_tells_what_it_uses_before_it_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a real one does: it is loaded, names its features, and dies when it looks for devices."""
    code = """
import os, signal, types
llama_cpp = types.SimpleNamespace(
    _lib=types.SimpleNamespace(ggml_cpu_has_avx2=lambda: 1, ggml_cpu_has_avx512_bf16=lambda: 1, ggml_cpu_has_sve=int),
    llama_supports_gpu_offload=lambda: os.kill(os.getpid(), signal.SIGILL),
)
"""
    pretend(tmp_path, monkeypatch, numpy="", llguidance="", llama_cpp=code)
    trial = try_out(timeout=60)
    assert (trial.died, trial.how, trial.build) == ("build", "SIGILL", Build(("AVX2", "AVX512_BF16")))


DIES = "import os, signal, sys\nprint('on stdout')\nprint('\\x1b[2Jlast words', file=sys.stderr, flush=True)\n"


@pytest.mark.parametrize("name", ["SIGILL", "SIGABRT", "SIGSEGV"])
def test_a_library_that_kills_its_process_is_named_and_kills_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What it printed is told without what would steer a terminal, and does not come between."""
    pretend(
        tmp_path,
        monkeypatch,
        numpy="",
        llguidance="raise ImportError('made for another interpreter')",
        llama_cpp=f"{DIES}os.kill(os.getpid(), signal.{name})",
    )
    trial = try_out(timeout=60)
    assert (trial.died, trial.how, trial.words) == ("llama_cpp", name, " [2Jlast words")
    assert trial.failed == {"llguidance": "ImportError: made for another interpreter"}
    assert trial.versions == dict.fromkeys(("numpy", "llguidance", "llama_cpp"), "0.0.1")


def test_a_library_that_never_returns_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, numpy="", llguidance="", llama_cpp="import threading\nthreading.Event().wait()")
    trial = try_out(timeout=1)
    assert (trial.how, trial.seconds) == ("ended, as it was not done after 1 s", None)
    assert "problem" in {each.level for each in judge(HERE, trial)}  # how far it came in a second, nobody knows


def test_the_llama_cpp_of_this_machine_says_what_it_is() -> None:
    pytest.importorskip("tests.llama")
    trial = try_out(timeout=60)
    assert (trial.died, trial.how, dict(trial.failed)) == ("", "", {})
    assert trial.build is not None
    assert "CPU" in trial.build.backends
    assert set(trial.build.features) & set(FEATURES)
    assert trial.seconds
    assert (trial.on_gpu is not None) == bool(trial.build.devices)
