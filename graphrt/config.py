"""Where models and limits are bound: what the runtime is given, then the environment, then `graphrt.toml`.

    [models]
    fast = "llama_cpp:tiny"

    [limits]
    search = 8

    [store]
    path = "runs.db"
    durability = "power"

    [prices."openai:gpt-x"]
    input = 2.5
    output = 10

`graphrt.toml` is looked for in the current folder and those above it; a store's path in it is taken from the file's own
folder. `GRAPHRT_MODEL_FAST` binds the role `fast`; `GRAPHRT_STORE` names the store. Nothing here is a secret: backends
read keys from the environment by name.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from graphrt.errors import UsageError
from graphrt.types import Durability

NAME = "graphrt.toml"
_ROLE = "GRAPHRT_MODEL_"


class StoreConfig(BaseModel):
    """Where runs are kept when a command does not say."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str = "graphrt.db"
    durability: Durability = "power"


class PriceConfig(BaseModel):
    """What a model costs, in US dollars a million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    cache_read: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    cache_write: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Config(BaseModel):
    """What the surroundings say."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    models: Mapping[str, str] = Field(default_factory=dict)
    limits: Mapping[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    prices: Mapping[str, PriceConfig] = Field(default_factory=dict)
    store: StoreConfig = StoreConfig()


def load_config(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the environment and the nearest `graphrt.toml`.

    Raises UsageError if the file is wrong, naming it and the key.
    """
    path = _nearest(folder or Path.cwd())
    config = _read(path) if path is not None else Config()
    models = dict(config.models)
    models.update({name[len(_ROLE) :].lower(): uri for name, uri in environ.items() if name.startswith(_ROLE) and uri})
    store = config.store
    if environ.get("GRAPHRT_STORE"):
        store = store.model_copy(update={"path": environ["GRAPHRT_STORE"]})
    return config.model_copy(update={"models": models, "store": store})


def _nearest(folder: Path) -> Path | None:
    return next((path for place in (folder, *folder.parents) if (path := place / NAME).is_file()), None)


def _read(path: Path) -> Config:
    try:
        config = Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise UsageError(
            f"{path}: " + "; ".join(_problem(found) for found in error.errors(include_url=False))
        ) from None
    if "path" not in config.store.model_fields_set:
        return config
    # From whichever folder below a command is given, it is the same store.
    store = config.store.model_copy(update={"path": str(path.parent / config.store.path)})
    return config.model_copy(update={"store": store})


_TABLES: Mapping[Any, type[BaseModel]] = {"store": StoreConfig, "prices": PriceConfig}


def _problem(found: ErrorDetails) -> str:
    *above, last = found["loc"]
    if found["type"] != "extra_forbidden":
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    keys = (_TABLES[above[0]] if above else Config).model_fields
    return f"{'.'.join(map(str, (*above, last)))}: there is no such key; there are {', '.join(keys)}"
