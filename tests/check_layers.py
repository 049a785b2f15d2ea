#!/usr/bin/python3
"""Reads the C sources as text and fails when a room breaks the house rules.

Checked: server/ and worker/ never include each other; proto/base includes nothing above it; proto/ includes neither
program; includes are from the root; no cycle between headers; only main.c (and forked children) may call exit;
banned calls; typedef'd structs; lines over 120 columns.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|alloca|system|popen|strtok|atoi|atof|rand|srand|tmpnam|mktemp)\s*\(")
EXIT = re.compile(r"(?<![\w.>])(exit|abort|quick_exit)\s*\(")
TYPEDEF = re.compile(r"^\s*typedef\s+(struct|union)\b", re.M)
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)


def blank(match):
    """A comment or string as blanks of the same shape, so that line numbers stay right."""
    return re.sub(r"[^\n]", " ", match.group(0))


def may_include(source, target):
    if target.startswith("tests/"):
        return source.startswith("tests/")
    if source.startswith("proto/base/"):
        return target.startswith("proto/base/")
    if source.startswith("proto/"):
        return target.startswith("proto/")
    if source.startswith("server/"):
        return target.startswith(("server/", "proto/")) or target in ("schema.sql.h", "migrate.inc")
    if source.startswith("worker/"):
        return target.startswith(("worker/", "proto/"))
    return True


def cycles(graph):
    """Names one include cycle, or nothing."""
    state = {}

    def visit(node, path):
        state[node] = 1
        for nxt in graph.get(node, ()):
            if state.get(nxt) == 1:
                return path[path.index(nxt):] + [nxt] if nxt in path else [node, nxt]
            if nxt not in state:
                found = visit(nxt, path + [nxt])
                if found:
                    return found
        state[node] = 2
        return None

    for node in list(graph):
        if node not in state:
            found = visit(node, [node])
            if found:
                return found
    return None


def check(path, problems, graph):
    name = path.relative_to(ROOT).as_posix()
    raw = path.read_text()
    text = COMMENT.sub(blank, raw)
    for number, line in enumerate(raw.splitlines(), 1):
        if len(line) > 120:
            problems.append(f"{name}:{number}: line of {len(line)} columns")
    for match in INCLUDE.finditer(raw):
        target = match.group(1)
        line = raw.count("\n", 0, match.start()) + 1
        if not may_include(name, target):
            problems.append(f"{name}:{line}: may not include {target}")
        if target.endswith(".h") and name.endswith(".h"):
            graph.setdefault(name, []).append(target)
    for pattern, what in ((BANNED, "banned call"), (TYPEDEF, "typedef'd struct")):
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if not name.startswith("tests/"):
                problems.append(f"{name}:{line}: {what} {match.group(1)}")
    if path.name != "main.c" and not name.startswith("tests/"):
        for match in EXIT.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            problems.append(f"{name}:{line}: {match.group(1)} outside main.c")


def main():
    problems, graph = [], {}
    files = [p for top in ("proto", "server", "worker", "tests") for p in (ROOT / top).rglob("*.[ch]")]
    for path in sorted(files):
        check(path, problems, graph)
    loop = cycles(graph)
    if loop:
        problems.append("include cycle: " + " -> ".join(loop))
    print("\n".join(problems) if problems else f"layers: {len(files)} files are in order")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
