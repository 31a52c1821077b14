"""Whether a value of one annotation may flow into a port of another, decided on the annotations alone.

It answers as a type checker would, for those who run without one: subclasses, unions, generics, literals, `Annotated`,
`NewType`, type aliases. Where it cannot know (an unbound type variable, `Any`) it says yes: pydantic validates the
value.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from typing import Any

_NUMERIC = {
    (int, float),
    (int, complex),
    (float, complex),
    (bool, float),
}  # PEP 484: an int will do where a float is asked for
_ALIAS: Any = getattr(typing, "TypeAliasType", None)  # since Python 3.12
_UNIONS = {typing.Union, types.UnionType}


def plain(annotation: Any) -> Any:
    """Strip what does not change which values fit: Annotated, aliases, NewType's own name for None."""
    while True:
        if annotation is None:
            return type(None)
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif _ALIAS is not None and isinstance(annotation, _ALIAS):
            annotation = annotation.__value__
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ if annotation.__bound__ is not None else Any
        else:
            return annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation alone."""
    annotation = plain(annotation)
    if typing.get_origin(annotation) in _UNIONS:
        return tuple(member for arg in typing.get_args(annotation) for member in members(arg))
    return (annotation,)


def union(annotations: collections.abc.Iterable[Any]) -> Any:
    """Join annotations into one, without repeats."""
    unique: list[Any] = []
    for annotation in annotations:
        unique.extend(member for member in members(annotation) if member not in unique)
    return typing.Union[tuple(unique)] if unique else type(None)  # noqa: UP007 - the members are only known at run time


def assignable(source: Any, target: Any) -> bool:
    """Return whether every value of `source` is a value of `target`."""
    source, target = plain(source), plain(target)
    if target is Any or source is Any or target is object or source is target or source == target:
        return True
    if source is typing.Never or source is typing.NoReturn:
        return True
    if len(sources := members(source)) > 1:
        return all(assignable(member, target) for member in sources)
    if typing.get_origin(source) is typing.Literal and len(values := typing.get_args(source)) > 1:
        return all(assignable(typing.Literal[value], target) for value in values)
    if len(targets := members(target)) > 1:
        return any(assignable(source, member) for member in targets)
    if isinstance(source, typing.NewType):
        return not isinstance(target, typing.NewType) and assignable(source.__supertype__, target)
    if isinstance(target, typing.NewType):
        return False
    return _one_to_one(source, target)


def _one_to_one(source: Any, target: Any) -> bool:
    source_origin, target_origin = typing.get_origin(source), typing.get_origin(target)
    if source_origin is typing.Literal:
        values = typing.get_args(source)
        if target_origin is typing.Literal:
            return set(values) <= set(typing.get_args(target))
        return all(assignable(type(value), target) for value in values)
    if target_origin is typing.Literal:
        return False
    source_class, target_class = source_origin or source, target_origin or target
    if not isinstance(source_class, type) or not isinstance(target_class, type):
        return False
    if (source_class, target_class) in _NUMERIC:
        return True
    if is_typed_dict(target_class):
        return source_class is target_class
    try:
        if not issubclass(source_class, target_class):
            return False
    except TypeError:
        return False
    return _arguments_fit(source, target, source_class, target_class)


def is_typed_dict(annotation: Any) -> bool:
    """Return whether it is a TypedDict, of `typing` or of `typing_extensions` (which pydantic wants before Python
    3.12)."""
    return isinstance(annotation, type) and issubclass(annotation, dict) and hasattr(annotation, "__required_keys__")


def _arguments_fit(source: Any, target: Any, source_class: type, target_class: type) -> bool:
    wanted = typing.get_args(target)
    if not wanted:
        return True
    given = typing.get_args(source)
    if not given:
        return source_class in {list, dict, tuple, set, frozenset} or not isinstance(source_class, types.GenericAlias)
    if source_class is tuple and target_class is not tuple:
        elements = tuple(arg for arg in given if arg is not Ellipsis)
        return all(assignable(element, wanted[0]) for element in elements)
    if target_class is tuple:
        return _tuples_fit(given, wanted)
    if target_class in {dict, list, set} and source_class is target_class:
        # Values travel as JSON and every reader gets its own copy, so a container may be read as one of wider elements.
        return len(given) == len(wanted) and all(map(assignable, given, wanted))
    if issubclass(source_class, collections.abc.Mapping) and len(wanted) == 1:
        return assignable(given[0], wanted[0])
    return len(given) != len(wanted) or all(map(assignable, given, wanted))


def _tuples_fit(given: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    if len(wanted) == 2 and wanted[1] is Ellipsis:  # noqa: PLR2004 - tuple[T, ...]
        return all(assignable(element, wanted[0]) for element in given if element is not Ellipsis)
    return Ellipsis not in given and len(given) == len(wanted) and all(map(assignable, given, wanted))


def element(annotation: Any) -> Any | None:
    """Return what iterating over a value of `annotation` yields, or None if it is not a list-like type."""
    found: list[Any] = []
    for member in members(annotation):
        origin, args = typing.get_origin(member) or member, typing.get_args(member)
        if member is Any:
            found.append(Any)
        elif (
            not isinstance(origin, type)
            or issubclass(origin, (str, bytes, collections.abc.Mapping))
            or not issubclass(origin, collections.abc.Iterable)
        ):
            return None
        elif origin is tuple and args and Ellipsis not in args:
            found.extend(args)
        else:
            found.append(args[0] if args else Any)
    return union(found)
