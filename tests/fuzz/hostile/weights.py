"""Other weight files, whose sizes are declared, shared or packed but not held; and networks of names from outside."""

import json
import struct
import zipfile
import zlib

import h5py
import numpy

from tests.fuzz.registry import hostile

GIGABYTES = 5 * 2**30


def packed_zeros(archive, name, size, start=b""):
    """Put ``start`` and ``size`` zeros into an open archive, compressed; the checksum is not that of so many bytes."""
    packer, piece = zlib.compressobj(9, zlib.DEFLATED, -15), 1 << 24
    content = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    archive.writestr(name, content + zeros * (size // piece) + packer.flush())
    info = archive.getinfo(name)
    info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, len(start) + size // piece * piece


@hostile("keras: 5 GiB of zeros in a .keras of 5 MiB")
def _(folder):
    with zipfile.ZipFile(folder / "net.keras", "w") as archive:
        packed_zeros(archive, "model.weights.h5", GIGABYTES)
    return "keras", "net.keras"


def keras_group(root, layers):
    """Keras's attributes of {layer: {variable: ...}} in a file of groups."""
    root.attrs["layer_names"] = numpy.array([layer.encode() for layer in layers])
    for layer, variables in layers.items():
        group = root.require_group(layer)
        group.attrs["weight_names"] = numpy.array([f"{layer}/{variable}".encode() for variable in variables])
        group.require_group(layer)


@hostile("keras: datasets that were never written")
def _(folder):
    layers = {f"conv{i}": ["kernel:0"] for i in range(5)}
    with h5py.File(folder / "net.h5", "w") as root:
        keras_group(root, layers)
        for layer in layers:
            root.create_dataset(f"{layer}/{layer}/kernel:0", (2**28,), "f4")
    return "keras", "net.h5"


@hostile("keras: one dataset under 120 hard links", heavy=True)
def _(folder):
    layers = {f"conv{i}": ["kernel:0"] for i in range(120)}
    with h5py.File(folder / "net.h5", "w") as root:
        keras_group(root, layers)
        first = root.create_dataset("conv0/conv0/kernel:0", data=numpy.zeros(2**24, "f4"), compression="gzip")
        for i in range(1, 120):
            root[f"conv{i}/conv{i}/kernel:0"] = first
    return "keras", "net.h5"


@hostile("keras: groups that are linked into themselves eight times")
def _(folder):
    with h5py.File(folder / "net.weights.h5", "w") as root:
        group = root.create_group("layers")
        for i in range(8):
            group[f"again{i}"] = group
    return "keras", "net.weights.h5"


def safetensors(folder, header, data=b""):
    """A safetensors file with this header."""
    content = json.dumps(header).encode()
    (folder / "net.safetensors").write_bytes(struct.pack("<Q", len(content)) + content + data)
    return "safetensors", "net.safetensors"


@hostile("safetensors: a shape (0, 2^62)")
def _(folder):
    return safetensors(folder, {"w": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}})


@hostile("safetensors: a shape of 100 axes")
def _(folder):
    return safetensors(folder, {"w": {"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}}, bytes(4))


def npy(shape, kind="<f4", data=b""):
    """The bytes of an .npy file with this header."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def npz(folder, members):
    """An .npz of {name: bytes}."""
    with zipfile.ZipFile(folder / "net.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return "npz", "net.npz"


@hostile("npz: an array of 8 GiB that is not held")
def _(folder):
    return npz(folder, {"w": npy((2**31,))})


@hostile("npz: ten arrays of 900 MiB of zeros", heavy=True)
def _(folder):
    size = 900 << 20
    with zipfile.ZipFile(folder / "net.npz", "w") as archive:
        for i in range(10):
            packed_zeros(archive, f"w{i}.npy", size // (1 << 24) * (1 << 24), npy((size // (1 << 24) * (1 << 22),)))
    return "npz", "net.npz"


def params(folder, arrays, names=None):
    """An MXNet .params file of {name: (shape, bytes)}."""
    content = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for shape, data in arrays.values():
        content += struct.pack("<IiI", 0xF993FAC9, 0, len(shape)) + struct.pack(f"<{len(shape)}q", *shape)
        content += struct.pack("<iii", 1, 0, 0) + data
    content += struct.pack("<Q", len(arrays))
    for name in names or arrays:
        content += struct.pack("<Q", len(name)) + name.encode()
    (folder / "net.params").write_bytes(content)
    return "params", "net.params"


@hostile("params: an array of 16 GiB that is not held")
def _(folder):
    return params(folder, {"w": ((2**32,), b"")})


@hostile("params: 2^40 arrays")
def _(folder):
    (folder / "net.params").write_bytes(struct.pack("<QQQ", 0x112, 0, 2**40) + bytes(64))
    return "params", "net.params"


@hostile("params: a negative size")
def _(folder):
    return params(folder, {"w": ((-4, -4), bytes(64))})


@hostile("model: a billion classes")
def _(folder):
    return "model", "resnet18", "1000000000"


@hostile("model: a CIFAR network of 60,002 layers")
def _(folder):
    return "model", "cifar_resnet60002", "10"
