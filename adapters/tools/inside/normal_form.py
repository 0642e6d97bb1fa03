"""Inside the sandbox: one form for syntax trees that do the same; each rewrite says why (Python 3)."""

from __future__ import annotations

import ast
import keyword
import string
from dataclasses import dataclass

from adapters.tools.inside.imported_names import NAMESPACE_READERS, PLAIN

OS_ERROR = frozenset({"IOError", "EnvironmentError"})
NATIVE = {"str": str, "bytes": bytes, "int": int, "float": float, "bool": bool}
LOCALS_READERS = frozenset({
    "breakpoint", "set_trace", "post_mortem", "interact", "embed", "_getframe", "currentframe", "stack", "trace",
    "getinnerframes", "f_locals", "tb_frame", "TracebackException", "excepthook",
})  # fmt: skip
"""What shows or reads the variables of a function while it runs: debuggers, frames, tracebacks with locals."""
CONVERSIONS = {"str": 115, "repr": 114, "ascii": 97}


@dataclass(frozen=True)
class Facts:
    """What must be known of both files before a name may be read as the builtin it looks like."""

    bound: frozenset[str]
    """Every name that either file binds anywhere; ``*`` for a star import."""
    shadowed: frozenset[str]
    """Modules of the standard library that the repository has one of its own for."""
    frames: bool = False
    """Somebody looks at the local variables of whoever calls it."""

    def builtin(self, name: str) -> bool:
        """Whether the name can only be the builtin."""
        return name not in self.bound and "*" not in self.bound


def bound_names(tree: ast.Module) -> frozenset[str]:
    """Every name bound anywhere in a file, ``*`` included; whatever may bind any counts as a star."""
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
            elif node.id in {"exec", "globals", "locals", "vars"}:
                names.add("*")
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)):
            names.add(node.name or "")
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            names.update(node.names)
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)):
            names.add(node.name or "")
        elif isinstance(node, ast.MatchMapping):
            names.add(node.rest or "")
        elif type(node).__name__ in {"TypeVar", "ParamSpec", "TypeVarTuple"}:  # type parameters, from Python 3.12
            names.add(str(getattr(node, "name", "")))
    return frozenset(names)


def normal_form(tree: ast.Module, facts: Facts) -> None:
    """Rewrite the tree in place."""
    texts = {
        alias.asname or alias.name
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom) and statement.module == "typing" and not statement.level
        for alias in statement.names
        if alias.name == "Text"
    }
    bindings = [name for node in ast.walk(tree) for name in _binds(node)]
    once = frozenset(name for name in texts if bindings.count(name) == 1 and "typing" not in facts.shadowed)
    _Rewrite(facts, once, _mentions(tree)).visit(tree)


def _binds(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Module):
        return ()
    shallow = ast.Module(body=[], type_ignores=[])
    shallow.body = [node] if isinstance(node, (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)) else []
    if shallow.body:
        return tuple(bound_names(shallow))
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return (node.id,)
    if isinstance(
        node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
    ):
        return (node.name or "",)
    return (node.arg,) if isinstance(node, ast.arg) else ()


def _mentions(tree: ast.Module) -> frozenset[str]:
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found |= attributes & LOCALS_READERS
    found.update(name for node in ast.walk(tree) if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names)
    return frozenset(found)


class _Rewrite(ast.NodeTransformer):
    def __init__(self, facts: Facts, texts: frozenset[str], mentions: frozenset[str]) -> None:
        self.facts, self.texts, self.mentions = facts, texts, mentions

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list) and statements:
                setattr(node, field, self._statements(statements))
        return node

    def _statements(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        split = [single for each in statements for single in _split(each)]
        busy = [each for each in split if not _idle(each)]
        # Taking the first statement away must not make a docstring of the second.
        if busy and _is_text(busy[0]) == _is_text(split[0]):
            split = busy
        elif not busy:
            split = [ast.Pass()]
        return _sorted_runs(split, self.facts)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        # ``object`` alone is the default; with a metaclass its arguments would differ, beside others ``__bases__``.
        alone = len(node.bases) == 1 and not node.keywords
        if (
            alone
            and isinstance(base := node.bases[0], ast.Name)
            and base.id == "object"
            and self.facts.builtin("object")
        ):
            node.bases = []
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        node.kind = None  # the u of u"" is only kept for looks
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        # An f-string that stands alone is no docstring; a plain string would become one.
        if isinstance(node.value, ast.JoinedStr):
            for part in node.value.values:
                self.generic_visit(part)
            return node
        if isinstance(node.value, ast.Call):
            node.value = self.visit_Call(node.value, statement=True)
            return node
        self.generic_visit(node)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.generic_visit(node)
        merged = _merged(node.values)
        if all(isinstance(part, ast.Constant) for part in merged):
            return merged[0] if merged else ast.Constant("")
        node.values = merged
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        self.generic_visit(node)
        value = node.value
        # f"{str(x)}" and f"{x!s}" both format what str() makes of x.
        if node.conversion == -1 and isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            plain = len(value.args) == 1 and not value.keywords and not isinstance(value.args[0], ast.Starred)
            if plain and value.func.id in CONVERSIONS and self.facts.builtin(value.func.id):
                node.conversion, node.value = CONVERSIONS[value.func.id], value.args[0]
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        inner = node.operand
        if isinstance(node.op, ast.Not) and isinstance(inner, ast.Compare) and len(inner.ops) == 1:
            # Both operators give a bool by definition, and the negated ones are its negation.
            turned = {ast.In: ast.NotIn, ast.Is: ast.IsNot}.get(type(inner.ops[0]))
            if turned:
                inner.ops = [turned()]
                return inner
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load):
            if node.id in OS_ERROR and self.facts.builtin(node.id) and self.facts.builtin("OSError"):
                node.id = "OSError"  # the same class under its old name
            elif node.id in self.texts and self.facts.builtin("str"):
                node.id = "str"  # typing.Text is str
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.type, ast.Tuple) and all(isinstance(each, ast.Name) for each in node.type.elts):
            names = {ast.dump(each): each for each in node.type.elts}
            single = len(names) == 1
            node.type.elts = list(names.values())
            node.type = node.type.elts[0] if single else node.type
        # Unused is what nobody can see: no name here, no look at this function's variables.
        seen = self.facts.frames or self.mentions & (NAMESPACE_READERS | LOCALS_READERS)
        if node.name and node.name not in self.mentions and not seen:
            node.name = None
        return node

    def visit_Call(self, node: ast.Call, *, statement: bool = False) -> ast.expr:
        self.generic_visit(node)
        function, plain = node.func, not node.keywords and not any(isinstance(each, ast.Starred) for each in node.args)
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant):
            text = function.value.value
            if isinstance(text, str) and function.attr == "format":
                return _as_f_string(text, node) or node
            if isinstance(text, str) and function.attr == "encode" and plain and not statement:
                return _encoded(text, node) or node
        if statement or not (plain and isinstance(function, ast.Name) and self.facts.builtin(function.id)):
            return node
        if function.id == "getattr" and len(node.args) == 2:  # noqa: PLR2004 — without a default
            return _as_attribute(node) or node
        if function.id in NATIVE:
            return _native(NATIVE[function.id], node) or node
        return node


def _as_f_string(text: str, call: ast.Call) -> ast.expr | None:
    """``"…{}…".format(x)`` as an f-string, if each argument is used, in the order in which both evaluate them.

    The call evaluates all arguments and then formats them; the f-string takes turns. So only the first may be more than
    a name or a constant, and only what is that may be used twice.
    """
    arguments: dict[str, ast.expr] = {str(number): each for number, each in enumerate(call.args)}
    arguments.update({each.arg or "**": each.value for each in call.keywords})
    simple = {key for key, each in arguments.items() if isinstance(each, (ast.Name, ast.Constant))}
    if "**" in arguments or any(isinstance(each, ast.Starred) for each in call.args):
        return None
    if any(key not in simple for key in list(arguments)[1:]):
        return None
    parts, used, automatic = list[ast.expr](), list[str](), 0
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError:
        return None
    for literal, name, spec, conversion in pieces:
        parts += [ast.Constant(literal)] * bool(literal)
        if name is None:
            continue
        if name == "":
            name, automatic = str(automatic), automatic + 1  # noqa: PLW2901 — the number it stands for
        if name not in arguments or "{" in (spec or "") or (name in used and name not in simple):
            return None
        used.append(name)
        shape = ast.JoinedStr([ast.Constant(spec)]) if spec else None
        parts.append(ast.FormattedValue(arguments[name], ord(conversion) if conversion else -1, _shape(shape)))
    mixed = automatic and automatic < sum(name.isdigit() for name in used)
    if mixed or list(dict.fromkeys(used)) != list(arguments):
        return None
    merged = _merged(parts)
    return ast.JoinedStr(merged) if any(isinstance(each, ast.FormattedValue) for each in merged) else None


def _shape(spec: ast.JoinedStr | None) -> ast.expr | None:
    # As visit_JoinedStr leaves a constant one.
    return spec.values[0] if spec else None


def _encoded(text: str, call: ast.Call) -> ast.expr | None:
    names = [each.value for each in call.args if isinstance(each, ast.Constant)]
    utf8 = len(names) == len(call.args) and [str(name).lower().replace("_", "-") for name in names] in (
        [],
        ["utf-8"],
        ["utf8"],
    )
    return ast.Constant(text.encode()) if utf8 else None


def _as_attribute(call: ast.Call) -> ast.expr | None:
    name = call.args[1]
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return None
    plain = name.value.isidentifier() and name.value.isascii() and not keyword.iskeyword(name.value)
    # Two leading underscores would be mangled inside a class.
    return ast.Attribute(call.args[0], name.value, ast.Load()) if plain and not name.value.startswith("__") else None


def _native(kind: type, call: ast.Call) -> ast.expr | None:
    if not call.args:
        return ast.Constant(kind())
    value = call.args[0]
    same = len(call.args) == 1 and isinstance(value, ast.Constant) and type(value.value) is kind
    return value if same else None


def _merged(parts: list[ast.expr]) -> list[ast.expr]:
    merged: list[ast.expr] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(str(last.value) + str(part.value))
        elif not (isinstance(part, ast.Constant) and part.value == ""):
            merged.append(part)
    return merged


def _split(statement: ast.stmt) -> list[ast.stmt]:
    """``import a, b`` imports a, then b."""
    if isinstance(statement, ast.Import):
        return [ast.copy_location(ast.Import([alias]), statement) for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [
            ast.copy_location(ast.ImportFrom(statement.module, [alias], statement.level), statement)
            for alias in statement.names
        ]
    return [statement]


def _idle(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and statement.value.value is Ellipsis
    )


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _sorted_runs(statements: list[ast.stmt], facts: Facts) -> list[ast.stmt]:
    """Imports of plain modules of the standard library may stand in any order among themselves; no other crosses."""
    result: list[ast.stmt] = []
    run: list[ast.stmt] = []
    for statement in [*statements, None]:
        if statement is not None and _plain_import(statement, facts):
            run.append(statement)
            continue
        names = [name for each in run for name in bound_names(ast.Module([each], []))]
        result += sorted(run, key=ast.dump) if len(set(names)) == len(names) else run
        run = []
        result += [statement] if statement is not None else []
    return result


def _plain_import(statement: ast.stmt, facts: Facts) -> bool:
    if isinstance(statement, ast.Import):
        module = statement.names[0].name
    elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.names[0].name != "*":
        module = statement.module or ""
    else:
        return False
    top = module.split(".")[0]
    return top in PLAIN and top not in facts.shadowed
