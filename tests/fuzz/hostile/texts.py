"""Texts that a pattern goes over again and again, or that are nested deep."""

from tests.fuzz.registry import hostile


def chapter(folder, content):
    """chapter.txt."""
    (folder / "chapter.txt").write_text(content, encoding="utf-8")
    return "transcript", "chapter.txt"


@hostile("transcript: a line of 100,000 digits")
def _(folder):
    return chapter(folder, "1" * 100_000)


@hostile("transcript: a line of 100,000 digits and commas")
def _(folder):
    return chapter(folder, "1,," * 33_000)


@hostile("transcript: a line of 100,000 letters")
def _(folder):
    return chapter(folder, "a" * 100_000)


@hostile("transcript: a line of 100,000 letters and digits")
def _(folder):
    return chapter(folder, "a1." * 33_000)


@hostile("transcript: 100,000 spaces after a name")
def _(folder):
    return chapter(folder, ("conv0" + " " * 100_000) * 3)


@hostile("transcript: 100,000 empty lines after a block's shape")
def _(folder):
    return chapter(folder, "Residual(3) x.shape" + "\n" * 100_000 + "x")


@hostile("transcript: 100,000 combining marks")
def _(folder):
    return chapter(folder, "a" + "\u0301\u0316" * 50_000)


@hostile("transcript: 60,000 lines", value=True, heavy=True)
def _(folder):
    return chapter(folder, "conv0 output shape: (1, 64, 112, 112)\n" * 60_000)


@hostile("transcript: 60,000 walks of other inputs", value=True, heavy=True)
def _(folder):
    lines = [f"conv0 output shape: ({i % 7 + 1}, 64, {i % 500 + 1}, {i % 499 + 1})\n" for i in range(60_000)]
    return chapter(folder, "".join(lines))


@hostile("transcript: 60,000 losses", value=True, heavy=True)
def _(folder):
    return chapter(folder, "loss 0.010, train acc 0.998, test acc 0.907\n" * 60_000)


@hostile("transcript: 5,000 residual blocks", value=True, heavy=True)
def _(folder):
    lines = [
        f"X = uniform((4, 3, {i % 900 + 6}, 6))\nResidual({i % 800 + 3})(X).shape\n(4, 3, 6, 6)\n" for i in range(5000)
    ]
    return chapter(folder, "".join(lines))


@hostile("labels: 20 million empty lines", heavy=True)
def _(folder):
    (folder / "labels.txt").write_text("a\n" * 2 + "\n" * 20_000_000 + "b")
    return "labels", "labels.txt"


@hostile("results: JSON 100,000 deep")
def _(folder):
    (folder / "results.json").write_text("[" * 100_000)
    return "results", "results.json"
