"""Small good files of every kind, from which damaged ones are made, and what lies next to them."""

import gzip
import io
import json
import pickle
import tempfile
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple

from gluon_resnet.data.records import write_index
from gluon_resnet.training import checkpoint

import mxnet as mx
import numpy
from PIL import Image
from safetensors.numpy import save

from tests.conftest import ROOT, idx
from tests.fuzz.hostile.records import description, record_file
from tests.weights.torch_files import write_torch

CHAPTER = """X = np.random.uniform(size=(4, 3, 6, 6))
blk = Residual(6, use_1x1conv=True, strides=2)
blk(X).shape
(4, 6, 3, 3)
conv5 output shape:\t(1, 64, 112, 112)
sequential1 output shape: torch.Size([1, 64, 56, 56])
loss 0.010, train acc 0.998, test acc 0.907
4886.6 examples/sec on gpu(0)
"""


class Seeds(NamedTuple):
    """Contents of the file that is damaged, and of others that stay as they are."""

    contents: List[bytes]
    others: Dict[str, bytes] = {}


def _written(write, name):
    """The bytes of what ``write`` puts into a file."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def _pictures():
    pixels = numpy.random.RandomState(0).randint(0, 255, (24, 20, 4), dtype=numpy.uint8)
    kinds = [("PNG", "RGBA", {}), ("PNG", "P", {}), ("JPEG", "RGB", {}), ("JPEG", "CMYK", {"progressive": True})]
    kinds += [("GIF", "P", {}), ("WEBP", "RGB", {}), ("BMP", "RGB", {}), ("PNG", "I;16", {})]
    for form, mode, options in kinds:
        stream = io.BytesIO()
        image = Image.fromarray(pixels[:, :, 0].astype(numpy.uint16)) if mode == "I;16" else Image.fromarray(pixels)
        (image if mode in ("I;16", "RGBA") else image.convert("RGB").convert(mode)).save(stream, form, **options)
        yield stream.getvalue()


def _weights():
    """Of every format: arrays as a network of torchvision's names has them, but small."""
    arrays = {
        f"layer1.0.{part}": numpy.full((2, 3), 0.5, "float32") for part in ("conv1.weight", "bn1.bias", "bn1.weight")
    }
    packed = io.BytesIO()
    numpy.savez(packed, **arrays)
    values = {"state_dict": arrays, "epoch": 3.0}
    keras = sorted((ROOT / "tests" / "fixtures" / "keras").glob("*.gz"))
    torch = [(ROOT / "tests" / "fixtures" / f"torch_{kind}.pth").read_bytes() for kind in ("zip", "legacy")]
    torch += [_written(partial(write_torch, value=values, legacy=legacy), "net.pth") for legacy in (False, True)]
    params = _written(lambda path: mx.nd.save(str(path), {k: mx.nd.array(v) for k, v in arrays.items()}), "net.params")
    return {
        "safetensors": Seeds([save(arrays, {"gluon_resnet": "resnet50"})]),
        "torch": Seeds([*torch, pickle.dumps({"w": [1, 2.0]}, protocol=2)]),
        "keras": Seeds([gzip.decompress(path.read_bytes()) for path in keras]),
        "params": Seeds([params]),
        "npz": Seeds([packed.getvalue()]),
    }


def _records():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record_file(folder, (0, 1, 1, 0))
        write_index(folder / "birds.rec")
        found = {path.name: path.read_bytes() for path in folder.iterdir()}
    words = json.dumps(description()).encode()
    return {
        "records": Seeds([found["birds.rec"]]),
        "index": Seeds([found["birds.idx"]], {"birds.rec": found["birds.rec"]}),
        "description": Seeds([words], {"birds.rec": found["birds.rec"]}),
    }


def _checkpoint():
    stream, note = io.BytesIO(), json.dumps({"version": checkpoint.VERSION, "at": {"epoch": 1, "batch": 0}}).encode()
    numpy.savez(stream, **{"parameter/w": numpy.zeros((2, 2), "f4"), "note": numpy.frombuffer(note, numpy.uint8)})
    return stream.getvalue()


def seeds():
    """{target: its Seeds}."""
    pictures = list(_pictures())
    results = min((ROOT / "experiments" / "results").glob("*.json"), key=lambda path: path.stat().st_size)
    return {
        "idx": Seeds([idx(numpy.arange(24).reshape(2, 3, 4)), idx([1, 2, 3])]),
        "image": Seeds(pictures),
        "scan": Seeds(pictures),
        **_records(),
        "csv": Seeds([b'path,label,split\na.jpg,ash,train\n"b, c.jpg",elm,val\n', "a.png;\u00e9\n".encode()]),
        **_weights(),
        "checkpoint": Seeds([_checkpoint()]),
        "config": Seeds([b"momentum = 0.9\nepochs = 2\nstep_epochs = [5, 8]\n"]),
        "yaml": Seeds([b"momentum: 0.9\nepochs: 2\nstep_epochs: [5, 8]\n"]),
        "settings": Seeds([b"momentum=0.9", b"step_epochs=[5,8]"]),
        "labels": Seeds(["\n".join(f"class {i} \u00e9" for i in range(10)).encode()]),
        "results": Seeds([results.read_bytes()]),
        "transcript": Seeds([CHAPTER.encode(), CHAPTER.encode("utf-16")]),
    }
