"""From the name of a model to its backend: `open_backend("openai:gpt-x")`.

    openai:MODEL  openrouter:MODEL  ollama:MODEL …      a server of the table in `dialects.profiles`
    azure:DEPLOYMENT?resource=NAME  databricks:MODEL?host=NAME …   one whose address has a part of the user's own
    anthropic:MODEL  gemini:MODEL  openai_responses:MODEL  cohere:MODEL  bedrock:MODEL?region=eu-west-1 …
                                                        another dialect, where its provider serves it
    openai_chat:MODEL?base_url=http://host/v1&key_env=NAME   any other server of the OpenAI chat dialect
    llama_cpp:PATH?n_ctx=4096                           a GGUF file in this process; `llama_cpp:tiny` comes along
    llama_cpp+worker:PATH?n_ctx=4096                    the same in a process of its own, which may die alone
    scripted:TEXT                                       always answers TEXT, which is taken as it is

Keys are in the environment, each under the name that its provider gave it, or under `key_env`; with `secrets`, that is
asked for the name instead, before each request.

The query sets what the backend's constructor takes; anything else is an error, never ignored. A key is named, not
given: a name ends up in journals and pictures. What is wrong raises `BindingError`, before anything runs. Only the
backend that is named is imported.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from graphrt.backends.base import Backend
from graphrt.backends.dialects.profiles import OPENAI_LIKE, PRESETS, Preset, parts_of, profile_named
from graphrt.backends.errors import BindingError
from graphrt.backends.keys import Key, Named
from graphrt.types import Secrets

if TYPE_CHECKING:
    from graphrt.backends.dialects.openai_chat import OpenAIChat


@dataclass(frozen=True, slots=True)
class _Place:
    """A backend of one dialect: where it is, which variable holds its key, and what else its constructor takes."""

    module: str
    name: str
    key_env: str | None = None
    params: tuple[str, ...] = ()
    keyless: bool = False
    """It also goes without a key."""


_PLACES: Mapping[str, _Place] = {
    "anthropic": _Place("anthropic", "Anthropic", "ANTHROPIC_API_KEY"),
    "vertex_anthropic": _Place("anthropic", "VertexAnthropic", "GOOGLE_ACCESS_TOKEN", ("project", "location")),
    "openai_responses": _Place("openai_responses", "OpenAIResponses", "OPENAI_API_KEY"),
    "gemini": _Place("gemini", "Gemini", "GEMINI_API_KEY"),
    "vertex_gemini": _Place("gemini", "VertexGemini", "GOOGLE_ACCESS_TOKEN", ("project", "location")),
    "cohere": _Place("cohere", "Cohere", "CO_API_KEY"),
    "bedrock": _Place("bedrock", "Bedrock", "AWS_BEARER_TOKEN_BEDROCK", ("region",), keyless=True),
    "ollama_native": _Place("ollama_native", "Ollama"),
    "tgi_native": _Place("tgi_native", "Tgi"),
}

_LLAMA: Mapping[str, str] = {"llama_cpp": "LlamaCpp", "llama_cpp+worker": "Isolated"}


@dataclass(frozen=True, slots=True)
class _Keys:
    """Where keys are. What may do without a key gets it from the environment: `secrets` cannot say in time that there
    is none."""

    environ: Mapping[str, str]
    secrets: Secrets | None

    def here(self, name: str | None) -> bool:
        """Whether the environment has it, and is asked."""
        return self.secrets is None and bool(self.environ.get(name or ""))

    def get(self, uri: str, name: str | None, *, needed: bool = True) -> Key:
        if name is None:
            return None
        if self.secrets is not None and needed:
            return Named(self.secrets, name)
        found = self.environ.get(name)
        if not found and needed:
            if not name.isidentifier():
                raise BindingError(uri, "key_env", "is the name of the variable that holds the key, not the key")
            raise BindingError(uri, "key_env", f"the environment has no {name}; put the key there")
        return found


_CHAT_PARAMS: Mapping[str, Callable[[str], Any]] = {
    "base_url": str,
    "key_env": str,
    "profile": str,
    "connect": float,
    "idle": float,
}


_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
"""What the user's part of an address may be: nothing that could lead a key to another host."""


def open_backend(uri: str, *, environ: Mapping[str, str] = os.environ, secrets: Secrets | None = None) -> Backend:
    """The backend that `uri` names. Nothing is connected, no file is read and no secret asked for before the first
    request; a key of the environment has to be there."""
    keys = _Keys(environ, secrets)
    scheme, colon, rest = uri.partition(":")
    if not colon:
        raise BindingError(uri, "scheme", f"there is none; write {_schemes()} before a colon")
    if scheme == "scripted":
        from graphrt.backends.scripted import Scripted

        return Scripted(lambda _: rest)
    target, asked, query = rest.partition("?")
    uri = f"{scheme}:{target}?…" if asked else uri  # errors are kept: what was put there by mistake may be a key (M9)
    target = unquote(target)
    if not target:
        raise BindingError(uri, "model", f"there is none; write it after {scheme + ':'!r}")
    if scheme in _LLAMA:
        return _open_llama(uri, target, query, made=_LLAMA[scheme])
    if scheme == "openai_chat":
        return _open_chat(uri, target, query, Preset("", None, OPENAI_LIKE), keys)
    if scheme in PRESETS:
        return _open_chat(uri, target, query, PRESETS[scheme], keys)
    if scheme in _PLACES:
        return _open_place(uri, target, query, _PLACES[scheme], keys)
    near = difflib.get_close_matches(scheme, _schemes().split(", "), n=1, cutoff=0.8)
    meant = f", did you mean {near[0]!r}?" if near else ";"
    raise BindingError(uri, "scheme", f"{scheme!r} is not known{meant} there are {_schemes()}")


def key_variable(uri: str) -> str | None:
    """The environment variable in which `open_backend` looks for the key; None where it looks for none."""
    scheme, _, rest = uri.partition(":")
    if scheme != "openai_chat" and scheme not in PRESETS and scheme not in _PLACES:
        return None
    named = dict(parse_qsl(rest.partition("?")[2])).get("key_env")
    home: Preset | _Place | None = PRESETS.get(scheme) or _PLACES.get(scheme)
    return named or (home.key_env if home is not None else None)


def _open_chat(uri: str, model: str, query: str, preset: Preset, keys: _Keys) -> OpenAIChat:
    params = _params(uri, query, {**_CHAT_PARAMS, **dict.fromkeys(preset.params, str)})
    base_url, after = _address(uri, model, preset, params)
    _check_url(uri, base_url)
    key_env, header = params.pop("key_env", preset.key_env), preset.key_header
    if key_env == preset.key_env and not keys.here(key_env) and keys.here(preset.bearer_env):
        key_env = preset.bearer_env
    if key_env == preset.bearer_env:
        header = None
    key = keys.get(uri, key_env)
    named = params.pop("profile", None)
    if named is not None and named not in PRESETS:
        raise BindingError(uri, "profile", f"{named!r} is not known; there are {', '.join(PRESETS)}")
    profile = profile_named(named) if named else preset.profile

    from graphrt.backends.dialects.openai_chat import OpenAIChat
    from graphrt.backends.remote import bearer

    auth = (lambda key: {header: key}) if header else bearer
    try:
        return OpenAIChat(model, base_url=base_url, key=key, profile=profile, query=after, auth=auth, **params)
    except ValueError as error:
        raise BindingError(uri, key_env or "base_url", str(error)) from None


def _address(uri: str, model: str, preset: Preset, params: dict[str, Any]) -> tuple[str, str]:
    """Take what makes the address out of `params`: the base URL, and what goes after the dialect's path."""
    given = params.pop("base_url", None)
    parts = {name: params.pop(name) for name in preset.params if name in params}
    template = next((url for name, url in preset.elsewhere.items() if name in parts), preset.base_url)
    base, _, after = template.partition("?")
    needed = parts_of(after if given else template)
    if not (given or base):
        raise BindingError(uri, "base_url", "there is none; add '?base_url=http://host:port/v1'")
    for name in needed:
        if name not in parts and name != "model":
            raise BindingError(uri, name, f"there is none; add '?{name}=…', which goes into {template}")
    for name, value in parts.items():
        if name not in needed:
            raise BindingError(uri, name, "has no place in a base_url of your own; leave it out")
        if not _PART.fullmatch(value):
            raise BindingError(uri, name, f"{value!r} is no such name: letters, digits, '.', '_' and '-' make one")
    parts["model"] = quote(model, safe="")
    return given or base.format_map(parts), after.format_map(parts)


def _open_place(uri: str, model: str, query: str, place: _Place, keys: _Keys) -> Backend:
    allowed = {"base_url": str, "key_env": str, "connect": float, "idle": float, **dict.fromkeys(place.params, str)}
    params = _params(uri, query, allowed)
    if "base_url" in params:
        _check_url(uri, params["base_url"])
    named = params.pop("key_env", None)
    key_env = named or place.key_env
    key = keys.get(uri, key_env, needed=bool(named) or not place.keyless)
    missing = [name for name in place.params if name not in params]
    module = import_module(f"graphrt.backends.dialects.{place.module}")
    made: Callable[..., Backend] = getattr(module, place.name)
    needed = [name for name in missing if inspect.signature(made).parameters[name].default is inspect.Parameter.empty]
    if needed:
        raise BindingError(uri, needed[0], f"there is none; add '?{needed[0]}=…'")
    try:
        return made(model, key=key, **params)
    except ValueError as error:
        raise BindingError(uri, key_env or "base_url", str(error)) from None


def _check_url(uri: str, base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
        parts = urlsplit("")
    if "@" in (parts.netloc if whole else base_url):
        raise BindingError(uri, "base_url", "it holds a password; name it with key_env instead")
    if not whole:
        raise BindingError(uri, "base_url", f"{base_url!r} is no address; write http://host:port/v1")
    if parts.query or parts.fragment:
        raise BindingError(uri, "base_url", "it ends before '?' and '#': the path of the dialect is added to it")


def _open_llama(uri: str, path: str, query: str, *, made: str) -> Backend:
    from graphrt.backends import llama

    if not llama.installed():
        how = "`pip install 'graphrt[llama]'`, or 'graphrt[llama-prebuilt]', which compiles nothing"
        raise BindingError(uri, "scheme", f"llama.cpp needs {how}")
    allowed = {
        name: _reader(str(parameter.annotation))
        for name, parameter in inspect.signature(llama.LlamaCpp).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    params = _params(uri, query, allowed)
    if path != "tiny" and not Path(path).is_file():
        raise BindingError(uri, "path", f"there is no file {path!r}; 'llama_cpp:tiny' is the model that comes along")
    try:
        backend: Backend = getattr(llama, made)(path, **params)
    except ValueError as error:
        raise BindingError(uri, "parameters", str(error)) from error
    return backend


def _reader(annotation: str) -> Callable[[str], Any]:
    """How a parameter of that type is read from text."""
    kinds = annotation.replace(" ", "").split("|")
    return next((read for name, read in (("int", int), ("float", float), ("bool", _flag)) if name in kinds), str)


def _flag(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text]


def _params(uri: str, query: str, allowed: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The query's parameters, read as what they are."""
    params: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as error:
        raise BindingError(uri, "parameters", "they are written name=value&name=value") from error
    for name, text in pairs:
        if name not in allowed:
            raise BindingError(uri, name, f"is not a parameter; there are {', '.join(allowed)}")
        if name in params:
            raise BindingError(uri, name, "is given twice")
        try:
            params[name] = allowed[name](text)
        except (ValueError, KeyError) as error:
            raise BindingError(
                uri, name, f"{text!r} is no {getattr(allowed[name], '__name__', 'value').strip('_')}"
            ) from error
    return params


def _schemes() -> str:
    return ", ".join(["openai_chat", *PRESETS, *_PLACES, *_LLAMA, "scripted"])
