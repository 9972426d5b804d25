"""Experiment files: a CONFIG says what is trained, arm by arm, and a CLAIM what the results should be.

    gluon-resnet run experiments/degradation.py

Both are plain dicts in a Python file, which is read as data: nothing in it is run. experiments/README.md describes
their fields.
"""

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from ..errors import ConfigError, ModelError, did_you_mean
from ..files import CHECKOUT
from ..networks.specs import parse_model
from ..runs import kinds
from ..runs.config import make
from ..training.metrics import shown_in

KINDS = (*(kind.name for kind in kinds.KINDS), "cost")

#: names in result.json of the numbers of a training run that a claim can be about
METRICS = tuple(metric.name for metric in shown_in("claim"))
#: the numbers of the kind "cost" (cost.py)
COST_METRICS = ("parameters", "multiply_adds", "train_ms", "predict_ms", "train_peak_bytes", "predict_peak_bytes")


@dataclass(frozen=True)
class Settings:
    """The fields of CONFIG."""

    kind: str = ""
    arms: Dict[str, Dict[str, Any]] = field(default_factory=dict)  # arm -> what differs from ``shared``
    #: what all arms have: fields of the run's config (runs/kinds.py), or of CostConfig for the kind "cost"
    shared: Dict[str, Any] = field(default_factory=dict)
    seeds: int = 3  # seeds 0, 1, 2, unless --seeds says otherwise; for the kind "cost", rounds in which arms take turns
    depth_probe: bool = False  # measure gradients and residuals by depth, before and after training (depth.py)


@dataclass(frozen=True)
class CostConfig:
    """The fields of an arm of the kind "cost", the arguments of cost.measure."""

    model: str = ""
    shape: List[int] = field(default_factory=lambda: [1, 96, 96])
    batch_size: int = 32
    steps: int = 5


@dataclass(frozen=True)
class Check:
    """One number of CLAIM, and the band it should be in."""

    metric: str = ""  # of METRICS or COST_METRICS; its mean over the seeds counts
    arm: str = ""
    minus: Optional[str] = None  # another arm, whose value is subtracted
    over: Optional[str] = None  # another arm, by whose value it is divided
    low: Optional[float] = None
    high: Optional[float] = None
    near: Optional[float] = None  # how far outside the band is still "near"; half the band's width if None


@dataclass(frozen=True)
class Statement:
    """The fields of CLAIM; ``checks`` are dicts with the fields of :class:`Check`."""

    statement: str = ""  # in words
    source: str = ""  # where the expected numbers come from
    checks: List[Dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Experiment:
    """An experiment file that has been checked; ``configs`` is {arm: the config of its runs, or a CostConfig}."""

    name: str
    path: Path
    settings: Settings
    statement: str
    source: str
    checks: Tuple[Check, ...]
    configs: Dict[str, Any]


def experiments_folder() -> Path:
    """The folder of the suite's experiments: ``experiments`` of the checkout, or their copy in an installed wheel."""
    return CHECKOUT / "experiments"


def names() -> List[str]:
    """Names of the experiments in :func:`experiments_folder`."""
    return sorted(path.stem for path in experiments_folder().glob("*.py") if not path.stem.startswith("_"))


def find(name: Union[str, Path]) -> Path:
    """The path of an experiment file; ``name`` is a path, or a name in :func:`experiments_folder`.

    Raises ConfigError, which suggests the nearest name, if there is no such file.
    """
    path = Path(name)
    if path.suffix == ".py" or len(path.parts) > 1:
        if not path.is_file():
            raise ConfigError(f"{path}: no such file: expected an experiment; known by name are {', '.join(names())}")
        return path
    if name not in names():
        raise ConfigError(
            f"unknown experiment '{name}': {did_you_mean(name, names())}"
            f"known in {experiments_folder()} are {', '.join(names()) or 'none'}"
        )
    return experiments_folder() / f"{name}.py"


def _literals(path: Path) -> Dict[str, Dict[str, Any]]:
    """{"CONFIG": dict, "CLAIM": dict} of the file at ``path``, which has both as plain values."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except SyntaxError as error:
        raise ConfigError(
            f"{path}: line {error.lineno}: {error.msg}: expected Python with a CONFIG and a CLAIM"
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte, no UTF-8, brackets without end
        raise ConfigError(f"{path}: not a Python file ({error})") from None
    values: Dict[str, Dict[str, Any]] = {}
    for statement in tree.body:
        if not isinstance(statement, ast.Assign):
            continue
        for name in (target.id for target in statement.targets if isinstance(target, ast.Name)):
            if name in ("CONFIG", "CLAIM"):
                values[name] = _literal(path, name, statement.value)
    for name in ("CONFIG", "CLAIM"):
        if name not in values:
            raise ConfigError(f"{path}: no {name}: expected {name} = {{...}} at the top level of the file")
    return values


def _literal(path: Path, name: str, node: ast.expr) -> Dict[str, Any]:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        raise ConfigError(
            f"{path}: line {node.lineno}: {name} is not written out: expected a dict of plain values "
            f"(numbers, texts, lists, dicts), without calls or names"
        ) from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{path}: line {node.lineno}: {name} is {value!r}: expected a dict with texts as keys")
    return value


def _arm_configs(settings: Settings, where: str) -> Dict[str, Any]:
    """{arm: config}; arms of the kind "cost" may differ in their models only, which are the arms' names by default."""
    kind: Any = CostConfig if settings.kind == "cost" else kinds.kind_named(settings.kind).config
    configs = {}
    for arm, differs in settings.arms.items():
        values = {**({"model": arm} if settings.kind == "cost" else {}), **settings.shared, **differs}
        if "seed" in values:
            raise ConfigError(f"{where}: arm {arm}: seed is set: expected none, as seeds and --seeds set it")
        other = {"hold_out", "hold_out_seed"} & set(differs)
        if other:
            raise ConfigError(
                f"{where}: arm {arm}: {min(other)} is set: expected it in shared, as arms tested on different pictures "
                f"cannot be compared"
            )
        if settings.kind == "cost" and set(differs) - {"model"}:
            raise ConfigError(
                f"{where}: arm {arm}: {', '.join(differs)}: expected only a model: all networks "
                f"are measured with the same settings"
            )
        configs[arm] = make(kind, values, f"{where}: arm {arm}")
        try:
            getattr(configs[arm], "check", lambda: None)()
            parse_model(configs[arm].model)
        except (ConfigError, ModelError) as error:
            raise ConfigError(f"{where}: arm {arm}: {error}") from None
    return configs


def _check_settings(settings: Settings, where: str) -> None:
    if settings.kind not in KINDS:
        raise ConfigError(f"{where}: kind is {settings.kind!r}: expected one of {', '.join(KINDS)}")
    if not settings.arms:
        raise ConfigError(f"{where}: no arms: expected at least one, such as {{'resnet18': {{}}}}")
    for arm in settings.arms:
        if not arm or arm.strip(".") == "" or set(arm) & set("/\\\0\n") or not arm.isprintable():
            raise ConfigError(f"{where}: arm {arm!r}: expected a name that a folder can have")
    if settings.depth_probe and settings.kind != "fashion-mnist":
        raise ConfigError(f"{where}: depth_probe with the kind {settings.kind}: expected fashion-mnist")
    if isinstance(settings.seeds, bool) or settings.seeds < 1:
        raise ConfigError(f"{where}: seeds is {settings.seeds!r}: expected a number of seeds of at least 1")


def _check_check(check: Check, settings: Settings, where: str) -> None:
    for arm in (check.arm, check.minus, check.over):
        if arm is not None and arm not in settings.arms:
            raise ConfigError(f"{where}: no arm '{arm}': CONFIG has {', '.join(settings.arms)}")
    known = COST_METRICS if settings.kind == "cost" else METRICS
    if check.metric not in known:
        raise ConfigError(f"{where}: metric is {check.metric!r}: expected one of {', '.join(known)}")
    if check.minus and check.over:
        raise ConfigError(f"{where}: minus and over: expected at most one of them")
    if check.low is None and check.high is None:
        raise ConfigError(f"{where}: no low and no high: expected a band, open to one side at most")
    if check.low is not None and check.high is not None and check.low > check.high:
        raise ConfigError(f"{where}: low is {check.low:g}, high {check.high:g}: expected low <= high")
    if check.near is not None and check.near < 0:
        raise ConfigError(f"{where}: near is {check.near:g}: expected at least 0")


def load(name: Union[str, Path]) -> Experiment:
    """The :class:`Experiment` of a path, or of a name in :func:`experiments_folder`.

    Raises ConfigError, which names the file and what is wrong in it.
    """
    path = find(name)
    content = _literals(path)
    settings = make(Settings, content["CONFIG"], f"{path}: CONFIG")
    _check_settings(settings, f"{path}: CONFIG")
    claim = make(Statement, content["CLAIM"], f"{path}: CLAIM")
    for field_name in ("statement", "source"):
        if not getattr(claim, field_name):
            raise ConfigError(f"{path}: CLAIM: no {field_name}: expected a sentence")
    if not claim.checks:
        raise ConfigError(f"{path}: CLAIM: no checks: expected at least one, with metric, arm and a band")
    checks = tuple(make(Check, fields, f"{path}: CLAIM: check {i}") for i, fields in enumerate(claim.checks, start=1))
    for i, check in enumerate(checks, start=1):
        _check_check(check, settings, f"{path}: CLAIM: check {i}")
    return Experiment(
        path.stem, path, settings, claim.statement, claim.source, checks, _arm_configs(settings, f"{path}: CONFIG")
    )
