"""Prompts and questions: Jinja templates over a node's parameters, rendered in a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from graphrt.errors import GraphError, Mistake, UsageError

if TYPE_CHECKING:
    import jinja2


class PromptError(UsageError):
    """A template could not be rendered with a step's values. The same values fail again, so it is not retried."""

    retryable = False

    def __init__(self, node: str, place: str, error: Exception) -> None:
        super().__init__(f"the template of {node!r} ({place}) cannot be rendered: {type(error).__name__}: {error}")


@cache
def _environment() -> jinja2.Environment:
    import jinja2
    import jinja2.sandbox

    return jinja2.sandbox.ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=_written
    )


def _written(value: Any) -> Any:
    """Write a value as a prompt should show it: text as it is, everything else as JSON, never as a Python repr."""
    import jinja2

    if isinstance(value, (str, jinja2.Undefined)):
        return value
    return to_json(value, inf_nan_mode="strings").decode()


def compile_template(
    template: str, name: str, place: str, params: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], str]:
    """Return what renders a template. Raises GraphError with every name it asks for that is no parameter."""
    import jinja2
    import jinja2.meta

    environment = _environment()
    try:
        asked = jinja2.meta.find_undeclared_variables(environment.parse(template))
        compiled = environment.from_string(template)
    except jinja2.TemplateSyntaxError as error:
        raise GraphError(
            name,
            [
                Mistake(
                    place,
                    f"its template does not parse at line {error.lineno}: {error.message}",
                    "mend the Jinja syntax",
                )
            ],
        ) from None
    if unknown := sorted(asked - set(params)):
        raise GraphError(
            name,
            [
                Mistake(
                    place,
                    f"its template asks for {word!r}, which is no parameter",
                    f"use one of {', '.join(params) or 'no names'}",
                )
                for word in unknown
            ],
        )

    def render(values: Mapping[str, Any]) -> str:
        try:
            return compiled.render(values)
        except Exception as error:
            raise PromptError(name, place, error) from error

    return render
