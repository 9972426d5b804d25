"""A run's config: the defaults, then a TOML or YAML file, then single settings of the command line.

    gluon-resnet train fashion-mnist --config run.toml --set momentum=0.9 --set step_epochs=[5,8]

dacite checks the values against the fields of the dataclass: an unknown name is reported with the nearest known one, a
value of the wrong type with the expected type. A file is flat: one line for each field.
"""

import os
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

from ..errors import ConfigError, RunError, did_you_mean
from ..training.recipe import Recipe

if TYPE_CHECKING:
    from .folder import RunFolder


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[Dict[str, Any]]


Config = TypeVar("Config", bound=_Dataclass)


def read_file(path: Union[str, Path]) -> Dict[str, Any]:
    """{field: value} of a .toml, .yaml or .yml file; ConfigError if it cannot be read."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            content = tomli.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            content = yaml.safe_load(text)
        else:
            raise ConfigError(f"{path}: expected a config as .toml, .yaml or .yml")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomli.TOMLDecodeError, yaml.YAMLError) as error:
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
        raise ConfigError(f"--set {text}: expected field=value, such as momentum=0.9")
    try:
        return name.strip(), tomli.loads(f"value = {value}")["value"]
    except tomli.TOMLDecodeError:
        return name.strip(), None if value.strip().lower() == "none" else value.strip()


def _number(value: Any) -> float:
    """A float from an int, or from a word such as 1e-3, which YAML does not read as a number."""
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def make(kind: Type[Config], values: Mapping[str, Any], where: str = "config") -> Config:
    """An object of the dataclass ``kind`` from {field: value}.

    Raises ConfigError for an unknown field or a value of the wrong type; its message begins with ``where``.
    """
    known = {field.name: field for field in fields(kind)}
    for name in values:
        if name not in known:
            raise ConfigError(
                f"{where}: unknown setting '{name}': {did_you_mean(name, known, cutoff=0.6)}"
                f"known are {', '.join(known)}"
            )
    hooks: Dict[Any, Callable[[Any], Any]] = {
        float: _number,
        Tuple[float, ...]: lambda numbers: tuple(map(_number, numbers)),
    }
    config = dacite.Config(strict=True, cast=[tuple], type_hooks=hooks)
    try:
        return dacite.from_dict(kind, values, config)
    except dacite.WrongTypeError as error:
        raise ConfigError(
            f"{where}: {error.field_path} is {error.value!r}: expected {_type_name(error.field_type)}"
        ) from None
    except (ValueError, TypeError):
        wrong = next(name for name, value in values.items() if not _takes(known[name], value, config, kind))
        raise ConfigError(f"{where}: {wrong} is {values[wrong]!r}: expected {_type_name(known[wrong].type)}") from None


def _takes(field: Any, value: Any, config: dacite.Config, kind: Type[Any]) -> bool:
    try:
        dacite.from_dict(kind, {field.name: value}, config)
    except (ValueError, TypeError, dacite.DaciteError):
        return False
    return True


def _type_name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
    return names.get(kind, str(kind).replace("typing.", ""))


def load(
    kind: Type[Config],
    given: Mapping[str, Any],
    path: Union[str, Path, None] = None,
    settings: Iterable[str] = (),
) -> Config:
    """The config from a file, from options and from single settings; later ones win.

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
    return make(kind, {**values, **given, **single})


def differences(config: Any) -> List[str]:
    """["field=value"] of the fields that differ from their defaults, in the form of ``--set``."""
    changed = []
    for field in fields(config):
        factory: Any = field.default_factory
        default = factory() if field.default is MISSING else field.default
        value = getattr(config, field.name)
        if value != default:
            text = str(list(value) if isinstance(value, tuple) else value)
            text = text.lower() if isinstance(value, bool) else text
            changed.append(f"{field.name}={text}")
    return changed


@dataclass(frozen=True)
class RunConfig(Recipe):
    """The settings that every run has in addition to its recipe."""

    precision: str = "float32"
    weights: Optional[str] = None  # trained weights to start from: a file, or a name such as imagenet:a1
    new_head: bool = False  # take all of the file's weights but the classifier's
    keep_best: bool = False  # write the parameters of the best epoch to best.params
    checkpoint_seconds: int = 300  # between checkpoints within an epoch
    tensorboard: bool = False  # write TensorBoard events into the run folder


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
    ``kind``'s. Raises RunError if there is no config, ConfigError if it is not of ``kind``.
    """
    where = folder.path / "config.json"
    try:
        return make(kind, {**asdict(Recipe()), **folder.config["config"]}, str(where))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{where}: not the config of a run ({type(error).__name__}: {error})") from None
