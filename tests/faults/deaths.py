"""Dies before and after each call of a save, and cuts the power between any two: python -m tests.faults.deaths FOLDER

The deaths are printed as JSON: [when, kind of call, file, step that is found, step after the next save, number of files
then, files that should not be there].
"""

import json
import os
import shutil
import sys
from pathlib import Path

from gluon_resnet.errors import RunError
from gluon_resnet.files import remove_leftovers
from gluon_resnet.training import checkpoint_files

from tests.faults.disk import Disk, arrays_of, begun, die, loaded, names

OLD, NEW = 2, 3
WHOLE = [f"checkpoint-00000{number}.{kind}" for number in (OLD, NEW) for kind in ("npz", "sha256")]


def save_in_a_child(folder, at, when):
    """(exit status, call) of a process that saves step NEW and dies at a call; 0 if it came to the end."""
    reading, writing = os.pipe()

    def tell_and_die(disk):
        os.write(writing, json.dumps(disk.calls[-1]).encode())
        die()

    child = os.fork()
    if child == 0:
        try:
            with Disk(at, **{when: lambda: tell_and_die(disk)}) as disk:
                checkpoint_files.write(folder, arrays_of(NEW), keep=2)
        except BaseException:
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        call = stream.read()
    return os.WEXITSTATUS(os.waitpid(child, 0)[1]), call


def deaths(folder):
    """The rows of every death."""
    rows = []
    for when in ("before", "after"):
        for at in range(1, 1000):
            run = begun(folder / f"{when}{at}")
            status, call = save_in_a_child(run, at, when)
            if status == 0:
                break
            assert status == 9, (when, at, status)
            found = loaded(run, set_aside=True)
            remove_leftovers(run, checkpoint_files.PATTERNS)
            checkpoint_files.write(run, arrays_of(NEW + 1), keep=2)
            left = [name for name in names(run) if not name.startswith("checkpoint-")]
            rows.append([when, *json.loads(call), found, loaded(run), len(names(run)), left])
            shutil.rmtree(run)
        assert names(run) == WHOLE and loaded(run) == NEW
    return rows


def states(log, folder):
    """Every disk that a power cut after the calls of ``log`` can leave, as {name: content}.

    A file's content is sure after its fsync, and half of it or nothing before; a name is sure after the fsync of the
    folder, and before each change of a name may have come to the disk or not, alone or with the others.
    """
    sure = {path.name: path.read_bytes() for path in folder.iterdir()}
    names_now = {name: name for name in sure}  # name: file
    sure_names = dict(names_now)
    content, safe = dict(sure), dict(sure)  # by file: what was written, what is on the disk
    changes = []
    for number, (kind, path, *more) in enumerate(log):
        name = os.path.basename(path)
        if kind == "create":
            if name not in names_now:
                names_now[name] = f"file {number}"
                changes.append(("link", name, names_now[name]))
            content[names_now[name]] = b""
        elif kind == "write":
            content[names_now[name]] += more[0]
        elif kind == "fsync" and path != str(folder):
            safe[names_now[name]] = content[names_now[name]]
        elif kind == "fsync":
            sure_names, changes = dict(names_now), []
        elif kind == "replace":
            target = os.path.basename(more[0])
            changes += [("link", target, names_now[name]), ("unlink", name, None)]
            names_now[target] = names_now.pop(name)
        elif kind == "unlink":
            changes.append(("unlink", name, None))
            del names_now[name]
    chosen = [set(), set(range(len(changes)))]
    chosen += [{i} for i in range(len(changes))] + [set(range(len(changes))) - {i} for i in range(len(changes))]
    for half in (0, 1):
        for some in chosen:
            there = dict(sure_names)
            for i in sorted(some):
                kind, name, file = changes[i]
                if kind == "link":
                    there[name] = file
                else:
                    there.pop(name, None)
            yield {
                name: safe[file] if safe.get(file) == content[file] else content[file][: len(content[file]) // 2 * half]
                for name, file in there.items()
            }


def power_cuts(folder, keep=2):
    """{step that is found: number of power cuts} over every call and every disk that is left; "neither" is one, too."""
    run, found = begun(folder / "power", keep), {}
    kept = {path.name: path.read_bytes() for path in run.iterdir()}
    with Disk() as disk:
        checkpoint_files.write(run, arrays_of(keep + 1), keep)
    before = folder / "before"
    for length in range(len(disk.written) + 1):
        fill(before, kept)
        log = [(kind, path.replace(str(run), str(before)), *more) for kind, path, *more in disk.written[:length]]
        for state in states(log, before):
            fill(folder / "after", state)
            try:
                step = loaded(folder / "after")
            except RunError:
                step = "neither"
            found[step] = found.get(step, 0) + 1
    return found


def fill(folder, content):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, values in content.items():
        (folder / name).write_bytes(values)


if __name__ == "__main__":
    assert "mxnet" not in sys.modules  # its threads would not be forked
    print(json.dumps(deaths(Path(sys.argv[1]))))
