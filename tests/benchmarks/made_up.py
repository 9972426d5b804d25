"""Measurements made up, for tests of the benchmarks' arithmetic."""

BOUNDS = {"float32_gflops": 200.0, "bfloat16_gflops": 400.0, "copy_gbytes_per_sec": 20.0, "jpeg_per_sec": 900.0}


def measurement(rate, **more):
    """What a worker prints, at ``rate`` examples a second."""
    return {
        "version": "mxnet 1.9.1",
        "threads": 2,
        "peak_memory_bytes": 2**30,
        "examples": 100,
        "seconds": 100 / rate,
        "examples_per_sec": rate,
        "others_cores": 0.0,
        **more,
    }


def cells(text):
    """{first cell: the other cells} of every Markdown table row in ``text``."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows}


def environments(folder, *peers):
    """A folder in which the Pythons of ``peers`` seem to be."""
    for peer in peers:
        (folder / peer / "bin").mkdir(parents=True)
        (folder / peer / "bin" / "python").touch()
    return folder
