"""Where the hostile inputs are listed: a name, and a function that makes the input.

    target, *names = HOSTILE["torch: a memo index of 2^28"](folder)

Each function writes its files into the folder and returns the target of targets.py with its arguments.
"""

HOSTILE = {}
VALUES = set()  # nothing is wrong with them but their size: they are read. All others are refused.
HEAVY = set()  # take seconds to make or to read: left to make fuzz


def hostile(name, value=False, heavy=False):
    """Put a function into HOSTILE under ``name``, and into VALUES and HEAVY as it is asked for."""

    def put(function):
        HOSTILE[name] = function
        if value:
            VALUES.add(name)
        if heavy:
            HEAVY.add(name)
        return function

    return put
