"""PyTorch's checkpoint files written without PyTorch, opcode by opcode: what torch.save puts down for float32 tensors.

And layers at random under PyTorch's names, to be written so.

    write_torch("net.th", {"state_dict": tensors, "best_prec1": 91.7}, legacy=True)
"""

import pickle
import struct
import zipfile

from gluon_resnet.weights.pickles import LEGACY_MAGIC

import numpy


class Layers(dict):
    """{PyTorch's key: array} of convolutions and batch norms with random values, a layer a call."""

    def __init__(self, seed, largest_scale=1.5, batches=7):
        super().__init__()
        self.random, self.largest_scale, self.batches = numpy.random.RandomState(seed), largest_scale, batches

    def conv(self, name, out, into, kernel):
        self[f"{name}.weight"] = self.random.randn(out, into, kernel, kernel) * numpy.sqrt(2 / (into * kernel**2))

    def bn(self, name, channels):
        self[f"{name}.weight"] = self.random.uniform(0.5, self.largest_scale, channels)
        self[f"{name}.bias"] = self.random.randn(channels) * 0.1
        self[f"{name}.running_mean"] = self.random.randn(channels) * 0.1
        self[f"{name}.running_var"] = self.random.uniform(0.5, 1.5, channels)
        self[f"{name}.num_batches_tracked"] = numpy.array(self.batches)


def _number(value):
    return b"J" + struct.pack("<i", value)


def _text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _tensor(values, storages):
    """The tensor ``values``, over a storage of its own on a GPU, as most published files have them."""
    key = str(len(storages))
    values = storages[key] = numpy.array(values, "<f4", order="C")
    shape = b"(" + b"".join(map(_number, values.shape)) + b"t"
    strides = b"(" + b"".join(_number(step // 4) for step in values.strides) + b"t"
    where = b"ctorch\nFloatStorage\n" + _text(key) + _text("cuda:0")
    storage = b"(" + _text("storage") + where + _number(values.size) + b"tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + _number(0) + shape + strides + b"\x89" + hooks + b"tR"


def _value(value, storages):
    if isinstance(value, numpy.ndarray):
        return _tensor(value, storages)
    if isinstance(value, dict):
        items = b"".join(_text(key) + _value(each, storages) for key, each in value.items())
        return b"ccollections\nOrderedDict\n)R(" + items + b"u"
    return _text(value) if isinstance(value, str) else b"G" + struct.pack(">d", value)


def write_torch(path, value, legacy=False):
    """Write nested dicts of float32 arrays, texts and floats as torch.save does, or (``legacy``) did before 1.6."""
    storages = {}
    content = b"\x80\x02" + _value(value, storages) + b"."
    if not legacy:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", content)
            archive.writestr("net/byteorder", "little")
            for key, values in storages.items():
                archive.writestr(f"net/data/{key}", values.tobytes())
        return
    system = {"protocol_version": 1001, "little_endian": True}
    headers = b"".join(pickle.dumps(each, protocol=2) for each in (LEGACY_MAGIC, 1001, system))
    body = b"".join(struct.pack("<q", values.size) + values.tobytes() for values in storages.values())
    with open(path, "wb") as file:
        file.write(headers + content + pickle.dumps(list(storages), protocol=2) + body)
