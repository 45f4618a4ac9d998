"""A Sphinx extension: signatures as the source has them, so that they are short.

autodoc prints what an annotation *is*, and a union of ten types hides the name that stands for it. Here signatures are
read from the source: ``timeout: TimeoutLike`` stays that. The type of a parameter that the docstring describes stands
beside its description, and not in the signature. What a name stands for is on the page of types; a name that is missing
there is a warning.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_origin

import aioclient

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

LONGEST_DEFAULT = 40
MOST_TYPED = 6  # with more parameters than these a signature has names and defaults only
# Their constructors are the library's affair: users are given them, and never make one.
GIVEN = {
    f"aioclient.{name}"
    for name in (
        "ClientResponse",
        "ClientWebSocketResponse",
        "Connection",
        "PoolStatistics",
        "ReconnectingWebSocket",
        "ReconnectStatistics",
        "Request",
        "StreamReader",
        "Timings",
        "onebot.Peer",
    )
}
# Results whose name two classes have.
QUALIFIED = {"aioclient.Session.ws_connect": "~aioclient.sync.WebSocket"}
PARAMETER = re.compile(r"^:param (?P<names>[^:]+): ")
DESCRIBED = re.compile(r"^ +\*{0,2}(?P<names>\w+(?:, \*{0,2}\w+)*): ")

used: dict[str, str] = {}  # aliases of this package, and where each was seen first


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, as it is written."""

    name: str
    mark: str = ""  # "*" or "**"
    annotation: str = ""
    default: str | None = None

    def shown(self, *, with_type: bool) -> str:
        text = self.mark + self.name
        typed = with_type and self.annotation and not self.annotation.startswith("Unpack[")
        if typed:
            text += f": {self.annotation}"
        if self.default is not None:
            text += f" = {self.default}" if typed else f"={self.default}"
        return text


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """The parts of a signature; *bars* are the places of ``/`` and ``*``."""

    parameters: tuple[Parameter, ...]
    bars: Mapping[int, str]
    returns: str

    def shown(self, described: Iterable[str]) -> str:
        parts = []
        short = len(self.parameters) > MOST_TYPED
        for place, parameter in enumerate(self.parameters):
            if place in self.bars:
                parts.append(self.bars[place])
            typed = not short and parameter.name not in described
            parts.append(parameter.shown(with_type=typed))
        if len(self.parameters) in self.bars:
            parts.append(self.bars[len(self.parameters)])
        return f"({', '.join(parts)})"


class _Unquote(ast.NodeTransformer):
    """Takes the quotes off annotations that are written as text."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "Literal":
            return node
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            return self.visit(ast.parse(node.value, mode="eval").body)
        return node


def written(annotation: ast.expr | None) -> str:
    """Return an annotation as text."""
    if annotation is None:
        return ""
    text = ast.unparse(_Unquote().visit(annotation))
    return text.replace(" | Unset", "")  # what stands for a parameter that was left out


def default_of(node: ast.expr | None, known: Mapping[str, object]) -> str | None:
    """Return a default as text: a constant's value, and ``...`` for what says nothing to a reader."""
    if node is None:
        return None
    if isinstance(node, ast.Name) and isinstance(known.get(node.id), int | float | str):
        return repr(known[node.id])
    text = ast.unparse(node)
    private = isinstance(node, ast.Name) and node.id.startswith("_")
    return "..." if private or text == "UNSET" or len(text) > LONGEST_DEFAULT else text


def read(function: Callable[..., Any], *, bound: bool) -> Signature | None:
    """Return the signature of *function* as its source has it; without the first parameter if it is *bound*."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return None
    node = ast.parse(source).body[0]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    return _of_arguments(node, function.__globals__, bound=bound)


def _of_arguments(
    function: ast.FunctionDef | ast.AsyncFunctionDef, known: Mapping[str, object], *, bound: bool
) -> Signature:
    arguments = function.args

    def of(node: ast.arg, default: ast.expr | None, mark: str = "") -> Parameter:
        return Parameter(node.arg, mark, written(node.annotation), default_of(default, known))

    found: list[Parameter] = []
    bars: dict[int, str] = {}
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    for place, (each, default) in enumerate(zip(plain, defaults, strict=True)):
        if bound and place == 0:
            continue
        found.append(of(each, default))
        if place + 1 == len(arguments.posonlyargs):
            bars[len(found)] = "/"
    if arguments.vararg is not None and not _takes_nothing(arguments.vararg):
        found.append(of(arguments.vararg, None, "*"))
    elif arguments.kwonlyargs:
        bars[len(found)] = "/, *" if len(found) in bars else "*"
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(of(each, default))
    if arguments.kwarg is not None and not _takes_nothing(arguments.kwarg):
        found.append(of(arguments.kwarg, None, "**"))
    return Signature(tuple(found), bars, written(function.returns))


def _takes_nothing(node: ast.arg) -> bool:
    """Tell whether a parameter is there for an error message, and no argument for it is right."""
    return isinstance(node.annotation, ast.Name) and node.annotation.id == "Never"


def fields_of(cls: type) -> Iterator[tuple[str, ast.AnnAssign, type]]:
    """Give the annotated names of a class's body, those of its bases first."""
    for base in reversed(cls.__mro__):
        yield from _own_fields(base)


def _own_fields(cls: type) -> Iterator[tuple[str, ast.AnnAssign, type]]:
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    except (OSError, TypeError):
        return
    if isinstance(node, ast.ClassDef):
        for line in node.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                yield line.target.id, line, cls


def _of_dataclass(cls: type) -> Signature:
    lines = {name: line for name, line, _ in fields_of(cls)}
    found: list[Parameter] = []
    bars: dict[int, str] = {}
    fields = sorted(
        (each for each in dataclasses.fields(cls) if each.init), key=lambda f: f.kw_only
    )
    for field in fields:
        if field.kw_only and "*" not in bars.values():
            bars[len(found)] = "*"
        default = None
        if field.default is not dataclasses.MISSING:
            default = repr(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            default = "..."
        if default is not None and (default.startswith("<") or len(default) > LONGEST_DEFAULT):
            default = "..."
        found.append(Parameter(field.name, "", written(lines[field.name].annotation), default))
    return Signature(tuple(found), bars, "")


def signature_of(what: str, owner: object) -> tuple[Signature, Callable[..., Any] | type] | None:
    """Return the signature of a class, function or method, and what holds its globals."""
    if what in ("class", "exception") and isinstance(owner, type):
        init = owner.__dict__.get("__init__")
        if dataclasses.is_dataclass(owner) and not hasattr(init, "__wrapped__"):
            made = getattr(init, "__code__", None)
            if made is None or made.co_filename == "<string>":
                return _of_dataclass(owner), owner
        for base in owner.__mro__:
            for name in ("__init__", "__new__"):
                function = base.__dict__.get(name)
                function = getattr(function, "__func__", function)
                if inspect.isfunction(function):
                    found = read(function, bound=True)
                    return None if found is None else (found, function)
        return None
    if what in ("method", "function"):
        function = inspect.unwrap(getattr(owner, "__func__", owner))  # type: ignore[arg-type]
        if inspect.isfunction(function):
            static = what == "function" or "self" not in inspect.signature(function).parameters
            is_class_method = inspect.ismethod(owner)
            found = read(function, bound=is_class_method or not static)
            return None if found is None else (found, function)
    return None


def described_in(docstring: str | None) -> set[str]:
    """Return the parameters that a docstring describes."""
    names: set[str] = set()
    inside = False
    for line in inspect.cleandoc(docstring or "").splitlines():
        if line and not line.startswith(" "):
            inside = line == "Args:"
        elif inside and (match := DESCRIBED.match(line)) and not line.startswith(" " * 8):
            names |= {name.lstrip("*") for name in match["names"].split(", ")}
    return names


def note_names(annotation: str, holder: Callable[..., Any] | type, where: str) -> None:
    """Note the names of an annotation that stand for something else than a class."""
    if inspect.isfunction(holder):
        known = holder.__globals__
    else:
        known = vars(inspect.getmodule(holder) or inspect)
    for node in ast.walk(ast.parse(annotation.removeprefix("*"), mode="eval")):
        if isinstance(node, ast.Name) and node.id[:1].isupper():
            value = known.get(node.id)
            if isinstance(value, str) or get_origin(value) is not None:
                used.setdefault(node.id, where)


def types_of(signature: Signature, holder: Callable[..., Any] | type) -> dict[str, str]:
    """Return the annotations by parameter, those of ``**keywords: Unpack[...]`` too."""
    found = {each.name: each.annotation for each in signature.parameters if each.annotation}
    for each in signature.parameters:
        match = re.fullmatch(r"Unpack\[(\w+)\]", each.annotation)
        if match is not None and inspect.isfunction(holder):
            found |= _of_typed_dict(holder.__globals__[match[1]])
    return found


def _of_typed_dict(cls: type) -> dict[str, str]:
    """Return the annotations of a TypedDict, which has forgotten its bases: they are looked up by name."""
    source = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(source, ast.ClassDef)  # noqa: S101
    found: dict[str, str] = {}
    known = vars(inspect.getmodule(cls) or inspect)
    for base in source.bases:
        if isinstance(base, ast.Name) and base.id != "TypedDict":
            found |= _of_typed_dict(known[base.id])
    return found | {name: written(line.annotation) for name, line, _ in _own_fields(cls)}


def on_signature(
    app: Sphinx, what: str, name: str, owner: object, options: object, args: str, returns: str
) -> tuple[str, str | None] | None:
    """Give autodoc the signature from the source."""
    if name in GIVEN:
        return "", None
    found = signature_of(what, owner)
    if found is None or args is None:
        return None
    signature, holder = found
    described = described_in(inspect.getdoc(owner))
    for each in signature.parameters:
        if each.name not in described and each.annotation:
            note_names(each.annotation, holder, name)
    if signature.returns:
        note_names(signature.returns, holder, name)
    result = signature.returns if what in ("method", "function") else ""
    result = QUALIFIED.get(name, result)
    return signature.shown(described), result or None


def on_docstring(
    app: Sphinx, what: str, name: str, owner: object, options: object, lines: list[str]
) -> None:
    """Add the types to the descriptions of parameters, behind napoleon."""
    found = signature_of(what, owner)
    if found is None:
        return
    types = types_of(*found)
    typed: list[str] = []
    for line in lines:
        match = PARAMETER.match(line)
        if match is not None and (annotation := types.get(match["names"].lstrip("\\*"))):
            note_names(annotation, found[1], name)
            typed.append(f":type {match['names']}: {annotation}")
        typed.append(line)
    lines[:] = typed


def on_bases(app: Sphinx, name: str, owner: object, options: object, bases: list[type]) -> None:
    """Name the bases that users can import, and not how a class is put together."""
    bases[:] = [
        base
        for base in bases
        if (base is not object and not getattr(base, "__module__", "").startswith("aioclient"))
        or getattr(aioclient, getattr(base, "__name__", ""), None) is base
    ]


def on_consistency(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of names in signatures that no page explains."""
    from sphinx.util import logging  # tests of this module do without Sphinx

    log = logging.getLogger(__name__)
    explained = {name.rpartition(".")[2] for name in env.domains["py"].data["objects"]}  # type: ignore[index]
    for name, where in sorted(used.items()):
        if name not in explained:
            log.warning("%s is in the signature of %s, and not on reference/types", name, where)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to autodoc; napoleon has to come first."""
    app.connect("autodoc-process-signature", on_signature)
    app.connect("autodoc-process-docstring", on_docstring, priority=600)
    app.connect("autodoc-process-bases", on_bases)
    app.connect("env-check-consistency", on_consistency)
    return {"parallel_read_safe": False}
