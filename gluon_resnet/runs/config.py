"""Settings into a config: the defaults, then a TOML or YAML file, then single settings of the command line.

    gluon-resnet train fashion-mnist --config run.toml --set momentum=0.9 --set step_epochs=[5,8]

Checked by dacite against the fields of the dataclass: an unknown name is reported with the nearest known one, a value
of the wrong type with the type. A file is flat: one line a field.
"""

from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Optional, Tuple

import dacite
import tomli
import yaml

from ..errors import ConfigError, RunError, did_you_mean
from ..training.recipe import Recipe


def read_file(path):
    """{field: value} of a .toml, .yaml or .yml file."""
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


def parse_setting(text):
    """(field, value) of "field=value"; the value is read as TOML has it, and as a word where it is none."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set {text}: expected field=value, such as momentum=0.9")
    try:
        return name.strip(), tomli.loads(f"value = {value}")["value"]
    except tomli.TOMLDecodeError:
        return name.strip(), None if value.strip().lower() == "none" else value.strip()


def _number(value):
    """An int, or YAML's 1e-3, which YAML takes for a word, where a float is due."""
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def make(kind, values, where="config"):
    """An object of the dataclass ``kind`` from {field: value}; ConfigError names ``where``, field and expectation."""
    known = {one.name: one for one in fields(kind)}
    for name in values:
        if name not in known:
            raise ConfigError(
                f"{where}: unknown setting '{name}': {did_you_mean(name, known, cutoff=0.6)}"
                f"known are {', '.join(known)}"
            )
    config = dacite.Config(
        strict=True,
        cast=[tuple],
        type_hooks={float: _number, Tuple[float, ...]: lambda many: tuple(map(_number, many))},
    )
    try:
        return dacite.from_dict(kind, values, config)
    except dacite.WrongTypeError as error:
        raise ConfigError(
            f"{where}: {error.field_path} is {error.value!r}: expected {_type_name(error.field_type)}"
        ) from None
    except (ValueError, TypeError):
        wrong = next(name for name, value in values.items() if not _takes(known[name], value, config, kind))
        raise ConfigError(f"{where}: {wrong} is {values[wrong]!r}: expected {_type_name(known[wrong].type)}") from None


def _takes(field, value, config, kind):
    try:
        dacite.from_dict(kind, {field.name: value}, config)
    except (ValueError, TypeError, dacite.DaciteError):
        return False
    return True


def _type_name(kind):
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
    return names.get(kind, str(kind).replace("typing.", ""))


def load(kind, given, path=None, settings=()):
    """The config of class ``kind`` from a file, from options and from single settings.

    Those are the file at ``path``, ``given`` {field: value} and ``settings``, "field=value" texts; later ones win.
    Raises ConfigError for what does not fit, naming the place.
    """
    values = {}
    if path is not None:
        values = read_file(path)
        make(kind, values, str(path))
    settings = dict(parse_setting(text) for text in settings)
    make(kind, settings, "--set")
    return make(kind, {**values, **given, **settings})


def differences(config):
    """["field=value"] of what is not as the class has it by default, as ``--set`` takes it."""
    found = []
    for one in fields(config):
        default = one.default if one.default is not MISSING else one.default_factory()
        value = getattr(config, one.name)
        if value != default:
            text = str(list(value) if isinstance(value, tuple) else value)
            text = text.lower() if isinstance(value, bool) else text
            found.append(f"{one.name}={text}")
    return found


@dataclass(frozen=True)
class RunConfig(Recipe):
    """What every run has in addition to its recipe, whatever it trains on."""

    precision: str = "float32"
    weights: Optional[str] = None  # a file of trained weights to start from
    new_head: bool = False  # but for its classifier
    keep_best: bool = False  # the parameters of the best epoch, as best.params
    checkpoint_seconds: int = 300  # between checkpoints within an epoch
    tensorboard: bool = False  # events for TensorBoard in the run folder, too


def written_config(kind, folder):
    """The config of class ``kind`` in a RunFolder's config.json.

    Settings missing from an older run's config.json did not exist when it ran; they take Recipe's defaults, not
    ``kind``'s. Raises RunError if there is no config, ConfigError if it is not of ``kind``.
    """
    where = folder.path / "config.json"
    try:
        return make(kind, {**asdict(Recipe()), **folder.config["config"]}, str(where))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{where}: not the config of a run ({type(error).__name__}: {error})") from None
