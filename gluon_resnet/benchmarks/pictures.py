"""Measure how fast images become batches, from a folder and from a record file, compared with other readers.

    gluon-resnet bench pictures bird_photos

As in training.py, every way runs in a process of its own, the processes alternate, and medians are reported. No way
that decodes can be faster than the JPEG decoder alone. The images are in the system's file cache, so no disk is
measured.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import pandas as pd

from ..data.record_files import Settings, pack
from ..errors import BackendError, DataError
from ..machine import env, system
from ..machine.other_programs import OtherPrograms
from ..text import count as counted
from .processes import check_positive, machine, run_worker, writable_folder, write_results

THREADS = 2
DECODER, LOOP, RECORD_ITER = "cv2.imdecode alone, one thread", "plain loop over Pillow", "mx.io.ImageRecordIter"
WHOLE = Settings(size=2**20)  # of the record file: no image is shrunk, so that all ways read the same
AGREEMENT = 0.02  # on a scale from 0 to 1, between means of the same images; readers scale and crop them differently

#: {row: [measurement of each round]}
Measured = Dict[str, List[Dict[str, Any]]]

#: (row, way of benchmarks/workers/pictures.py, threads)
WAYS = (
    ("gluon-resnet, folder", "folder", THREADS),
    ("gluon-resnet, record file", "records", THREADS),
    ("gluon-resnet, kept in memory", "kept", THREADS),
    ("gluon-resnet, folder, exact", "folder_exact", THREADS),
    ("gluon-resnet, record file, exact", "records_exact", THREADS),
    (LOOP, "loop", 1),
    (RECORD_ITER, "record_iter", THREADS),
    (DECODER, "decoder", 1),
    ("cv2.imdecode alone, two threads", "decoder", 2),
)


def compare(
    folder: Union[str, Path],
    record: Union[str, Path],
    rounds: int,
    passes: int,
    batch_size: int,
    size: int,
    say: Callable[[str], Any] = print,
) -> Measured:
    """Measure all ways, which take turns.

    Args:
        folder: the images.
        record: a record file with the same images.
        rounds: how often each way is run.
        passes: passes over the images in a run.
        batch_size: images in a batch.
        size: height and width of an image in a batch.
        say: takes one line of progress at a time.

    Returns:
        {row: [measurement of each round]}. A measurement has examples, examples_per_sec, others_cores and so on.

    Raises:
        BackendError: a way failed.
    """
    plain = env.without_prepared_variables()
    measured: Measured = {}
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
                measurement = run_worker(sys.executable, "pictures.py", settings, plain)
            measured.setdefault(name, []).append({**measurement, "others_cores": others.cores})
            say(f"round {turn}/{rounds}: {name}: {measurement['examples_per_sec']:,.0f} pictures/sec")
    return measured


def check(measured: Mapping[str, List[Dict[str, Any]]]) -> None:
    """Raise BackendError unless all ways read the same number of images, and the same ones."""
    first, (reference, *_) = next(iter(measured.items()))
    examples, mean = reference["examples"], reference["mean_of_last_batch"]
    for name, (measurement, *_) in measured.items():
        if measurement["examples"] != examples:
            raise BackendError(
                f"bench pictures: '{name}' read {counted(measurement['examples'], 'picture')}: expected {examples:,} "
                f"as '{first}' did; the rates would compare different images"
            )
        value = measurement["mean_of_last_batch"]
        if value is not None and not abs(value - mean) <= AGREEMENT:
            raise BackendError(
                f"bench pictures: the last batch of '{name}' has the mean {value:.3f}: expected "
                f"{mean:.3f} as of '{first}'; the rates would compare different images"
            )


def _ratio(rates: Sequence[float], others: Optional[Sequence[float]]) -> str:
    """The median of the ratios of each round."""
    if others is None:
        return "not measured"
    return f"{statistics.median(rate / other for rate, other in zip(rates, others)):.2f}x"


def table(measured: Mapping[str, List[Dict[str, Any]]]) -> pd.DataFrame:
    """A row for each way: median, lowest and highest images a second, and the ratios to three of the ways.

    ``measured`` is what :func:`compare` returns.
    """
    all_rates = {
        name: [measurement["examples_per_sec"] for measurement in measurements]
        for name, measurements in measured.items()
    }
    medians = {name: statistics.median(rates) for name, rates in all_rates.items()}
    rows = []
    for name, measurements in measured.items():
        rates = all_rates[name]
        cores = [row["others_cores"] for row in measurements if row["others_cores"] is not None]
        rows.append(
            {
                "reader": name,
                "version": measurements[0]["version"],
                "threads": measurements[0]["threads"],
                "pictures/s (median)": f"{medians[name]:,.0f}",
                "lowest": f"{min(rates):,.0f}",
                "highest": f"{max(rates):,.0f}",
                "over the loop": _ratio(rates, all_rates.get(LOOP)),
                "over ImageRecordIter": _ratio(rates, all_rates.get(RECORD_ITER)),
                "of the decoder's": _ratio(rates, all_rates.get(DECODER)),
                "peak MiB": round(max(measurement["peak_memory_bytes"] for measurement in measurements) / 2**20),
                "others' cores": f"{max(cores):.2f}" if cores else "unknown",
            }
        )
    return pd.DataFrame(rows)


def _text(
    measured: Measured,
    folder: Union[str, Path],
    packed: Any,
    rounds: int,
    passes: int,
    batch_size: int,
    size: int,
    report: Mapping[str, Any],
) -> str:
    _, count, length = packed.files[0]
    return "\n".join(
        [
            f"# Pictures to batches of {batch_size} at {size}x{size}",
            "",
            f"{machine(report)}; {counted(rounds, 'round')} of {counted(passes, 'pass')} over "
            f"{counted(count, 'picture')} of {Path(folder).name} "
            f"each, in turn, after a first pass that is not timed. The record file has {length:,} bytes, "
            f"{counted(packed.kept, 'picture')} in it byte for byte; all of it lies in the file cache.",
            "",
            table(measured).to_markdown(index=False, disable_numparse=True),
            "",
            "The suite's rows without a word read in the fast way. Ratios are medians of the rounds' own. "
            "The decoder's rows make no batches. Kept in memory: what the second epoch sees, decoded in the first. "
            "Others' cores: the most CPU time other programs used while a row was measured, in cores. If it is well "
            "above 0, measure the row again.",
        ]
    )


def pictures(
    folder: Union[str, Path],
    rounds: int = 3,
    passes: int = 10,
    batch_size: int = 32,
    size: int = 224,
    out: Union[str, Path] = "bench",
    say: Callable[[str], Any] = print,
) -> str:
    """Run the whole comparison, and write pictures.json and pictures.md.

    The record file holds the images as large as they are, and is removed at the end.

    Args:
        folder: the images, a folder for each class.
        rounds: how often each way is run.
        passes: passes over the images in a run.
        batch_size: images in a batch.
        size: height and width of an image in a batch.
        out: folder of the two files.
        say: takes one line of progress at a time.

    Returns:
        The text of pictures.md.

    Raises:
        ConfigError: a number is below 1, or the folder ``out`` cannot be written.
        DataError: an image cannot be used.
        BackendError: a way failed, or the ways read different images.
    """
    check_positive("bench pictures", rounds=rounds, passes=passes, batch_size=batch_size, size=size)
    target = writable_folder(out)
    with tempfile.TemporaryDirectory() as scratch:
        packed = pack(folder, Path(scratch, "pictures"), WHOLE)
        if len(packed.report.usable) != len(packed.report.pictures) or len(packed.files) > 1:
            raise DataError(
                f"{folder}: expected class folders with whole pictures only, for all ways to read the "
                f"same, found {counted(len(packed.files), 'part')}; {packed.report.summary()}"
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
