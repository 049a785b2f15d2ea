"""Every exchange the system tests make is held against proto/openapi.yaml: the operation must be known, the status one it
declares (or a problem document), the body valid under its schema. `visited` collects the operations seen."""
import functools
import json
import pathlib
import re

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = ("get", "head", "put", "post", "patch", "delete")
visited = set()


@functools.lru_cache(None)
def document():
    return yaml.load((ROOT / "proto" / "openapi.yaml").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.lru_cache(None)
def operations():
    """[(method, expression of the path, operation)]; paths without parameters come first."""
    found = []
    for path, item in document()["paths"].items():
        expression = re.compile(re.sub(r"\\{[^}]*\\}|\{[^}]*\}", "[^/]+", path.replace(".", r"\.")) + "$")
        for method in METHODS:
            if method in item:
                found.append(("{" in path, method.upper(), expression, item[method]))
    return [row[1:] for row in sorted(found, key=lambda row: row[0])]


def resolve(node):
    while "$ref" in node:
        target = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


@functools.lru_cache(None)
def validator(text):
    resolver = jsonschema.RefResolver("", document())
    return jsonschema.Draft202012Validator(json.loads(text), resolver=resolver)


def valid(schema, value, what):
    errors = sorted(validator(json.dumps(schema)).iter_errors(value), key=lambda e: e.path)
    assert not errors, f"{what}: {'/'.join(map(str, errors[0].path))}: {errors[0].message[:300]}"


def check(method, path, status, content_type, body):
    """One exchange; path without query."""
    match = [op for m, expression, op in operations() if m == method and expression.match(path)]
    if not match:
        assert not path.startswith("/api/") or status in (404, 405), f"{method} {path} is not in the contract: {status}"
        return
    op = match[0]
    what = f"{method} {path} ({op['operationId']}) {status}"
    visited.add(op["operationId"])
    if status >= 400:
        if method != "HEAD":
            assert content_type.startswith("application/problem+json"), f"{what}: {content_type}"
            problem = json.loads(body)
            valid({"$ref": "#/components/schemas/Problem"}, problem, what)
            assert problem["status"] == status, what
        return
    assert str(status) in op["responses"], f"{what}: only {sorted(op['responses'])} are declared"
    content = resolve(op["responses"][str(status)]).get("content", {})
    kind = content_type.split(";")[0]
    if not content:
        return
    assert kind in content, f"{what}: {kind} is not declared"
    schema = content[kind].get("schema")
    if kind == "application/json" and schema:
        valid(schema, json.loads(body), what)


def unvisited():
    return sorted({op["operationId"] for _, _, op in operations()} - visited)
