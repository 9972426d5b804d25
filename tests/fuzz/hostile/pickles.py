"""PyTorch's files: sizes that are not held, calls without end, structures that explode when hashed or shown."""

import pickle
import struct
import zipfile

from tests.fuzz.registry import hostile


def number(value):
    """The opcodes of a whole number of any size."""
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + struct.pack("<i", len(content)) + content


def text(value):
    """The opcode of a text."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def storage(count, key="0"):
    """The opcodes of a storage of ``count`` floats."""
    return b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(count) + b"tQ"


def tensor(size, stride, count, key="0"):
    """The opcodes of a tensor over a storage."""
    sizes, strides = (b"(" + b"".join(map(number, numbers)) + b"t" for numbers in (size, stride))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(count, key) + number(0) + sizes + strides + b"\x89}tR"


def nested(depth=60):
    """The opcodes of a tuple of twice the same tuple, of twice the same tuple...: 2^depth elements when hashed."""
    return b")" + b"".join(bytes([ord("q"), i, ord("h"), i, 0x86]) for i in range(depth))


def torch_zip(folder, content, storages=(), name="net.pth"):
    """A file of torch.save with the pickle ``content`` and the bytes of storages 0, 1, ..."""
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02" + content + b".")
        for i, values in enumerate(storages):
            archive.writestr(f"net/data/{i}", values)
    return "torch", name


def torch_legacy(folder, *pickles, name="net.pth"):
    """A file of torch.save before 1.6 that starts with torch's magic number."""
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
    (folder / name).write_bytes(magic + b"".join(b"\x80\x02" + content + b"." for content in pickles))
    return "torch", name


@hostile("torch: a memo index of 2^28")
def _(folder):
    return torch_zip(folder, b"}r" + struct.pack("<I", 2**28))


@hostile("torch: a memo index of 2^28 in a legacy file")
def _(folder):
    return torch_legacy(folder, b"}r" + struct.pack("<I", 2**28))


@hostile("torch: 800 names of one tensor")
def _(folder):
    count = 2**21
    shared = tensor((count,), (1,), count) + b"q\x01"
    rest = b"".join(text(f"w{i}") + b"h\x01" for i in range(799))
    return torch_zip(folder, b"}(" + text("w") + shared + rest + b"u", [bytes(4 * count)])


@hostile("torch: 800 names of one storage")
def _(folder):
    count = 2**21
    items = b"".join(text(f"w{i}") + tensor((count,), (1,), count) for i in range(800))
    return torch_zip(folder, b"}(" + items + b"u", [bytes(4 * count)])


@hostile("torch: a size of 2^70 of an empty tensor")
def _(folder):
    return torch_zip(folder, b"}" + text("w") + tensor((2**70, 0), (1, 1), 4) + b"s", [bytes(16)])


@hostile("torch: a stride of 2^70")
def _(folder):
    return torch_zip(folder, b"}" + text("w") + tensor((1, 4), (2**70, 1), 4) + b"s", [bytes(16)])


@hostile("torch: 200,000 calls with one size of 200,000 axes")
def _(folder):
    axes = b"(" + b"K\x01" * 200_000 + b"tq\x01"
    call = b"ctorch._utils\n_rebuild_tensor_v2\nq\x020"
    one = b"h\x02(h\x03K\x00h\x01h\x01tR0"
    return torch_zip(folder, axes + b"0" + call + storage(1) + b"q\x030" + one * 200_000 + b"}")


@hostile("torch: 200,000 dicts of one list of 200,000 pairs")
def _(folder):
    pairs = b"](" + b"".join(text(str(i)) + b"K\x01\x86" for i in range(200_000)) + b"eq\x010"
    call = b"ccollections\nOrderedDict\nq\x020"
    return torch_zip(folder, pairs + call + b"](" + b"h\x02h\x01\x85R" * 200_000 + b"e")


@hostile("torch: a nested tuple as a key")
def _(folder):
    return torch_zip(folder, b"}" + nested() + b"K\x01s")


@hostile("torch: a nested tuple as a key of an OrderedDict's list")
def _(folder):
    return torch_zip(folder, b"ccollections\nOrderedDict\n](](" + nested() + b"K\x01ee\x85R")


@hostile("torch: a nested tuple in a set")
def _(folder):
    return torch_zip(folder, b"\x8f(" + nested() + b"\x90")


@hostile("torch: a nested tuple as a persistent id")
def _(folder):
    return torch_zip(folder, nested() + b"Q")


@hostile("torch: a nested tuple as a storage's key")
def _(folder):
    return torch_zip(folder, b"(" + text("storage") + b"ctorch\nFloatStorage\n" + nested() + text("cpu") + b"K\x01tQ")


@hostile("torch: a nested tuple as a legacy header")
def _(folder):
    return torch_legacy(folder, nested())


@hostile("torch: a nested tuple in a legacy file's list of storages")
def _(folder):
    system = b"}" + text("little_endian") + b"\x88s"
    state = b"}" + text("w") + tensor((1,), (1,), 1) + b"s"
    content = [b"M\xe9\x03", system, state, b"](" + nested() + b"e"]
    return torch_legacy(folder, *content)


@hostile("torch: a legacy storage that is not held")
def _(folder):
    count, system = 2**40, b"}" + text("little_endian") + b"\x88s"
    state = b"}" + text("w") + tensor((count,), (1,), count) + b"s"
    target, name = torch_legacy(folder, b"M\xe9\x03", system, state, b"](" + text("0") + b"e")
    with open(folder / name, "ab") as file:
        file.write(struct.pack("<q", count))
    return target, name


@hostile("torch: a dict whose get is 1, set by BUILD")
def _(folder):
    items = text("state_dict") + b"}" + text("w") + b"K\x01ss"
    return torch_zip(folder, b"ccollections\nOrderedDict\n)R" + items + b"}" + text("get") + b"K\x01sb")


@hostile("torch: a dict whose items is 1, set by BUILD")
def _(folder):
    made = b"ccollections\nOrderedDict\n)R" + text("w") + tensor((1,), (1,), 1) + b"s"
    return torch_zip(folder, made + b"}" + text("items") + b"K\x01sb", [bytes(4)])


@hostile("torch: a number of 4 million digits where a storage is expected")
def _(folder):
    return torch_zip(
        folder,
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(1 << 2**24) + b"tQ",
    )


@hostile("torch: 20 million empty dicts")
def _(folder):
    return torch_zip(folder, b"](" + b"}" * 20_000_000 + b"e")
