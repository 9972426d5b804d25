"""Measure how fast pictures become batches: out of a folder and out of a record file, against other readers, in turn.

    gluon-resnet bench pictures bird_photos

As in benchmark.py every way runs in a process of its own, the processes alternate, and what counts are medians. The
rate of the JPEG decoder alone is the ceiling of all that decode. Pictures lie in the system's file cache: no disk is
measured.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import pandas as pd

from ..errors import BackendError, DataError
from ..machine import env, system
from .processes import OtherPrograms, check_positive, machine, run_worker, writable_folder, write_results

THREADS = 2
DECODER = "cv2.imdecode alone, one thread"
AGREEMENT = 0.02  # of 0 to 1, between means of the same pictures, which readers scale and crop a little differently

#: (row, way of benchmarks/workers/pictures.py, threads)
WAYS = (
    ("gluon-resnet, folder", "folder", THREADS),
    ("gluon-resnet, record file", "records", THREADS),
    ("gluon-resnet, kept in memory", "kept", THREADS),
    ("plain loop over Pillow", "loop", 1),
    ("mx.io.ImageRecordIter", "record_iter", THREADS),
    (DECODER, "decoder", 1),
    ("cv2.imdecode alone, two threads", "decoder", 2),
)


def compare(folder, record, rounds, passes, batch_size, size, say=print):
    """{row: [measurement of each round]}; a measurement has examples, examples_per_sec, others_cores and so on."""
    plain = env.without_prepared_variables()
    measured = {}
    for turn in range(1, rounds + 1):
        for name, way, threads in WAYS:
            settings = {
                "way": way,
                "threads": threads,
                "folder": str(folder),
                "record": str(record),
                "passes": passes,
                "batch_size": batch_size,
                "size": size,
            }
            with OtherPrograms() as others:
                found = run_worker(sys.executable, "pictures.py", settings, plain)
            measured.setdefault(name, []).append({**found, "others_cores": others.cores})
            say(f"round {turn}/{rounds}: {name}: {found['examples_per_sec']:,.0f} pictures/sec")
    return measured


def check(measured):
    """Raise BackendError unless all ways made as many batches of the same pictures."""
    first, examples, mean = next(
        (name, found[0]["examples"], found[0]["mean_of_last_batch"]) for name, found in measured.items()
    )
    for name, (found, *_) in measured.items():
        if found["examples"] != examples:
            raise BackendError(
                f"bench pictures: '{name}' read {found['examples']:,} pictures: expected {examples:,} "
                f"as '{first}' did; the rates would compare different pictures"
            )
        value = found["mean_of_last_batch"]
        if value is not None and not abs(value - mean) <= AGREEMENT:
            raise BackendError(
                f"bench pictures: the last batch of '{name}' has the mean {value:.3f}: expected "
                f"{mean:.3f} as of '{first}'; the rates would compare different pictures"
            )


def table(measured):
    """One row a way: median, lowest and highest pictures a second, and the median over the decoder's, one thread."""
    medians = {name: statistics.median(one["examples_per_sec"] for one in found) for name, found in measured.items()}
    decoder = medians.get(DECODER)
    rows = []
    for name, found in measured.items():
        rates = [one["examples_per_sec"] for one in found]
        cores = [one["others_cores"] for one in found if one["others_cores"] is not None]
        rows.append(
            {
                "reader": name,
                "version": found[0]["version"],
                "threads": found[0]["threads"],
                "pictures/s (median)": f"{medians[name]:,.0f}",
                "lowest": f"{min(rates):,.0f}",
                "highest": f"{max(rates):,.0f}",
                "of the decoder's": f"{medians[name] / decoder:.2f}x" if decoder else "not measured",
                "peak MiB": round(max(one["peak_memory_bytes"] for one in found) / 2**20),
                "others' cores": f"{max(cores):.2f}" if cores else "unknown",
            }
        )
    return pd.DataFrame(rows)


def _text(measured, folder, packed, rounds, passes, batch_size, size, report):
    _, count, length = packed.files[0]
    return "\n".join(
        [
            f"# Pictures to batches of {batch_size} at {size}x{size}",
            "",
            f"{machine(report)}; {rounds} rounds of {passes} passes over {count:,} pictures of {Path(folder).name} "
            f"each, in turn, after a first pass that is not timed. The record file has {length:,} bytes, "
            f"{packed.kept:,} pictures in it byte for byte; all of it lies in the file cache.",
            "",
            table(measured).to_markdown(index=False, disable_numparse=True),
            "",
            "The decoder's rows make no batches. Kept in memory: what the second epoch sees, decoded in the first. "
            "Others' cores: the most CPU time other programs used while a row was measured, in cores. If it is well "
            "above 0, measure the row again.",
        ]
    )


def pictures(folder, rounds=3, passes=10, batch_size=32, size=224, out="bench", say=print):
    """The whole comparison on the pictures of ``folder``: writes pictures.json and pictures.md into ``out``.

    Returns the text of the latter. The record file is packed for it with the default settings and removed afterwards.
    Raises ConfigError for numbers below 1 and a folder that cannot be written, DataError for pictures that cannot be
    used, BackendError if a way fails.
    """
    check_positive("bench pictures", rounds=rounds, passes=passes, batch_size=batch_size, size=size)
    target = writable_folder(out)
    from ..data.record_files import pack

    with tempfile.TemporaryDirectory() as scratch:
        packed = pack(folder, Path(scratch, "pictures"))
        if len(packed.report.usable) != len(packed.report.pictures) or len(packed.files) > 1:
            raise DataError(
                f"{folder}: expected class folders with whole pictures only, for all ways to read the "
                f"same, found {len(packed.files)} parts; {packed.report.summary()}"
            )
        record = packed.files[0][0]
        measured = compare(Path(folder).resolve(), record, rounds, passes, batch_size, size, say)
    check(measured)
    report = system.report()
    text = _text(measured, folder, packed, rounds, passes, batch_size, size, report)
    _, count, length = packed.files[0]
    write_results(
        target,
        "pictures",
        {
            "rounds": rounds,
            "passes": passes,
            "batch_size": batch_size,
            "size": size,
            "pictures": count,
            "record_bytes": length,
            "measured": measured,
            "system": report,
        },
        text,
    )
    return text
