"""What is kept of a cell's outputs: nothing that belongs to this machine, to one moment, or to somebody else."""

import os
import re
import tempfile
from pathlib import Path

from nbformat.v4 import new_output

from .chapters import ROOT, ChapterError, tags

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WIDGET = "application/vnd.jupyter.widget-view+json"
LEFT_OUT = "Left out here: a picture made of other people's photographs. Run the cell to see it.\n"
DRAWN = "Drawn birds, in the place of photographs of other people: the same cell, run on them with small settings.\n"
#: what a path of this machine may be replaced by: the variable or place that stands for it elsewhere
VARIABLES = ("GLUON_RESNET_REAL_DATA", "GLUON_RESNET_WEIGHTS", "GLUON_RESNET_HOME")


def replacements(scratch):
    """[(path of this machine, what is written instead)], the longest paths first; ``scratch`` is the working folder."""
    known = {str(Path(scratch).resolve()): ".", str(ROOT): "~/gluon-resnet", str(Path.home()): "~"}
    for name in VARIABLES:
        if os.environ.get(name):
            known[os.environ[name].rstrip("/")] = known[str(Path(os.environ[name]).resolve())] = f"${name}"
    known.pop("/", None)
    return sorted(known.items(), key=lambda pair: -len(pair[0]))


def tidy_text(text, known):
    """``text`` without addresses, terminal codes and paths of this machine; of a line that overwrote itself its end."""
    text = ANSI.sub("", text)
    text = re.sub(r"[^\n]*\r(?!\n)", "", text.replace("\r\n", "\n"))
    text = ADDRESS.sub("", text)
    for path, instead in known:
        text = re.sub(rf"{re.escape(path)}(?![\w.-])", instead.replace("\\", r"\\"), text)
    return text


def _is_text(mime):
    return mime.startswith(("text/", "image/svg+xml"))


def tidy_output(output, known):
    """One output tidied in place; None where nothing of it is kept."""
    if output.output_type == "stream":
        output["text"] = tidy_text(output["text"], known)
        return output if output["text"] else None
    if output.output_type == "error":
        output["traceback"] = [tidy_text(line, known) for line in output["traceback"]]
        output["evalue"] = tidy_text(output["evalue"], known)
        return output
    if WIDGET in output["data"]:
        return None
    for mime, content in output["data"].items():
        if _is_text(mime):
            output["data"][mime] = tidy_text(content, known)
    return output


def _without_pictures(outputs):
    """(outputs without those that are pictures, how many were left out)."""
    kept = [
        output
        for output in outputs
        if not any(
            mime.startswith("image/") or "<img" in str(content) for mime, content in output.get("data", {}).items()
        )
    ]
    return kept, len(outputs) - len(kept)


def _joined(outputs):
    """The outputs without stderr and with neighbouring pieces of stdout as one: the kernel sends text in pieces."""
    joined = []
    for output in outputs:
        if output.get("name") == "stderr":
            continue
        if joined and output.get("name") == joined[-1].get("name") == "stdout":
            joined[-1]["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def tidy_cell(cell, known):
    """The outputs of an executed code cell tidied in place."""
    outputs = [tidy_output(output, known) for output in _joined(cell["outputs"])]
    cell["outputs"] = [output for output in outputs if output]
    if "photographs" in tags(cell):
        cell["outputs"], left_out = _without_pictures(cell["outputs"])
        if left_out:
            cell["outputs"].append(new_output("stream", name="stdout", text=LEFT_OUT))


def tidy(notebook, known, where):
    """Tidy an executed notebook in place; ChapterError, with the cell, if a path into a temporary folder is left."""
    notebook.metadata.pop("widgets", None)
    left = re.compile(rf"(?<![\w.~])(?:{re.escape(tempfile.gettempdir())}|/home|/root|/Users)/[\w.-]+")
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        tidy_cell(cell, known)
        count += 1
        cell["execution_count"] = count
        for output in cell["outputs"]:
            if output.output_type == "execute_result":
                output["execution_count"] = count
            for text in _texts(output):
                found = left.search(text)
                if found:
                    raise ChapterError(
                        f"{where}: cell {cell.metadata['name']} shows a path of this machine, "
                        f"{found.group()}: show a file's name alone, or work in chapter.folder()"
                    )


def _texts(output):
    """The texts in an output."""
    if output.output_type == "stream":
        return [output["text"]]
    return [content for mime, content in output.get("data", {}).items() if _is_text(mime)]
