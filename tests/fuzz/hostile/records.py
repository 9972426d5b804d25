"""Record files whose labels, index or names do not fit them."""

import hashlib
import io
import json
import struct

import numpy
from mxnet import recordio
from PIL import Image

from tests.fuzz.registry import hostile


def jpeg(side=32):
    """The bytes of a small JPEG."""
    stream = io.BytesIO()
    Image.fromarray(numpy.arange(side * side, dtype=numpy.uint8).reshape(side, side)).save(stream, "JPEG")
    return stream.getvalue()


def record_file(folder, labels=(0, 1), description=None, index=None):
    """birds.rec with a small picture for each label, and the .json and .idx next to it if they are given."""
    writer = recordio.MXRecordIO(str(folder / "birds.rec"), "w")
    for i, label in enumerate(labels):
        writer.write(recordio.pack(recordio.IRHeader(0, label, i, 0), jpeg()))
    writer.close()
    if description is not None:
        (folder / "birds.json").write_text(description if isinstance(description, str) else json.dumps(description))
    if index is not None:
        (folder / "birds.idx").write_text(index)
    return "records", "birds.rec"


def description(**changes):
    """The .json of a pack of two pictures, with changes."""
    records = [
        {"name": f"c{i}/{i}.jpg", "label": i, "height": 32, "width": 32, "bytes": 1, "sha256": "0" * 64, "kept": True}
        for i in range(2)
    ]
    common = changes.pop("record", {})
    for record in records:
        record.update(common)
    content = {"format": "gluon-resnet records", "version": 1, "class_names": ["c0", "c1"], "settings": {"split": None}}
    return {**content, "parts": {"all": {"records": records}}, **changes}


@hostile("records: a label of 2^30")
def _(folder):
    return record_file(folder, (2.0**30,))


@hostile("records: a label of 2^30 among others")
def _(folder):
    return record_file(folder, (0, 1, 2.0**30))


@hostile("records: index offsets of 2^63")
def _(folder):
    return record_file(folder, index=f"0\t0\n1\t{2**63}\n")


@hostile("records: index offsets of 5,000 digits")
def _(folder):
    return record_file(folder, index=f"0\t0\n1\t{'9' * 5000}\n")


@hostile("records: index keys of 5,000 digits")
def _(folder):
    return record_file(folder, index=f"0\t0\n{'9' * 5000}\t1\n")


@hostile("records: 20,000 index lines at one record of 40 MiB")
def _(folder):
    writer = recordio.MXRecordIO(str(folder / "birds.rec"), "w")
    writer.write(recordio.pack(recordio.IRHeader(0, 0, 0, 0), jpeg() + bytes(40 << 20)))
    writer.close()
    (folder / "birds.idx").write_text("".join(f"{i}\t0\n" for i in range(20_000)))
    return "records", "birds.rec"


@hostile("records: 5,000 records inside of one of 40 MiB")
def _(folder):
    size, step = 40 << 20, 8192
    content = bytearray(size)
    for offset in range(0, size, step):
        struct.pack_into("<II", content, offset, 0xCED7230A, size - offset - 8)
    (folder / "birds.rec").write_bytes(content)
    (folder / "birds.idx").write_text("".join(f"{i}\t{offset}\n" for i, offset in enumerate(range(0, size, step))))
    return "records", "birds.rec"


@hostile("records: a .json 100,000 deep")
def _(folder):
    return record_file(folder, description="[" * 100_000 + "]" * 100_000)


@hostile("records: a .json with a number of a million digits")
def _(folder):
    return record_file(folder, description='{"format": ' + "9" * 1_000_000 + "}")


@hostile("records: labels of 10^29 in the .json")
def _(folder):
    return record_file(folder, description=description(record={"label": 10**29}))


@hostile("records: negative labels in the .json")
def _(folder):
    return record_file(folder, description=description(record={"label": -1}))


@hostile("records: settings of another type")
def _(folder):
    return record_file(folder, description=description(settings=[1]))


@hostile("records: class names that are one text")
def _(folder):
    return record_file(folder, description=description(class_names="birds"))


@hostile("records: lone surrogates in names", value=True)
def _(folder):
    digest = hashlib.sha256(jpeg()).hexdigest()
    changes = {"name": "c\ud800/\udfff.jpg", "bytes": len(jpeg()), "sha256": digest}
    return record_file(folder, description=description(class_names=["c\ud800", "c1"], record=changes))
