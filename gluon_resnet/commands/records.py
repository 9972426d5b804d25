"""records: images in MXNet's record files."""

import json
import sys
from typing import Optional, Tuple

import click

from . import lazy, options
from .groups import Group

findings = lazy("data.findings")
record_checks = lazy("data.record_checks")
record_files = lazy("data.record_files")
record_info = lazy("data.record_info")
record_unpack = lazy("data.record_unpack")
sources = lazy("data.records")
text = lazy("text")


@click.group(cls=Group)
def records() -> None:
    """Pack images into MXNet's record files (.rec), look into such files, check and unpack them."""


@records.command("pack")
@click.argument("folder", metavar="DIR")
@click.argument("out")
@click.option(
    "--split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Share of the images that goes into OUT_val, the rest into OUT_train.  [default: all into OUT]",
)
@click.option("--seed", type=int, default=123, show_default=True, help="Seed of the split, as in Keras.")
@click.option(
    "--size",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Shorter side to which larger images are shrunk; none is enlarged.",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=95,
    show_default=True,
    help="Quality of the JPEGs that are written.",
)
@click.option("--lossless", is_flag=True, help="Write PNG where a JPEG cannot be stored as it is.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Threads.  [default: one per processor]")
@click.option("--strict", is_flag=True, help="Stop at the first file that is left out or suspect.")
@click.option("--webp", is_flag=True, help="Also pack .webp files, which Keras ignores.")
@options.parts
@click.option("--overwrite", is_flag=True, help="Replace files of this name.")
def pack(
    folder: str,
    out: str,
    split: Optional[float],
    seed: int,
    size: int,
    quality: int,
    lossless: bool,
    jobs: Optional[int],
    strict: bool,
    webp: bool,
    parts: Optional[str],
    overwrite: bool,
) -> None:
    """Pack class folders into OUT.rec, OUT.idx, OUT.json.

    With --split into OUT_train and OUT_val, as Keras splits them; OUT.json has the names and sizes for both.
    """
    settings = record_files.Settings(split, seed, size, quality, lossless)
    packed = record_files.pack(folder, out, settings, jobs, strict, overwrite, webp, parts)
    for problem in packed.report.of(findings.LEFT_OUT):
        click.echo(
            text.one_line(
                f"left out: {problem.file}: {problem.problem}: expected {problem.expected}, found "
                f"{problem.found}; {problem.advice}"
            ),
            err=True,
        )
    for line in packed.report.first_lines():
        click.echo(line, err=True)
    for path, count, size in packed.files:
        click.echo(f"{path}: {text.count(count, 'record')}, {size:,} bytes")
    total = sum(count for _, count, _ in packed.files)
    click.echo(f"{packed.kept:,} of {total:,} stored byte for byte; names in {packed.description}")


@records.command("info")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(file: str, as_json: bool) -> None:
    """Count classes, sizes and bytes of a record file."""
    content = record_info.info(file)
    click.echo(json.dumps(content, indent=2) if as_json else "\n".join(record_info.info_lines(content)))


@records.command("verify")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--classes", type=click.IntRange(min=1), metavar="N", help="Number of classes.  [default: that of the .json file]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(files: Tuple[str, ...], classes: Optional[int], as_json: bool) -> None:
    """Check record files; exit 1 if anything is wrong.

    Every record is read and decoded, and compared with the index, the names and all other records.
    """
    report = record_checks.verify(files, classes)
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
    else:
        for finding in report.findings:
            click.echo(finding.line())
        click.echo(
            f"{report.whole:,} of {text.count(report.records)} whole in {text.count(len(files), 'file')}: "
            f"{len(report.wrong):,} wrong, {text.count(len(report.findings) - len(report.wrong), 'warning')}"
        )
    sys.exit(1 if report.wrong else 0)


@records.command("index")
@click.argument("file")
@click.option("--overwrite", is_flag=True, help="Replace the index that is there.")
def index(file: str, overwrite: bool) -> None:
    """Write the index (.idx) of a record file that has none.

    The commands here do without it; mx.io.ImageRecordIter needs it to shuffle, and ImageRecordDataset to read.
    """
    path, number = sources.write_index(file, overwrite)
    click.echo(f"{path}: {text.count(number, 'record')}")


@records.command("unpack")
@click.argument("file")
@click.argument("folder", metavar="DIR")
def unpack(file: str, folder: str) -> None:
    """Write the images back to class folders in DIR, byte for byte.

    Each file is written whole or not at all, in the folder of its label's class, under its own name or numbered.
    """
    click.echo(f"{text.count(record_unpack.unpack(file, folder))} in {folder}")
