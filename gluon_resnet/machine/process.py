"""What Linux says of a process in /proc."""

from pathlib import Path
from typing import List, Optional


def fields(pid: int) -> Optional[List[str]]:
    """What follows the command's name in /proc/PID/stat, or None if the process is gone.

    The first one is the state, the 12th and 13th the processor time in user and system mode, the 20th the start, the
    last three in clock ticks. Source: proc(5), which counts from two more.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()
