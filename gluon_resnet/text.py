"""Texts for a person: counts, durations, tables, names that any terminal can show."""

from tabulate import tabulate


def printable(name):
    """``name`` without the lone surrogates that stand for bytes which are not UTF-8: those become question marks."""
    return str(name).encode("utf-8", "replace").decode("utf-8")


def count(number, what="picture"):
    """``1 picture``, ``2,000 pictures``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(seconds):
    """Seconds as words, such as "12 min 5 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(
        f"{number} {unit}"
        for number, unit in ((hours, "h"), (minutes, "min"), (rest, "s"))
        if number or (unit == "s" and not hours and not minutes)
    )


def table(rows, headers="keys", **options):
    """``rows`` as a table for a terminal; text stays as it is, numbers too. ``options`` are tabulate's."""
    return tabulate(rows, headers=headers, disable_numparse=True, **options)


def last_line(error):
    """The last line of an error's message that is not empty: of mxnet's messages the one that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else ""
