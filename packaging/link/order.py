"""Prints agent.order: a symbol of each section that holds code which runs all the time.

    objcopy --strip-debug AGENT AGENT.plain
    valgrind --tool=callgrind --demangle=no --callgrind-out-file=calls AGENT.plain run --config FILE
    callgrind_control -z        # when it reads and commits: what the start called is not counted
    callgrind_control -d        # a minute and some commits later
    python3 packaging/link/order.py calls.1 MAP > packaging/link/agent.order

AGENT is a release, MAP the linker's map of the same build (swift build … -Xlinker -Map=MAP). Names that are gone do no harm; the
figures of memory in docs/benchmarks.md say when it is time to make it anew.
"""

import pathlib
import re
import sys

HEAD = """# What runs while an agent reads, signs and sends, one symbol a section: the linker puts it together, so that the system maps it and
# little else. Made by order.py; what is not here any more is passed over.
"""
# Of several names in a section one without these: specialised and compiler-made functions change their names most often.
FLEETING = ("Tg5", "Tm", "WO", "TW", "Tf", ".resume", "TA")


def called(path):
    """Names of the functions with a cost of their own."""
    names, found = {}, set()
    for line in pathlib.Path(path).read_text().splitlines():
        match = re.match(r"^(c?fn)=\((\d+)\)(?: (.*))?$", line)
        if not match:
            continue
        kind, number, name = match.groups()
        if name:
            names[number] = name
        if kind == "fn":
            found.add(re.sub(r"'\d+$", "", names[number]))
    return found


def sections(path, wanted):
    """Names among `wanted` by input section of lld's map."""
    found, section = {}, None
    for line in pathlib.Path(path).read_text().splitlines():
        match = re.match(r"^\s*[0-9a-f]+\s+[0-9a-f]+\s+[0-9a-f]+\s+\d+ (\s*)(.*)$", line)
        if not match:
            continue
        indent, text = match.groups()
        if ":(" in text and len(indent) == 8:
            section = text if ":(.text" in text else None
        elif section and len(indent) == 16 and text in wanted:
            found.setdefault(section, []).append(text)
    return found


def main():
    calls, linked = sys.argv[1:]
    names = sections(linked, called(calls)).values()
    chosen = (min(some, key=lambda name: (any(part in name for part in FLEETING), len(name), name)) for some in names)
    print(HEAD + "\n".join(sorted(chosen)))


if __name__ == "__main__":
    main()
