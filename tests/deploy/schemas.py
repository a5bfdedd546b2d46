"""JSON Schemas for kubeconform, made of what the Go modules of the bed carry: Kubernetes' OpenAPI
description and the CustomResourceDefinitions of cert-manager and the Prometheus Operator."""

import json
import re
from pathlib import Path

from manifests import objects_of
from programs import CRD_FOLDER, OPENAPI

# What may be written as a number as well as a string.
EITHER = ("int-or-string", "quantity")


def strict(schema, definitions):
    """A schema that stands alone and refuses unknown fields."""
    if isinstance(schema, list):
        return [strict(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name.endswith("resource.Quantity"):
            return {"type": ["string", "number"]}
        return strict(definitions[name], definitions)
    if schema.get("format") in EITHER or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    made = {name: strict(value, definitions) for name, value in schema.items()
            if not name.startswith("x-kubernetes") and name not in ("description", "format")}
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {name: strict(value, definitions)
                              for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    return made


def write(folder, group, version, kind, schema):
    """Under the name that LOCATION asks for."""
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], version) if part)
    schema["properties"]["apiVersion"] = {"const": f"{group}/{version}".lstrip("/")}
    schema["properties"]["kind"] = {"const": kind}
    (Path(folder) / f"{name}.json").write_text(json.dumps(schema))


def write_kubernetes(folder, kinds):
    definitions = json.loads(OPENAPI.read_text())["definitions"]
    for definition in definitions.values():
        for named in definition.get("x-kubernetes-group-version-kind", []):
            if named["kind"] in kinds and re.fullmatch(r"v\d", named["version"]) \
                    and "metadata" in definition.get("properties", {}):
                write(folder, named["group"], named["version"], named["kind"],
                      strict(definition, definitions))
    return strict(definitions["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"], definitions)


def write_crds(folder, metadata):
    for path in sorted(CRD_FOLDER.glob("*.yaml")):
        [crd] = objects_of(path.read_text())
        for version in crd["spec"]["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"], {})
            schema["properties"]["metadata"] = metadata
            write(folder, crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"],
                  schema)


LOCATION = "{{.ResourceKind}}{{.KindSuffix}}.json"


def write_all(folder, kinds):
    """Schemas of the Kubernetes kinds that are named, and of the custom ones."""
    write_crds(folder, write_kubernetes(folder, kinds))
