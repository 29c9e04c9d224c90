"""Compares the mutants that survived `mutmut run` with those that there is a reason for: a form, or `survivors.txt`.

    python -m tests.mutation          fails for a survivor that is not listed, and tells of listed ones that are dead
    python -m tests.mutation --write  adds new survivors under NEW, to be looked at, and takes out the dead ones

A mutant's number changes with whatever stands before it in its function. So a survivor is known by its function and by
the lines that it changes.
"""

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

MUTANTS = Path("mutants")
LISTED = Path(__file__).parent / "survivors.txt"
NEW = "NEW: write the test that it misses, delete the code that it shows to be needless, or give the reason"

SURVIVED = {0, 5, 33}
"""Exit codes of pytest where all tests passed, or none ran; 33: mutmut knows no test of the function."""
CAUGHT = {1: "killed", 3: "killed", 37: "refused by mypy", 36: "timed out", -24: "timed out", 152: "timed out"}

Survivor = str
"""`module.function: lines -> lines`."""

STRING = re.compile(r'f?"([^"]*)"')


def without_texts(line: str) -> str:
    """A line without its texts for people: the strings that have a blank in them."""
    return STRING.sub(lambda string: "" if " " in string[1] else string[0], line)


def form(survivor: Survivor) -> str:
    """The reason of survivors that are known by their form; empty: it has to be listed."""
    function, _, change = survivor.partition(": ")
    before, _, after = change.partition(" -> ")
    if without_texts(before) == without_texts(after):
        return "texts for people"
    if "strict=True" in before and before.replace("strict=True", "") in (after, after.replace("strict=False", "")):
        return "lengths that are equal: `strict` finds a mistake of ours"
    if function.endswith("_streams"):
        return "streams that are not named beforehand are loaded when the decision asks for them"
    return ""


def results(meta: Path) -> dict[str, int | None]:
    """The exit codes of a module's mutants, by name; None: not run."""
    found: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    return found


def functions(source: str) -> dict[str, list[str]]:
    """The lines of all functions of a mutated module, by the names that mutmut gave them."""
    lines = source.splitlines()
    return {
        node.name: [line.strip() for line in lines[node.lineno : node.end_lineno]]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }


def describe(mutant: str, bodies: dict[str, list[str]]) -> Survivor:
    """A mutant by its function and the lines that it changes."""
    module, _, mangled = mutant.rpartition(".")
    function = mangled.partition("__mutmut_")[0]
    before, after = bodies[f"{function}__mutmut_orig"], bodies[mangled]
    removed: list[str] = []
    added: list[str] = []
    for kind, begin, end, new_begin, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            removed += before[begin:end]
            added += after[new_begin:new_end]
    name = re.sub("^x_|^xǁ", "", function).replace("ǁ", ".")
    return f"{module}.{name}: {' '.join(removed)} -> {' '.join(added)}"


def survivors(meta: Path) -> Iterator[Survivor]:
    """What survived in one module."""
    bodies = functions(meta.with_suffix("").read_text())
    return (describe(mutant, bodies) for mutant, code in results(meta).items() if code in SURVIVED)


def listed() -> dict[str, list[Survivor]]:
    """The survivors that are known, by the reason that is given for them."""
    reasons: dict[str, list[Survivor]] = {}
    reason = NEW
    for line in LISTED.read_text().splitlines() if LISTED.exists() else ():
        if line.startswith("# "):
            reason = line[2:]
        elif line:
            reasons.setdefault(reason, []).append(line)
    return reasons


def write(reasons: dict[str, list[Survivor]], found: Counter[Survivor]) -> None:
    """List what is found: under its reason where it has one."""
    left = found.copy()
    kept: dict[str, list[Survivor]] = {}
    for reason, known in reasons.items():
        for survivor in known:
            if left[survivor] > 0:
                left[survivor] -= 1
                kept.setdefault(reason, []).append(survivor)
    kept.setdefault(NEW, []).extend(left.elements())
    parts = ["\n".join((f"# {reason}", *sorted(known))) for reason, known in kept.items() if known]
    LISTED.write_text("\n\n".join(parts) + "\n")


def fate(code: int | None) -> str:
    """What became of a mutant, by its exit code."""
    if code is None:
        return "not run"
    return "survived" if code in SURVIVED else CAUGHT.get(code, f"ended with {code}")


def table(metas: Iterable[Path]) -> None:
    """Print what became of the mutants of each module."""
    for meta in metas:
        found = Counter(map(fate, results(meta).values()))
        told = ", ".join(f"{count} {what}" for what, count in found.most_common())
        print(f"{meta.with_suffix('').relative_to(MUTANTS)}: {found.total()} mutants, {told}")


def main() -> int:
    metas = sorted(MUTANTS.rglob("*.py.meta"))
    all_found = Counter(survivor for meta in metas for survivor in survivors(meta))
    found = Counter({survivor: count for survivor, count in all_found.items() if not form(survivor)})
    reasons = listed()
    if "--write" in sys.argv:
        write(reasons, found)
        return 0
    table(metas)
    for reason, count in Counter(map(form, all_found.elements())).items():
        print(f"{count} survived: {reason or 'listed, or new'}")
    known = Counter(survivor for of in reasons.values() for survivor in of)
    for survivor in (found - known).elements():
        print(f"survived, and has no reason: {survivor}")
    for survivor in (known - found).elements():
        print(f"is listed, but dead by now: {survivor}")
    return int(bool(found - known) or NEW in reasons)


if __name__ == "__main__":
    sys.exit(main())
