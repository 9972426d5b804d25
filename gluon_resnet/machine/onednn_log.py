"""oneDNN's own log, as DNNL_VERBOSE=1 prints it: one line for each primitive that ran, with the milliseconds it took.

    dnnl_verbose,exec,cpu,convolution,jit:avx512_core,forward_training,<tensors>,<attributes>,alg:...,mb2_ic1oc64_...,0.25

The fields are those of oneDNN 2 (https://oneapi-src.github.io/oneDNN/dev_guide_verbose.html). Nothing here runs
anything.
"""

import re
from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional

MARK = "gluon-resnet: "  # begins the lines that benchmarks/workers/profiled.py writes between the primitives
STEP, END = f"{MARK}step", f"{MARK}end"
FIELDS = 11  # of a line; attributes may have commas of their own


@dataclass(frozen=True)
class Primitive:
    """One line: what ran, how, in which direction, on which sizes, and for how long.

    ``attributes`` names what was fused into it (post-operations); ``problem`` is as in the log, "mb2_ic1oc64_ih32...".
    """

    kind: str
    implementation: str
    direction: str
    attributes: str
    algorithm: str
    problem: str
    milliseconds: float

    @property
    def sizes(self) -> Dict[str, int]:
        """{name: size} of the problem, such as {"mb": 2, "ic": 1, "oc": 64, "ih": 32}; empty for plain shapes."""
        return {name: int(size) for name, size in re.findall(r"([a-z]+)(\d+)", self.problem) if name != "x"}

    @property
    def fused(self) -> str:
        """The operations that run inside it, such as "sum, relu", in words, or an empty text."""
        found = re.findall(r"sum|relu|batch_norm", self.attributes)
        if self.kind == "batch_normalization" and re.search(r"flags:\w*R", self.algorithm):
            found.append("relu")
        return ", ".join(found)


def read_line(line: str) -> Optional[Primitive]:
    """The primitive of a line of the log, or None if it is another line."""
    fields = line.strip().split(",")
    if len(fields) < FIELDS or not fields[0].endswith("_verbose") or fields[1] != "exec":
        return None
    try:
        milliseconds = float(fields[-1])
    except ValueError:
        return None
    return Primitive(
        kind=re.sub(r"_v\d+$", "", fields[3]),
        implementation=fields[4],
        direction=fields[5],
        attributes=",".join(fields[7:-3]),
        algorithm=fields[-3],
        problem=fields[-2],
        milliseconds=milliseconds,
    )


def read_steps(lines: Iterable[str]) -> List[List[Primitive]]:
    """The primitives of each step: those between a line :data:`STEP` and the next one or :data:`END`."""
    steps: List[List[Primitive]] = []
    inside = False
    for line in lines:
        if line.startswith(MARK):
            inside = line.strip() == STEP
            if inside:
                steps.append([])
        elif inside:
            primitive = read_line(line)
            if primitive is not None:
                steps[-1].append(primitive)
    return steps
