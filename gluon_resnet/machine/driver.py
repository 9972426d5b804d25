"""NVIDIA's driver and the cards it finds, as its library libcuda.so.1 tells; standard library only.

    ask_apart().cards       # (Card(name="NVIDIA T4", capability=(7, 5)),)

The library is asked, not the program nvidia-smi. mxnet uses this library, too, so the cards come with the numbers of
mx.gpu(i), and CUDA_VISIBLE_DEVICES counts. nvidia-smi numbers cards in another way, the one of driver 470 does not know
compute_cap (https://github.com/huggingface/candle/issues/733), and some containers do not have it.
"""

import ctypes
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, Optional, Tuple

LIBRARY = "libcuda.so.1"
SECONDS = 30  # to wait for an answer; waking many sleeping cards takes a while
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
#: what errors of cuInit mean (cuda.h)
ERRORS = {
    100: "it finds no card",
    803: "it does not fit the driver in the kernel: start the machine again",
}


class Card(NamedTuple):
    """A GPU: its name and its compute capability, such as (7, 5)."""

    name: str
    capability: Tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.capability[0]}.{self.capability[1]}"


class Driver(NamedTuple):
    """What the driver says: its cards, the newest CUDA version it knows, and what is wrong if there are no cards."""

    cards: Tuple[Card, ...] = ()
    cuda: Tuple[int, int] = (0, 0)
    complaint: str = ""


def _call(library: Any, name: str, *arguments: Any) -> None:
    """Call a function of the library; raises RuntimeError if it returns an error."""
    status = getattr(library, name)(*arguments)
    if status:
        raise RuntimeError(
            f"{LIBRARY}: {name} gives error {status}{f' ({ERRORS[status]})' if status in ERRORS else ''}"
        )


def _card(library: Any, number: int) -> Card:
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    _call(library, "cuDeviceGet", ctypes.byref(device), ctypes.c_int(number))
    _call(library, "cuDeviceGetName", name, ctypes.c_int(len(name)), device)
    capability = []
    for attribute in (MAJOR, MINOR):
        value = ctypes.c_int()
        _call(library, "cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(attribute), device)
        capability.append(value.value)
    return Card(name.value.decode("utf-8", "replace"), (capability[0], capability[1]))


def ask() -> Driver:
    """Ask in this process, where mxnet has started CUDA already."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        missing = str(error).startswith(f"{LIBRARY}: cannot open")
        return Driver(complaint="no NVIDIA driver" if missing else f"NVIDIA's driver cannot be loaded ({error})")
    try:
        version, count = ctypes.c_int(), ctypes.c_int()
        _call(library, "cuInit", ctypes.c_uint(0))
        _call(library, "cuDriverGetVersion", ctypes.byref(version))
        _call(library, "cuDeviceGetCount", ctypes.byref(count))
        cards = tuple(_card(library, number) for number in range(count.value))
    except (RuntimeError, AttributeError) as error:  # AttributeError: the library has no such function
        return Driver(complaint=str(error))
    thousands, rest = divmod(version.value, 1000)  # 11020 is 11.2
    return Driver(cards, (thousands, rest // 10), "" if cards else f"{LIBRARY}: {ERRORS[100]}")


def ask_apart() -> Driver:
    """Ask in a process of its own: a broken driver may hang or end the process that asks it."""
    command = [sys.executable, "-I", "-S", __file__]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=SECONDS)
        cards, cuda, complaint = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return Driver(complaint=f"{LIBRARY} gives no answer within {SECONDS} s")
    except ValueError:
        return Driver(complaint=f"the process that asked {LIBRARY} ended with status {done.returncode}")
    return Driver(tuple(Card(name, tuple(pair)) for name, pair in cards), tuple(cuda), complaint)


def kernel_version() -> Optional[str]:
    """Version of the driver in the kernel, such as "535.104.05"; None without one."""
    try:
        line = Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    except (OSError, IndexError):
        return None
    return next((word for word in line.split() if word[0].isdigit() and "." in word), line)


if __name__ == "__main__":
    print(json.dumps(ask()))
