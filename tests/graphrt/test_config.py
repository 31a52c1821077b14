"""Where models, limits and the store are bound, and who wins."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from graphrt import Runtime, node
from graphrt.backends.scripted import Scripted
from graphrt.config import Config, PriceConfig, StoreConfig, load_config
from graphrt.errors import UsageError
from graphrt.nodes import ask

NONE: Mapping[str, str] = {}


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "graphrt.toml"
    path.write_text(text, encoding="utf-8")
    return path


@node
async def say() -> str:
    return (await ask("fast", "hello")).text


def test_without_a_file_and_an_environment_there_are_defaults(tmp_path: Path) -> None:
    """No models, no limits, a store in the current folder that survives the loss of power (D12)."""
    config = load_config(tmp_path, NONE)
    assert config == Config(models={}, limits={}, store=StoreConfig(path="graphrt.db", durability="power"))


def test_everything_in_the_file_is_read(tmp_path: Path) -> None:
    """Each table means what its name says."""
    write(
        tmp_path,
        '[models]\nfast = "scripted:a"\n"Smart-2" = "scripted:b"\n[limits]\nsearch = 8\n'
        '[store]\npath = "x.db"\ndurability = "process"\n'
        '[prices."openai:gpt-x"]\ninput = 2.5\noutput = 10\ncache_read = 0.25\n',
    )
    config = load_config(tmp_path, NONE)
    assert config.prices == {"openai:gpt-x": PriceConfig(input=2.5, output=10, cache_read=0.25)}
    assert config.models == {"fast": "scripted:a", "Smart-2": "scripted:b"}
    assert config.limits == {"search": 8}
    assert config.store == StoreConfig(path=str(tmp_path / "x.db"), durability="process")


def test_the_nearest_file_upwards_is_the_one_that_counts(tmp_path: Path) -> None:
    """Files are not merged: the nearest one is the whole answer."""
    write(tmp_path, '[models]\nfast = "scripted:far"\nother = "scripted:far"\n')
    write(tmp_path / "project", '[models]\nfast = "scripted:near"\n')
    deep = tmp_path / "project" / "src" / "deep"
    deep.mkdir(parents=True)
    assert load_config(deep, NONE).models == {"fast": "scripted:near"}
    assert load_config(tmp_path, NONE).models["fast"] == "scripted:far"


def test_a_store_s_path_is_taken_from_its_file_s_folder(tmp_path: Path) -> None:
    """From whichever folder of a project a command is given, it is the same store."""
    write(tmp_path, '[store]\npath = "runs/all.db"\n')
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert load_config(deep, NONE).store.path == str(tmp_path / "runs" / "all.db")
    absolute = tmp_path / "elsewhere.db"
    write(tmp_path, f'[store]\npath = "{absolute.as_posix()}"\n')
    assert Path(load_config(deep, NONE).store.path) == absolute


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A variable binds one role, or names the store; what it does not name stays as the file has it."""
    write(
        tmp_path,
        '[models]\nfast = "scripted:file"\nslow = "scripted:file"\n[store]\npath = "x.db"\ndurability = "process"\n',
    )
    config = load_config(tmp_path, {"GRAPHRT_MODEL_FAST": "scripted:environment", "GRAPHRT_STORE": "env.db"})
    assert config.models == {"fast": "scripted:environment", "slow": "scripted:file"}
    assert config.store == StoreConfig(path="env.db", durability="process")


def test_an_empty_variable_binds_nothing(tmp_path: Path) -> None:
    """`GRAPHRT_MODEL_FAST=` in a shell unsets it."""
    write(tmp_path, '[models]\nfast = "scripted:file"\n')
    config = load_config(tmp_path, {"GRAPHRT_MODEL_FAST": "", "GRAPHRT_STORE": "", "GRAPHRT_OTHER": "x"})
    assert config.models == {"fast": "scripted:file"}
    assert config.store.path == "graphrt.db"


def test_what_a_runtime_is_given_wins_over_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runtime(models=) > environment > file, shown by who answers."""
    write(tmp_path, '[models]\nfast = "scripted:the file"\n')
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GRAPHRT_")]:
        monkeypatch.delenv(name)
    assert Runtime().run_sync(say) == "the file"
    monkeypatch.setenv("GRAPHRT_MODEL_FAST", "scripted:the environment")
    assert Runtime().run_sync(say) == "the environment"
    assert Runtime(models={"fast": Scripted("the program")}).run_sync(say) == "the program"
    assert Runtime(models={"other": Scripted("nobody asks")}).run_sync(say) == "the environment"


def test_a_runtime_s_limits_win_over_the_file_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are merged by name (E5)."""
    write(tmp_path, "[limits]\nsearch = 8\nmail = 1\n")
    monkeypatch.chdir(tmp_path)
    assert Runtime(limits={"search": 2}).limits.sizes == {"search": 2, "mail": 1}


def test_a_runtime_may_be_told_to_look_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config=Config()` keeps the surroundings out, for tests."""
    write(tmp_path, "this is not TOML")
    monkeypatch.chdir(tmp_path)
    assert Runtime(config=Config()).models == {}
    with pytest.raises(UsageError, match="is not TOML"):
        Runtime()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models\n", "is not TOML: "),
        ("[models]\nfast = 3\n", "models.fast: Input should be a valid string"),
        ('[limits]\nsearch = "many"\n', "limits.search: Input should be a valid integer"),
        ("[limits]\nsearch = 0\n", "limits.search: Input should be greater than or equal to 1"),
        ('[store]\ndurability = "hope"\n', "store.durability: Input should be 'power' or 'process'"),
        ('[store]\nfile = "x"\n', "store.file: there is no such key; there are path, durability"),
        ("[model]\n", "model: there is no such key; there are models, limits, prices, store"),
        ('[prices."a:b"]\ninput = -1\noutput = 1\n', "prices.a:b.input: Input should be greater than or equal to 0"),
        ('[prices."a:b"]\ninput = inf\noutput = 1\n', "prices.a:b.input: Input should be a finite number"),
        ('[prices."a:b"]\ninput = 1\n', "prices.a:b.output: Field required"),
        (
            '[prices."a:b"]\ninput = 1\noutput = 1\ncached = 1\n',
            "prices.a:b.cached: there is no such key; there are input, output, cache_read, cache_write",
        ),
        ('model = "scripted:x"\nstor = 1\n', "stor: there is no such key"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_the_file_and_the_key(tmp_path: Path, text: str, words: str) -> None:
    """The message names the file, the key and what would be right; unknown keys are refused, never ignored."""
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as wrong:
        load_config(tmp_path, NONE)
    assert str(wrong.value).startswith(str(path))
    assert words in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    """Nobody likes to run a command once for each of their typos."""
    write(tmp_path, "[models]\nfast = 3\n[limits]\nsearch = -1\n[stoer]\n")
    with pytest.raises(UsageError) as wrong:
        load_config(tmp_path, NONE)
    assert all(key in str(wrong.value) for key in ("models.fast", "limits.search", "stoer"))


def test_a_file_that_is_no_text_is_told_as_such(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are an error with the file's name, not a traceback."""
    (tmp_path / "graphrt.toml").write_bytes(b'[models]\nfast = "\xff"\n')
    with pytest.raises(UsageError, match="is not TOML"):
        load_config(tmp_path, NONE)


def test_a_folder_of_that_name_is_no_file(tmp_path: Path) -> None:
    """Only a file counts; the search goes on above."""
    write(tmp_path, '[models]\nfast = "scripted:above"\n')
    (tmp_path / "below" / "graphrt.toml").mkdir(parents=True)
    assert load_config(tmp_path / "below", NONE).models == {"fast": "scripted:above"}
