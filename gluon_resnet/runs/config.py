"""A run's config: the defaults, then a TOML or YAML file, then single settings of the command line.

    gluon-resnet train fashion-mnist --config run.toml --set momentum=0.9 --set step_epochs=[5,8]

dacite checks the values against the fields of the dataclass: an unknown name is reported with the nearest known one, a
value of the wrong type with the expected type. A file is flat: one line for each field.
"""

import os
import re
import reprlib
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Protocol,
    Tuple,
    Type,
    TypeVar,
    Union,
)

import dacite
import tomli
import yaml

from ..errors import ConfigError, RunError, did_you_mean, whole
from ..training.recipe import Recipe

if TYPE_CHECKING:
    from .folder import RunFolder


MAX_DEPTH = 20  # of lists in lists; a setting needs one
MAX_DIGITS = 4300  # Python 3.11 reads no whole number of more digits
TOO_DEEP = f"lists nested more than {MAX_DEPTH} deep"
YAML_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "timestamp": "a date"}
DIGITS = re.compile(r"[0-9_]{1000,}")


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[Dict[str, Any]]


Config = TypeVar("Config", bound=_Dataclass)


class _Loader(yaml.SafeLoader):
    """yaml's safe loader whose every refusal has a place; lists in lists end where no setting can have them."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node; nested deeper than MAX_DEPTH it is refused before Python's stack is full."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=TOO_DEEP, problem_mark=self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """The dict of a node; a name that is there twice is refused, as in TOML: PyYAML takes the last."""
        keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        for i, key in enumerate(keys):
            if key.value in [before.value for before in keys[:i]]:
                raise yaml.MarkedYAMLError(problem=f"{short(key.value)} is set twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """The value of a node; what its conversion cannot take, such as the 45th of a month, is refused with its place.

        PyYAML lets the errors of int(), float() and datetime through.
        """
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
            # what the others say is about code: int()'s literals, or PyYAML's own
            telling = isinstance(error, ValueError) and re.match("(Exceeds .*?|[a-z]+ must be in .*?)(:|$)", str(error))
            reason = f" ({telling[1]})" if telling else ""
            kind = node.tag.rpartition(":")[2]
            problem = f"{short(node.value)} is not {YAML_KINDS.get(kind, kind)}{reason}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None


def short(value: Any) -> str:
    """repr() of a value, cut off in the middle if it is long."""
    shortened = reprlib.Repr()
    shortened.maxstring = shortened.maxlong = shortened.maxother = 60
    shortened.maxlist = shortened.maxtuple = shortened.maxdict = 12
    try:
        return shortened.repr(value)
    except ValueError:  # a number of more digits than Python prints
        return f"a number of {value.bit_length() * 3 // 10:,} digits or so"


def _where_toml_fails(text: str) -> str:
    """``line 3: ...`` for a TOML text that makes tomli fail with an error of Python's."""
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        digits = max((len(found.replace("_", "")) for found in DIGITS.findall(line)), default=0)
        if digits > MAX_DIGITS:
            return f"line {number}: a number of {digits:,} digits"
        for character in line:
            depth += (character in "[{") - (character in "]}")
            if depth > MAX_DEPTH:
                return f"line {number}: {TOO_DEEP}"
    return f"line 1 or later: {TOO_DEEP}"


def _parse(text: str, suffix: str) -> Any:
    """The content of a TOML or YAML text; ValueError with one line that says where it fails."""
    if suffix != ".toml":
        try:
            return yaml.load(text, _Loader)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise ValueError(f"line {line}: a character {chr(error.character)!r}, which YAML does not allow") from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = " ".join(filter(None, (error.context, error.problem)))
            raise ValueError(f"line {mark.line + 1}: {said}" if mark else said) from None
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from None
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError:
        raise
    except (ValueError, RecursionError):
        raise ValueError(_where_toml_fails(text)) from None


def read_file(path: Union[str, Path]) -> Dict[str, Any]:
    """{field: value} of a .toml, .yaml or .yml file; ConfigError if it cannot be read."""
    path = Path(path)
    if path.suffix not in (".toml", ".yaml", ".yml"):
        raise ConfigError(f"{path}: expected a config as .toml, .yaml or .yml")
    try:
        content = _parse(path.read_text(encoding="utf-8-sig"), path.suffix)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(
            f"{path}: {' '.join(str(error).split())}: expected lines such as momentum = 0.9 (TOML) or "
            f"momentum: 0.9 (YAML)"
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected one line a setting, found {type(content).__name__}")
    return content


def parse_setting(text: str) -> Tuple[str, Any]:
    """(field, value) of "field=value": a TOML value, ``none``, or a word. ConfigError if there is no field or "="."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set {_cut(text)}: expected field=value, such as momentum=0.9")
    name, value = name.strip(), value.strip()
    try:
        values = tomli.loads(f"value = {value}")
    except tomli.TOMLDecodeError:
        return name, None if value.lower() == "none" else value
    except (ValueError, RecursionError):
        trouble = _where_toml_fails(value).partition(": ")[2]
        raise ConfigError(f"--set {_cut(name)}={_cut(value)}: {trouble}: expected a value such as 0.9") from None
    return name, values["value"] if len(values) == 1 else value  # more than one line is no value


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:28]}...{text[-28:]}"


def _number(value: Any) -> float:
    """A float from an int, or from a word such as 1e-3, which YAML does not read as a number."""
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _whole(value: Any) -> Any:
    """``value`` itself, unless it is a whole number that no machine counts to."""
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError
    return value


def make(kind: Type[Config], values: Mapping[str, Any], where: str = "config") -> Config:
    """An object of the dataclass ``kind`` from {field: value}.

    Raises ConfigError for an unknown field or a value of the wrong type; its message begins with ``where``.
    """
    known = {field.name: field for field in fields(kind)}
    for name in values:
        if name not in known:
            raise ConfigError(
                f"{where}: unknown setting '{_cut(str(name))}': {did_you_mean(name, known, cutoff=0.6)}"
                f"known are {', '.join(known)}"
            )
    hooks: Dict[Any, Callable[[Any], Any]] = {
        float: _number,
        int: _whole,
        Tuple[float, ...]: lambda numbers: tuple(map(_number, numbers)),
    }
    config = dacite.Config(strict=True, cast=[tuple], type_hooks=hooks)
    try:
        return dacite.from_dict(kind, values, config)
    except dacite.WrongTypeError as error:
        raise ConfigError(
            f"{where}: {error.field_path} is {short(values[str(error.field_path)])}: expected "
            f"{_type_name(known[str(error.field_path)].type)}"
        ) from None
    except (ValueError, TypeError, OverflowError):
        wrong = next(name for name, value in values.items() if not _takes(known[name], value, config, kind))
        raise ConfigError(
            f"{where}: {wrong} is {short(values[wrong])}: expected {_type_name(known[wrong].type)}"
        ) from None


def _takes(field: Any, value: Any, config: dacite.Config, kind: Type[Any]) -> bool:
    try:
        dacite.from_dict(kind, {field.name: value}, config)
    except (ValueError, TypeError, OverflowError, dacite.DaciteError):
        return False
    return True


def _type_name(kind: Any) -> str:
    optional = [one for one in getattr(kind, "__args__", ()) if one is not type(None)]
    if getattr(kind, "__origin__", None) is Union and len(optional) == 1:
        return f"{_type_name(optional[0])} or none"
    names: Dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
    names.update({Tuple[float, ...]: "numbers such as [5,8]", Tuple[float, float]: "two numbers such as [0.5,1]"})
    return names.get(kind, str(kind).replace("typing.", ""))


def load(
    kind: Type[Config],
    given: Mapping[str, Any],
    path: Union[str, Path, None] = None,
    settings: Iterable[str] = (),
) -> Config:
    """The config of the values that :func:`merged` finds, with the same arguments and errors."""
    return make(kind, merged(kind, given, path, settings))


def merged(
    kind: Type[Config],
    given: Mapping[str, Any],
    path: Union[str, Path, None] = None,
    settings: Iterable[str] = (),
) -> Dict[str, Any]:
    """{field: value} from a file, from options and from single settings; later ones win.

    Args:
        kind: the config's class.
        given: {field: value} of options of the command line.
        path: a file for :func:`read_file`.
        settings: "field=value" texts.

    Raises:
        ConfigError: an unknown field, or a value of the wrong type; the message begins with the place.
    """
    values: Dict[str, Any] = {}
    if path is not None:
        values = read_file(path)
        make(kind, values, str(path))
    single = dict(parse_setting(text) for text in settings)
    make(kind, single, "--set")
    return {**values, **given, **single}


def as_setting(value: Any) -> str:
    """A field's value in the form of ``--set``."""
    text = str(list(value) if isinstance(value, tuple) else value)
    return text.lower() if value is None or isinstance(value, bool) else text


def differences(config: Any) -> List[str]:
    """["field=value"] of the fields that differ from their defaults, in the form of ``--set``."""
    changed = {}
    for field in fields(config):
        factory: Any = field.default_factory
        default = factory() if field.default is MISSING else field.default
        value = getattr(config, field.name)
        if value != default:
            changed[field.name] = value
    return as_settings(changed)


def as_settings(values: Mapping[str, Any]) -> List[str]:
    """["field=value"] in the form of ``--set``."""
    return [f"{name}={as_setting(value)}" for name, value in values.items()]


@dataclass(frozen=True)
class RunConfig(Recipe):
    """The settings that every run has in addition to its recipe."""

    #: field -> what runs did that are older than the field, if it is not the default
    BEFORE: ClassVar[Mapping[str, Any]] = {}

    precision: str = "float32"  # of the values between blocks: float32, bfloat16 (CPUs), float16 (GPUs)
    weights: Optional[str] = None  # trained weights to start from: a file, or a name such as imagenet:a1
    new_head: bool = False  # take all of the file's weights but the classifier's
    keep_best: bool = False  # write the parameters of the best epoch, by patience_metric, to best.params
    checkpoint_seconds: int = 300  # between checkpoints within an epoch
    keep: int = 3  # checkpoints that are kept while the run goes on
    tensorboard: bool = False  # write TensorBoard events into the run folder

    @property
    def tested(self) -> str:
        """What the part is called on which the run is tested after each epoch: "test", or another."""
        return "test"

    def check(self) -> None:
        """Raise ConfigError for a value outside its range."""
        super().check()
        whole("keep", self.keep)
        if self.weights and self.begins:
            raise ConfigError(f"weights and {self.begins}: expected one of them, both are what training begins with")


def resolved(config: Config, written: Mapping[str, Any]) -> Config:
    """The config of a run with its paths as they were meant: relative to the folder where the run was started.

    Args:
        config: the run's config.
        written: the content of its config.json; older runs do not say where they were started.
    """
    start = written.get("started_in")
    paths: Dict[str, str] = {}
    for name in ("data", "weights"):
        path = getattr(config, name, None)
        if start and path and not os.path.isabs(path):
            meant = os.path.join(start, path)
            paths[name] = meant if os.path.exists(meant) else path  # the whole tree may have been moved
    return replace(config, **paths)


def written_config(kind: Type[Config], folder: "RunFolder") -> Config:
    """The config of class ``kind`` in a RunFolder's config.json.

    Settings missing from an older run's config.json did not exist when it ran; they take Recipe's defaults, not
    ``kind``'s, or those of its BEFORE. Raises RunError if there is no config, ConfigError if it is not of ``kind``.
    """
    where = folder.path / "config.json"
    try:
        before = getattr(kind, "BEFORE", {})
        return make(kind, {**asdict(Recipe()), **before, **folder.config["config"]}, str(where))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{where}: not the config of a run ({type(error).__name__}: {error})") from None
