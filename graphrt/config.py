"""Where models and limits are bound: what the runtime is given, then the environment, then `graphrt.toml`.

    [models]
    fast = "llama_cpp:tiny"

    [limits]
    search = 8

    [store]
    path = "runs.db"
    durability = "power"

`graphrt.toml` is looked for in the current folder and those above it. `GRAPHRT_MODEL_FAST` binds the role `fast`; `GRAPHRT_STORE` names
the store. Nothing here is a secret: backends read keys from the environment by name.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graphrt.errors import UsageError
from graphrt.types import Durability

NAME = "graphrt.toml"
_ROLE = "GRAPHRT_MODEL_"


class StoreConfig(BaseModel):
    """Where runs are kept when a command does not say."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str = "graphrt.db"
    durability: Durability = "power"


class Config(BaseModel):
    """What the surroundings say."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    models: Mapping[str, str] = Field(default_factory=dict)
    limits: Mapping[str, int] = Field(default_factory=dict)
    store: StoreConfig = StoreConfig()


def load_config(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the environment and the nearest `graphrt.toml`. Raises UsageError if the file is wrong, naming it and the key."""
    path = _nearest(folder or Path.cwd())
    config = _read(path) if path is not None else Config()
    models = dict(config.models)
    models.update({name[len(_ROLE) :].lower(): uri for name, uri in environ.items() if name.startswith(_ROLE) and uri})
    store = config.store.model_copy(update={"path": environ["GRAPHRT_STORE"]}) if environ.get("GRAPHRT_STORE") else config.store
    return config.model_copy(update={"models": models, "store": store})


def _nearest(folder: Path) -> Path | None:
    return next((path for place in (folder, *folder.parents) if (path := place / NAME).is_file()), None)


def _read(path: Path) -> Config:
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors(include_url=False))
        raise UsageError(f"{path}: {lines}; durability is one of {', '.join(get_args(Durability))}") from None
