#!/usr/bin/env python3
"""Makes proto/api.def (C rows) and webui/src/api/types.ts from proto/openapi.yaml.

Usage: gen.py [--check]   With --check nothing is written; exit 1 when a generated file is stale.
Building needs no Python: both files are committed. The rows are explained in proto/api.h."""
import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
METHODS = ("get", "head", "post", "put", "patch", "delete")
ROLES = ("open", "read", "submit", "admin", "worker", "join")
INCLUDED = {"open": ROLES, "read": ("read", "submit", "admin"), "submit": ("submit", "admin"), "admin": ("admin",),
            "worker": ("worker",), "join": ("join",)}
INT_MAX = 2**53 - 1
PATTERNS = {"^[0-9a-f]{64}$": "HEX64", "^[0-9a-f]{32}$": "HEX32", "^[0-9]{1,18}$": "DIGITS"}


def cstr(s):
    return json.dumps(s, ensure_ascii=True)


class Types:
    """Hash-consed rows of the value types that requests use: equal types get one row."""

    def __init__(self, doc):
        self.doc, self.rows, self.fields, self.index, self.refs = doc, [], [], {}, {}

    def resolve(self, s):
        name = s.get("$ref")
        return (name.rsplit("/", 1)[1], self.doc["components"]["schemas"][name.rsplit("/", 1)[1]]) if name else (None, s)

    def add(self, schema):
        name, s = self.resolve(schema)
        if name in self.refs:
            return self.refs[name]
        kind, nullable = s.get("type"), 0
        if isinstance(kind, list):
            nullable = int("null" in kind)
            kind = [k for k in kind if k != "null"][0]
        if kind == "object":
            key = self.object(s, nullable)
        elif kind == "array":
            key = ("ARRAY", nullable, s.get("minItems", 0), s.get("maxItems", INT_MAX), self.add(s.get("items", {})), 0, "NULL")
        elif kind == "string":
            text = "|".join(s["enum"]) if "enum" in s else None
            key = (PATTERNS[s["pattern"]] if "pattern" in s else "ENUM" if text else "STRING", nullable, s.get("minLength", 0),
                   s.get("maxLength", INT_MAX), -1, 0, cstr(text) if text else "NULL")
        elif kind in ("integer", "number"):
            key = (kind.upper(), nullable, s.get("minimum", -INT_MAX), s.get("maximum", INT_MAX), -1, 0, "NULL")
        elif kind == "boolean":
            key = ("BOOLEAN", nullable, 0, 0, -1, 0, "NULL")
        else:
            key = ("ANY", nullable, 0, 0, -1, 0, "NULL")
        if key not in self.index:
            self.index[key] = len(self.rows)
            self.rows.append(key)
        if name:
            self.refs[name] = self.index[key]
        return self.index[key]

    def object(self, s, nullable):
        if s.get("x-free"):
            return ("FREE", nullable, 0, 0, -1, 0, "NULL")
        members = [(n, int(n in s.get("required", [])), self.add(v)) for n, v in s.get("properties", {}).items()]
        first = len(self.fields)
        self.fields += members
        return ("OBJECT", nullable, 0, 0, first, len(members), "NULL")


def parameters(doc, path_item, op):
    out = []
    for p in path_item.get("parameters", []) + op.get("parameters", []):
        out.append(doc["components"]["parameters"][p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p)
    return out


def operations(doc):
    for path, item in doc["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item, item[method]


def api_def(doc):
    types, ops, params = Types(doc), [], []
    for path, method, item, op in operations(doc):
        roles = sorted({r for x in op["x-roles"] for r in INCLUDED[x]}, key=ROLES.index)
        body = op.get("requestBody")
        kind = {None: "JSON" if body else "NONE", "stream": "STREAM", "text": "TEXT"}[op.get("x-body")]
        content = body["content"].get("application/json") if body else None
        schema = types.add(content["schema"]) if content and kind in ("JSON", "TEXT") else -1
        mine = [p for p in parameters(doc, item, op) if p["in"] in ("path", "query")]
        ops.append("OPERATION(%s, %s, %s, %s, %s, %d, %d, %d, %d)" % (
            op["operationId"], method.upper(), cstr(path), " | ".join("API_ROLE_%s" % r.upper() for r in roles), kind,
            op.get("x-limit", 65536) if body else 0, schema, len(params), len(mine)))
        params += ['PARAM(%s, %s, %d)' % (cstr(p["name"]), p["in"].upper(), types.add(p["schema"])) for p in mine]
    out = ["/* Made by proto/gen.py from proto/openapi.yaml; do not edit. proto/api.h explains the rows. */",
           "#ifdef OPERATION", *ops, "#undef OPERATION", "#endif", "#ifdef PARAM", *params, "#undef PARAM", "#endif", "#ifdef TYPE"]
    out += ["TYPE(%s, %d, %s, %s, %d, %d, %s)" % (k, n, lo, hi, ref, count, text) for k, n, lo, hi, ref, count, text in types.rows]
    out += ["#undef TYPE", "#endif", "#ifdef FIELD"]
    out += ["FIELD(%s, %d, %d)" % (cstr(n), r, t) for n, r, t in types.fields]
    return "\n".join(out + ["#undef FIELD", "#endif", ""])


def ts_type(s):
    if "$ref" in s:
        return s["$ref"].rsplit("/", 1)[1]
    if "anyOf" in s:
        return " | ".join(ts_type(x) for x in s["anyOf"])
    if "enum" in s:
        return " | ".join(json.dumps(v) for v in s["enum"])
    kind = s.get("type")
    if isinstance(kind, list):
        return " | ".join(ts_type({**s, "type": k}) for k in kind)
    if kind == "array":
        inner = ts_type(s.get("items", {}))
        return ("(%s)[]" if " " in inner else "%s[]") % inner
    if kind == "object":
        if s.get("x-free") and not s.get("properties"):
            return "{ [name: string]: any }"
        members = ["%s%s: %s" % (n, "" if n in s.get("required", []) else "?", ts_type(v)) for n, v in s.get("properties", {}).items()]
        if s.get("x-free") or not members:
            members.append("[name: string]: any")
        return "{ %s }" % "; ".join(members)
    return {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}.get(kind, "any")


def ts_schema(name, s):
    if s.get("type") != "object":
        return "export type %s = %s;" % (name, ts_type(s))
    lines = ["export interface %s {" % name]
    for n, v in s.get("properties", {}).items():
        if "description" in v:
            lines.append("  /** %s */" % v["description"])
        lines.append("  %s%s: %s;" % (n, "" if n in s.get("required", []) else "?", ts_type(v)))
    if s.get("x-free"):
        lines.append("  [name: string]: any;")
    return "\n".join(lines + ["}"])


def answer(op):
    for status, r in sorted(op["responses"].items()):
        if status[0] == "2" and "content" in r:
            content = r["content"].get("application/json")
            return ts_type(content["schema"]) if content else "Blob_"
    return "void"


def types_ts(doc):
    out = ["// Made by proto/gen.py from proto/openapi.yaml; do not edit.", ""]
    out += [ts_schema(n, s) for n, s in doc["components"]["schemas"].items()]
    out += ["", "export interface Operation { method: string; path: string; roles: readonly string[]; query: readonly string[]; summary: string }", "",
            "export const operations = {"]
    for path, method, item, op in operations(doc):
        query = [p["name"] for p in parameters(doc, item, op) if p["in"] == "query"]
        out.append("  %s: { method: %s, path: %s, roles: %s, query: %s, summary: %s }," % (
            op["operationId"], json.dumps(method.upper()), json.dumps(path), json.dumps(op["x-roles"]), json.dumps(query),
            json.dumps(op["summary"].strip())))
    out += ["} as const satisfies Record<string, Operation>;", "export type OperationId = keyof typeof operations;", "",
            "/** Body of the request and of the successful answer of each operation; Raw is not JSON. */", "export type Raw = Response;",
            "export interface Bodies {"]
    for path, method, item, op in operations(doc):
        body = op.get("requestBody", {}).get("content", {}).get("application/json")
        out.append("  %s: { request: %s; answer: %s };" % (op["operationId"], ts_type(body["schema"]) if body else "void", answer(op).replace("Blob_", "Raw")))
    return "\n".join(out + ["}", ""])


def main():
    doc = yaml.safe_load((ROOT / "proto/openapi.yaml").read_text())
    made = {"proto/api.def": api_def(doc), "webui/src/api/types.ts": types_ts(doc),
            "server/openapi.inc": openapi_inc(doc)}
    stale = [p for p, text in made.items() if not (ROOT / p).exists() or (ROOT / p).read_text() != text]
    if "--check" in sys.argv[1:]:
        for p in stale:
            print("%s is stale: run `make gen`" % p, file=sys.stderr)
        return 1 if stale else 0
    for p in stale:
        (ROOT / p).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / p).write_text(made[p])
        print("wrote", p)
    return 0


def openapi_inc(doc):
    """The document as JSON in C string pieces (string literals have a length limit in ISO C), for /openapi.json."""
    text = json.dumps(doc, separators=(",", ":"))
    pieces = [text[i:i + 2000] for i in range(0, len(text), 2000)]
    return "/* Made by proto/gen.py from proto/openapi.yaml; do not edit. */\n" + "".join("%s,\n" % cstr(p) for p in pieces)


if __name__ == "__main__":
    sys.exit(main())
