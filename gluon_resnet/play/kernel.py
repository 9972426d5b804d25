"""What a chapter's kernel is given before its first cell, by runner.py.

``prepare`` makes imports of d2l, d2lzh and gluonbook find the drop-ins, and mends what time broke. Each mend is written
to a file, one JSON object a line, from which the player takes it after each cell.
"""

import builtins
import io
import json
import re
import sys
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence

import gluon_resnet as gr

import mxnet as mx
import numpy
import requests
from mxnet import gluon
from mxnet.gluon.model_zoo import model_store, vision

from ..editions import datasets, images, limits, loaders, notes
from ..machine.downloads import TIMEOUT
from . import imports, installs, rewrite

_LINES = re.compile(r"^\s*%(?:load_ext\s+d2lbook|mxnet|tensorflow_version)")


class Tab:
    """What d2lbook gives the sources of d2l 1.0: ``tab.selected('mxnet')``."""

    @staticmethod
    def selected(*names: str) -> bool:
        """Whether the MXNet tab is among ``names``."""
        return "mxnet" in ",".join(names)

    @staticmethod
    def interact_select(*names: Any) -> None:
        """Nothing to select: only MXNet's cells are played."""


def _without_magics(lines: List[str]) -> List[str]:
    """Without d2lbook's own magics, which nothing else knows."""
    return ["\n" if _LINES.match(line) or re.match(r"^%%tab\s", line) else line for line in lines]


def _gpu(named: Sequence[int]) -> Callable[..., Any]:
    """mxnet.gpu() for a machine without a GPU.

    The CPU, numbered as the GPU that is asked for, so that networks on two GPUs run on cpu(0) and cpu(1). Of the others
    the GPU itself, which fails when it is used, as a loop that counts GPUs by trying them expects it.
    """

    def gpu(device_id: int = 0) -> Any:
        if device_id not in named:
            return mx.Context("gpu", device_id)
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if not caller.startswith("mxnet."):  # whose modules have gpu(0) among their defaults
            notes.say("device", f"gpu({device_id}) asked for, no GPU here: cpu({device_id}) used")
        return mx.cpu(device_id)

    return gpu


def _download(
    url: str,
    path: Optional[str] = None,
    overwrite: bool = False,
    sha1_hash: Optional[str] = None,
    retries: int = 5,
    verify_ssl: bool = True,
) -> str:
    """gluon.utils.download: a file that is there, the reader's folder, or the host, asked once."""
    name = url.split("?")[0].split("/")[-1]
    target = Path(path).expanduser() if path else Path(name)
    if target.is_dir() or (path and path.endswith("/")):
        target = target / name
    found = Path(datasets.downloaded(url, str(target.parent), sha1_hash))
    if found.resolve() != target.resolve() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(found.read_bytes())
    return str(target if target.exists() else found)


def _get(original: Callable[..., Any]) -> Callable[..., Any]:
    """requests.get, which answers with a file of the reader's folder if the address names one."""

    def get(url: str, *args: Any, **kwargs: Any) -> Any:
        name = str(url).split("?")[0].split("/")[-1]
        data = datasets.of_download(name) if name else None
        folder = datasets.folder(data) if data else None
        if data is None or folder is None or not (folder / name).is_file():
            return original(url, *args, **{"timeout": TIMEOUT, **kwargs})
        notes.say("data", f"{name}: from {data.variable}, {folder}")
        response = requests.Response()
        response.status_code, response.url, response.raw = 200, str(url), (folder / name).open("rb")
        return response

    return get


def _open(original: Callable[..., Any]) -> Callable[..., Any]:
    """open(), which looks in the reader's folder for a data set's file that a chapter expects next to itself."""

    def open_file(file: Any, *args: Any, **options: Any) -> Any:
        try:
            return original(file, *args, **options)
        except FileNotFoundError:
            name = Path(str(file)).name
            data = next((data for data in datasets.DATA_SETS if name in data.downloads), None)
            if data is None:
                raise
            folder = datasets.folder(data)
            if folder is None:
                raise datasets.needed(data, f"no {file}") from None
            return original(datasets.provided(data, folder, name), *args, **options)

    return open_file


def _model_file(original: Callable[..., str]) -> Callable[..., str]:
    """mxnet's get_model_file; where the zoo's host is gone, a file with random values."""

    def get_model_file(name: str, root: str = "~/.mxnet/models") -> str:
        data = datasets.DataSet("MODELS", (), (f"{name}-*.params",))
        folder = datasets.folder(data)
        if folder is not None:
            path = sorted(folder.glob(f"{name}-*.params"))[0]
            notes.say("data", f"{name}'s trained weights: {path}")
            return str(path)
        try:
            return original(name, root)
        except Exception as error:  # whatever stopped it: the weights cannot be had
            notes.say(
                "data",
                f"{name}'s trained weights cannot be fetched ({type(error).__name__}): random values used, which gives "
                f"lower accuracies; name a folder with {name}-*.params in {data.variable}",
            )
            return _random_model(name)

    return get_model_file


def _random_model(name: str) -> str:
    """Path of a .params file of the zoo's network ``name`` with Xavier's values."""
    net = vision.get_model(name)
    net.initialize(mx.init.Xavier())
    side = 299 if "inception" in name else 224
    net((mx.np if mx.util.is_np_array() else mx.nd).zeros((1, 3, side, side)))
    path = datasets.scratch() / f"{name}.params"
    net.save_parameters(str(path))
    return str(path)


def _comparison(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A comparison of mxnet.np arrays that also takes two dtypes, as the first releases of mxnet.np did."""

    def compare(self: Any, other: Any) -> Any:
        if isinstance(other, mx.np.ndarray) and self.dtype != other.dtype:
            both = numpy.result_type(self.dtype, other.dtype)
            names = [numpy.dtype(array.dtype).name for array in (self, other)]
            notes.say("dtype", f"arrays of {names[0]} and {names[1]} compared, as {both.name}")
            self, other = self.astype(both), other.astype(both)
        return original(self, other)

    return compare


def _mend_mxnet(named_gpus: Sequence[int]) -> None:
    """Give mxnet's functions that lead nowhere today another way."""
    images.install()
    if not gr.num_gpus():
        mx.gpu = mx.context.gpu = mx.npx.gpu = mx.util.gpu = _gpu(named_gpus)
    for name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        setattr(mx.np.ndarray, name, _comparison(getattr(mx.np.ndarray, name)))
    requests.get = _get(requests.get)
    vars(builtins)["open"] = io.open = _open(open)
    gluon.utils.download = _download
    model_store.download = _download
    model_store.get_model_file = _model_file(model_store.get_model_file)


def _writer(path: str) -> Callable[[str, str], None]:
    def write(kind: str, text: str) -> None:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"kind": kind, "text": text}) + "\n")

    return write


def _passes_writer(path: Path) -> Callable[[List[Any]], None]:
    def write(passes: List[Any]) -> None:
        path.write_text(json.dumps(passes), encoding="utf-8")

    return write


def prepare(shell: Any, options: str) -> None:
    """Prepare the kernel of ``shell``; ``options`` is JSON, made by runner.py."""
    chosen = json.loads(options)
    sys.argv[:] = [chosen["path"]]  # a script's parser of arguments must not see the kernel's
    gr.seed_everything(chosen["seed"])
    if chosen["strict"]:
        return
    limits.current.__dict__.update(chosen["limits"])
    if chosen["passes"]:
        limits.measure = _passes_writer(Path(chosen["passes"]))
    notes.listeners[:] = [_writer(chosen["mends"])]
    _mend_mxnet(chosen["gpus"])
    if chosen["devices"] > 1 and not gr.num_gpus():
        loaders.stand_ins = chosen["devices"]
        notes.say("device", f"{chosen['devices']} GPUs asked for, none here: as many times the CPU, cpu(0), cpu(1)")
    imports.install(chosen["classic"], chosen["stand_ins"])
    vars(builtins)["tab"] = Tab
    shell.input_transformers_cleanup[:0] = [installs.without_installs, _without_magics]
    installs.forbid()
    rewrite.install(shell)
