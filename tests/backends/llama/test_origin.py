"""Which llama.cpp is used, and that one which was never seen is bound where it fits, and kills nobody where not."""

from __future__ import annotations

import ctypes
import importlib
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tests.llama")

from graphrt.backends.errors import BackendError
from graphrt.backends.llama import LlamaCpp, installed
from graphrt.backends.llama.native import binding, library
from graphrt.backends.llama.native.binding import CONSTANTS, CONTEXTS, DEFAULTS, FUNCTIONS, MODEL, fitting, structure
from graphrt.backends.llama.native.origin import COMPILED, OWN_BUILD, PREBUILT, Origin, bound, origin
from graphrt.backends.messages import Settings
from tests.backends.llama.conftest import answer, ask, failure, route, same

SET = (
    "n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_threads", "n_threads_batch",
    "flash_attn_type", "pooling_type", "embeddings", "offload_kqv", "no_perf", "swa_full",
)  # fmt: skip
"""What the engine says of a context, apart from `kv_unified`, which a trial looks at."""


@pytest.fixture
def there() -> Path:
    """The shared library that is used here, whoever brought it."""
    return Path(library.library()._lib._name)


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A process that has not looked for a llama.cpp yet."""
    library.library.cache_clear()
    monkeypatch.delenv(OWN_BUILD, raising=False)
    yield monkeypatch
    library.library.cache_clear()


def wheel(folder: Path, module: str, *, shared: bytes = b"") -> Path:
    """A package with a shared library in it; return the library's path."""
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text("raise ImportError('nobody imports this')", encoding="utf-8")
    path = folder / module / f"{module}.abi3.so"
    path.write_bytes(shared)
    return path


def test_somebody_s_own_build_goes_before_the_compiled_one_and_that_before_the_prebuilt(
    tmp_path: Path, nothing: pytest.MonkeyPatch
) -> None:
    """What is there is looked at, and not loaded."""
    nothing.setitem(sys.modules, "llama_cpp", None)
    nothing.setitem(sys.modules, PREBUILT, None)
    assert (origin(), installed()) == (Origin(COMPILED), False)
    nothing.delitem(sys.modules, PREBUILT)
    nothing.syspath_prepend(tmp_path)
    path = wheel(tmp_path, PREBUILT)
    assert (origin(), installed()) == (Origin(PREBUILT, str(path)), True)
    nothing.delitem(sys.modules, "llama_cpp")
    wheel(tmp_path, "llama_cpp")
    assert (origin(), installed()) == (Origin(COMPILED), True)
    nothing.setenv(OWN_BUILD, "/opt/libllama.so")
    assert (origin(), installed()) == (Origin("", "/opt/libllama.so"), True)


@pytest.mark.anyio
async def test_an_own_build_gives_the_answers_of_the_package_it_was_taken_from(
    there: Path, nothing: pytest.MonkeyPatch
) -> None:
    """Whatever binds it: exact, and in cells that all requests share."""
    asked = [route("Hi, the app crashes"), ask("Hello", settings=Settings(temperature=1.0, seed=3, max_tokens=20))]
    answers = []
    for own in (None, str(there)):
        library.library.cache_clear()
        if own:
            nothing.setenv(OWN_BUILD, own)
        for exact in (True, False):
            backend = LlamaCpp(exact=exact, n_ctx=256, parallel=2)
            answers += [await answer(backend, each) for each in asked]
            await backend.aclose()
    assert all(same(*pair) for pair in zip(answers[:4], answers[4:], strict=True))


@pytest.mark.anyio
async def test_a_wheel_that_does_not_fit_is_told_with_what_does(tmp_path: Path, nothing: pytest.MonkeyPatch) -> None:
    path = wheel(tmp_path, PREBUILT, shared=b"no library")
    nothing.setitem(sys.modules, "llama_cpp", None)
    nothing.syspath_prepend(tmp_path)
    backend = LlamaCpp()
    error = str((await failure(backend, route("Hi"))).error)
    assert f"the llama.cpp in {path} cannot be used" in error
    assert "install 'graphrt[llama-prebuilt]' or 'graphrt[llama]'" in error
    await backend.aclose()


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/no/such/libllama.so", "cannot open shared object file|no such file|not found"),
        (importlib.import_module("_ctypes").__file__, "it has no llama_model_default_params"),
    ],
)
def test_what_is_no_llama_cpp_is_not_bound(path: str, what: str) -> None:
    with pytest.raises(BackendError, match=f"(?i){what}.*unset {OWN_BUILD}"):
        bound(Origin("", path))


def rewritten(library: Path, folder: Path, code: dict[str, bytes]) -> Path:
    """A copy of a shared library in which the first instructions of functions are others."""
    for beside in library.parent.glob("*.so*"):
        (folder / beside.name).symlink_to(beside)
    copy = folder / library.name
    copy.unlink()
    shutil.copy(library, copy)
    loaded = ctypes.CDLL(str(library))
    with copy.open("r+b") as file:
        for name, instructions in code.items():
            address = ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value or 0
            for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
                place, _, offset, *_ = line.split()
                start, end = (int(part, 16) for part in place.split("-"))
                if start <= address < end:
                    file.seek(address - start + int(offset, 16))
            file.write(instructions)
    return copy


TRAP, RETURN = b"\x0f\x0b", b"\xc3"


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() != "x86_64", reason="instructions are written for it"
)
@pytest.mark.parametrize(
    ("function", "instructions", "what"),
    [
        ("llama_context_default_params", TRAP, "a process that tried it ended with SIGILL"),
        ("llama_decode", TRAP, "a process that tried it ended with SIGILL"),
        ("llama_context_default_params", RETURN, "what its llama_context_default_params gives is laid out differently"),
        ("llama_vocab_is_eog", b"\xb8\x01\x00\x00\x00\xc3", "it answers b'' where"),
        ("llama_n_ctx_seq", b"\xb8\x07\x00\x00\x00\xc3", "a sequence has 7 cells where it should have 256"),
        ("llama_decode", b"\xb8\xff\xff\xff\xff\xc3", r"it cannot compute \d+ tokens \(code -1\)"),
    ],
)
def test_a_library_that_is_not_what_it_seems_is_refused_and_kills_nobody(
    there: Path, tmp_path: Path, function: str, instructions: bytes, what: str
) -> None:
    """It dies, gives its parameters in another layout, or computes something else: only a trial finds out."""
    copy = rewritten(there, tmp_path, {function: instructions})
    with pytest.raises(BackendError, match=what):
        bound(Origin("", str(copy)))


def shape(kind: Any) -> Any:
    """What a type is for whoever passes it: a number of a kind, an address, or a structure of those."""
    if kind is None or issubclass(kind, (ctypes.c_bool, ctypes.c_int8)):
        return kind
    if issubclass(kind, ctypes.Structure):
        return [(name, getattr(kind, name).offset, shape(each)) for name, each, *_ in kind._fields_ if name != "room"]
    number = getattr(kind, "_type_", "")
    return number if isinstance(number, str) and number in {*"iIlLqQf"} else "address"


def test_all_that_the_engine_calls_is_bound() -> None:
    """Whoever calls one more has to bind it, too."""
    code = "".join(path.read_text(encoding="utf-8") for path in Path(binding.__file__).parent.glob("*.py"))
    called = set(re.findall(r"\b(?:_?lib|library\(\))\.((?:llama|ggml|LLAMA)_\w+)", code))
    assert called <= {*FUNCTIONS, *CONSTANTS, *(name for names in binding.PARAMS for name in names[:2])}


def test_what_is_bound_is_as_llama_cpp_python_has_it() -> None:
    """Its authors keep pace with llama.cpp; each name, argument, result and field is compared."""
    other = pytest.importorskip("llama_cpp", reason="only the extra llama brings it").llama_cpp
    for name, (gives, *takes) in FUNCTIONS.items():
        theirs = getattr(other, name)
        assert [shape(gives), *map(shape, takes)] == [shape(theirs.restype), *map(shape, theirs.argtypes)], name
    for name, value in CONSTANTS.items():
        assert (shape(value) if isinstance(value, type) else value) == (
            shape(getattr(other, name)) if isinstance(value, type) else getattr(other, name)
        ), name
    for fields, name in ((MODEL, "llama_model_params"), (CONTEXTS[0], "llama_context_params")):
        assert shape(structure(fields)) == shape(getattr(other, name)), name


def said(fields: binding.Fields, noise: bytes) -> bytes:
    """The bytes of the defaults of a structure, among whatever was there before."""
    kind = structure(fields)
    data = bytearray(noise)
    for name, each, *_ in kind._fields_:
        if name != "room":
            value = each(DEFAULTS.get(name, 0)) if isinstance(getattr(each, "_type_", None), str) else each()
            at = getattr(kind, name).offset
            data[at : at + ctypes.sizeof(each)] = bytes(value)
    return bytes(data)


NOISE = st.binary(min_size=512, max_size=512)


@given(noise=NOISE, number=st.sampled_from([0, 1]))
def test_each_known_layout_is_known_by_its_defaults(noise: bytes, number: int) -> None:
    found = fitting(said(CONTEXTS[number], noise), CONTEXTS)
    assert found is not None
    assert shape(found) == shape(structure(CONTEXTS[number]))
    assert fitting(said(MODEL, noise), (MODEL,)) is not None
    assert fitting(said(CONTEXTS[number], noise), (CONTEXTS[1 - number],)) is None


@given(data=st.data(), noise=NOISE, number=st.sampled_from([0, 1]))
def test_a_field_that_a_later_version_adds_moves_nothing_that_is_set_without_being_noticed(
    data: st.DataObject, noise: bytes, number: int
) -> None:
    """The layout is refused, or what is set is still where it was."""
    single = [(kind, name) for kind, names in CONTEXTS[number] for name in names.split()]
    kind = data.draw(st.sampled_from([ctypes.c_bool, ctypes.c_int32, ctypes.c_uint64, ctypes.c_void_p]))
    single.insert(data.draw(st.integers(0, len(single))), (kind, "new"))
    found = fitting(said(tuple(single), noise), CONTEXTS)
    later = structure(tuple(single))
    assert found is None or all(getattr(found, name).offset == getattr(later, name).offset for name in SET)
