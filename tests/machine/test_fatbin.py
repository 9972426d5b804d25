"""The reader of fat binaries on files written byte by byte here, on damaged ones, and on the CUDA build's wheel."""

import os
import random
import subprocess
import sys
import zipfile

from gluon_resnet.machine import elf, fatbin

import pytest

from tests.machine.gpu_stubs import elf_file, fat_binary


def test_machine_code_and_ptx_are_counted(tmp_path):
    path = tmp_path / "lib.so"
    path.write_bytes(
        elf_file(fat_binary((2, 50), (2, 86), (1, 86)), fat_binary((2, 50)), fat_binary((2, 120), (16, 70)))
    )
    code = fatbin.read_gpu_code(path)
    assert code.machine == {(5, 0): 2, (8, 6): 1, (12, 0): 1} and code.ptx == {(8, 6): 1}
    assert code.contents == "machine code for 5.0, 8.6, 12.0 and PTX for 8.6"
    assert code.generations == "compute capability 5.x, 8.x or 12.x"


def test_what_looks_like_a_fat_binary_inside_the_code_is_not_read(tmp_path):
    inner = fat_binary((1, 90))
    (tmp_path / "lib.so").write_bytes(elf_file(fat_binary((2, 70), (2, 80), payload=inner)))
    assert fatbin.read_gpu_code(tmp_path / "lib.so") == fatbin.GpuCode({(7, 0): 1, (8, 0): 1})


# by hand from NVIDIA's rule: machine code within its generation upwards, PTX everywhere upwards
@pytest.mark.parametrize(
    "card, runs",
    [
        ((3, 7), None),
        ((5, 0), "code for 5.0"),
        ((6, 1), "code for 6.0"),
        ((7, 5), "code for 7.0"),
        ((8, 0), "code for 8.0"),
        ((8, 6), "code for 8.6"),
        ((8, 9), "code for 8.6"),
        ((9, 0), None),
        ((10, 0), None),
        ((12, 0), None),
    ],
)
def test_which_cards_the_cuda_build_runs_on(card, runs):
    assert fatbin.CU112.for_card(card) == runs


@pytest.mark.parametrize(
    "card, runs",
    [
        ((6, 2), None),
        ((7, 0), "PTX for 7.0"),
        ((8, 0), "PTX for 7.5"),
        ((8, 9), "code for 8.6"),
        ((9, 0), "PTX for 7.5"),
    ],
)
def test_ptx_runs_on_all_later_cards(card, runs):
    assert fatbin.GpuCode(machine={(8, 6): 1}, ptx={(7, 0): 1, (7, 5): 1}).for_card(card) == runs


def test_a_library_without_gpu_code_and_files_that_are_none(tmp_path):
    (tmp_path / "other.so").write_bytes(elf_file(fat_binary((2, 70)), name=".data"))
    (tmp_path / "none.so").write_bytes(elf_file())
    (tmp_path / "empty.so").write_bytes(b"")
    (tmp_path / "text.so").write_text("not a library\n" * 99)
    (tmp_path / "folder.so").mkdir()
    for name in ("other.so", "none.so", "empty.so", "text.so", "folder.so", "missing.so"):
        assert fatbin.read_gpu_code(tmp_path / name) == fatbin.GpuCode() and not fatbin.read_gpu_code(tmp_path / name)
    assert fatbin.GpuCode().contents == "no machine code and no PTX" and fatbin.GpuCode().for_card((7, 5)) is None


def test_a_fat_binary_or_entry_longer_than_its_place_is_refused(tmp_path):
    whole, path = fat_binary((2, 70), (2, 80)), tmp_path / "lib.so"
    for place, size in ((8, 8), (16 + 8, 8)):  # where the sizes of the fat binary and of its first entry are
        for wrong in (10**6, 2**63, 2**64 - 1):
            damaged = whole[:place] + wrong.to_bytes(size, "little") + whole[place + size :]
            path.write_bytes(elf_file(damaged))
            assert not fatbin.read_gpu_code(path), (place, wrong)
    path.write_bytes(
        elf_file(whole[:20] + bytes(4) + whole[24:])
    )  # an entry whose header has no bytes: no endless loop
    assert not fatbin.read_gpu_code(path)


def test_cut_off_and_flipped_bytes_give_no_traceback(tmp_path):
    content, path, chance = (
        elf_file(fat_binary((2, 70), (1, 80)), fat_binary((2, 86))),
        tmp_path / "lib.so",
        random.Random(0),
    )
    damaged = [content[:end] for end in range(0, len(content), 7)]
    for _ in range(1500):
        flipped = bytearray(content)
        for _ in range(chance.choice((1, 1, 8))):
            flipped[chance.choice((chance.randrange(len(content)), chance.randrange(64)))] = chance.randrange(256)
        damaged.append(bytes(flipped))
    empty = 0
    for each in damaged:
        path.write_bytes(each)
        empty += not fatbin.read_gpu_code(path)
    assert 0 < empty < len(damaged)


def test_the_cpu_build_has_no_gpu_code_and_mxnet_is_not_imported():
    code = (
        "import sys\nfrom gluon_resnet.machine import elf, env, fatbin\n"
        "assert elf.mxnet_library().is_file() and 'mxnet' not in sys.modules\n"
        "assert bool(fatbin.installed_gpu_code()) == (env.mxnet_build()[0] == 'mxnet-cu112')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


@pytest.fixture
def wheel_of_the_cuda_build(tmp_path):
    """The wheel of mxnet-cu112 in the folder GLUON_RESNET_WHEELS; otherwise downloaded (500 MB), and removed again."""
    folder, name = os.environ.get("GLUON_RESNET_WHEELS"), "mxnet_cu112-1.9.1-py3-none-manylinux2014_x86_64.whl"
    if folder:
        yield os.path.join(folder, name)
        return
    options = ["-q", "--no-deps", "--only-binary", ":all:", "-d", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, "mxnet-cu112==1.9.1"], check=True)
    yield str(tmp_path / name)
    os.unlink(str(tmp_path / name))


@pytest.mark.slow
def test_the_wheel_of_the_cuda_build_has_what_the_table_says(wheel_of_the_cuda_build, tmp_path):
    with zipfile.ZipFile(wheel_of_the_cuda_build) as archive:
        library = archive.extract("mxnet/libmxnet.so", tmp_path)
    try:
        assert fatbin.read_gpu_code(library) == fatbin.CU112
        assert "libcuda.so.1" in elf.read_dynamic(library)[0]
    finally:
        os.unlink(library)  # 890 MB
