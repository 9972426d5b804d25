"""What the kernel changes in a cell's syntax tree before it runs; the file and the shown source stay as they are.

Each of these is listed as a mend when it changes anything. With fewer epochs, numbers called num_epochs and loops over
epochs are cut, with smaller batches also numbers called batch_size, and an assertion of a loss or accuracy that fails
is only noted. ``i % (num_batches // 5)`` is kept from dividing by zero. ``from d2l import name`` first asks the drop-in
for the name, whose error says which edition had it.
"""

import ast
import builtins
import itertools
from typing import Any, Iterable, Iterator, List, Sized

from ..editions import limits, notes
from .imports import names_are_there

EPOCHS = ("num_epochs", "n_epochs", "epochs", "max_epochs")
BATCH_SIZES = ("batch_size",)
LIBRARIES = ("d2l", "d2lzh", "gluonbook", "utils")
CUT, BATCH, LOOP, STEP, HOLDS, THERE, SHUFFLED = (
    f"_gluon_resnet_{name}" for name in ("epochs", "batch", "loop", "step", "holds", "there", "shuffled")
)


def _call(name: str, node: ast.expr) -> ast.expr:
    return ast.fix_missing_locations(ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [node], []), node))


def _cut_if_limited(name: str, value: ast.expr) -> ast.expr:
    """``value``, or a call of the function that cuts it if ``name`` is that of a number which may be limited."""
    return _call(CUT, value) if name in EPOCHS else _call(BATCH, value) if name in BATCH_SIZES else value


def _shuffles(value: ast.expr) -> bool:
    """Whether ``value`` is a call such as np.random.shuffle(X)."""
    named = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "shuffle"
    return named and len(value.args) == 1 and isinstance(value.args[0], ast.Name)  # type: ignore[attr-defined]


class Rewriter(ast.NodeTransformer):
    """Wraps the expressions in question in calls of the functions below."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """from d2l import train_ch3: a name that is not there has the drop-in's error."""
        if node.level or not node.module or node.module.split(".")[0] not in LIBRARIES:
            return node
        arguments: List[ast.expr] = [ast.Constant(node.module), ast.Constant(tuple(alias.name for alias in node.names))]
        check = ast.Expr(ast.Call(ast.Name(THERE, ast.Load()), arguments, []))
        return [ast.fix_missing_locations(ast.copy_location(check, node)), node]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """def train(X, lr, max_epochs), which may be called with a number without a name."""
        self.generic_visit(node)
        first = 1 if ast.get_docstring(node) is not None else 0
        for argument in (*node.args.args, *node.args.kwonlyargs):
            if argument.arg in EPOCHS:
                cut = _call(CUT, ast.Name(argument.arg, ast.Load()))
                node.body.insert(first, ast.Assign([ast.Name(argument.arg, ast.Store())], cut))
                ast.fix_missing_locations(ast.copy_location(node.body[first], argument))
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """num_epochs = 10, and lr, num_epochs = 0.1, 10; also X = np.random.shuffle(X)."""
        self.generic_visit(node)
        if _shuffles(node.value):
            call = ast.Call(ast.Name(SHUFFLED, ast.Load()), [node.value, node.value.args[0]], [])  # type: ignore[attr-defined]
            node.value = ast.fix_missing_locations(ast.copy_location(call, node.value))
        for target in node.targets:
            if isinstance(target, ast.Name):
                node.value = _cut_if_limited(target.id, node.value)
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for index, (name, value) in enumerate(zip(target.elts, node.value.elts)):
                    if isinstance(name, ast.Name):
                        node.value.elts[index] = _cut_if_limited(name.id, value)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        """train(..., num_epochs=10)."""
        self.generic_visit(node)
        node.value = _cut_if_limited(node.arg or "", node.value)
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        """for epoch in range(10)."""
        self.generic_visit(node)
        if isinstance(node.target, ast.Name) and node.target.id in ("epoch", "_epoch"):
            node.iter = _call(LOOP, node.iter)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """(i + 1) % (num_batches // 5)."""
        self.generic_visit(node)
        if (
            isinstance(node.op, ast.Mod)
            and isinstance(node.right, ast.BinOp)
            and isinstance(node.right.op, ast.FloorDiv)
        ):
            node.right = _call(STEP, node.right)
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """assert train_loss < 0.5."""
        self.generic_visit(node)
        names = [name.id for name in ast.walk(node.test) if isinstance(name, ast.Name)]
        results = [name for name in names if "loss" in name or "acc" in name]
        if results:
            node.test = ast.copy_location(
                ast.Call(ast.Name(HOLDS, ast.Load()), [node.test, ast.Constant(results[0])], []), node.test
            )
            ast.fix_missing_locations(node)
        return node


def _cut(asked: Any) -> Any:
    return limits.epochs(asked)


def _batch(asked: Any) -> Any:
    return limits.batch_size(asked)


def _loop(epochs: Iterable[Any]) -> Iterator[Any]:
    if not isinstance(epochs, Sized):
        return iter(epochs)
    return itertools.islice(iter(epochs), limits.epochs(len(epochs)))


def _step(every: Any) -> Any:
    if isinstance(every, int) and every == 0:
        notes.say("data", "with fewer than 5 batches, num_batches // 5 is 0: 1 used")
        return 1
    return every


def _holds(condition: Any, name: str) -> bool:
    if not condition and limits.current != limits.Limits():
        notes.say("shortened", f"an assertion of {name} does not hold after so little training, and is let pass")
        return True
    return bool(condition)


def _shuffled(result: Any, array: Any) -> Any:
    if result is None:
        notes.say("restored", "np.random.shuffle(X) gives X, as the edition expects; today it gives None")
        return array
    return result


def install(shell: Any) -> None:
    """Have an IPython shell rewrite every cell."""
    shell.ast_transformers.append(Rewriter())
    functions = {
        SHUFFLED: _shuffled,
        CUT: _cut,
        BATCH: _batch,
        LOOP: _loop,
        STEP: _step,
        HOLDS: _holds,
        THERE: names_are_there,
    }
    for name, function in functions.items():
        setattr(builtins, name, function)  # a cell's functions may be called from anywhere
