"""The models of the OpenAPI document: each described once, and what refers to it."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from adapters.http.operation import Operation
from adapters.http.problems import Problem
from adapters.http.tokens import OAuthProblem, TokenReply, TokenRequest

Document = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Schemas:
    """Every model that is said or answered, and what refers to each.

    Two models of one name, of two packages, are told apart by a longer name.
    """

    definitions: Document
    references: Mapping[tuple[type[BaseModel], JsonSchemaMode], Document]

    def request(self, model: type[BaseModel]) -> Document:
        """Refers to a model as it is sent to us."""
        return self.references[model, "validation"]

    def reply(self, model: type[BaseModel]) -> Document:
        """Refers to a model as we answer it."""
        return self.references[model, "serialization"]


def schemas_of(operations: Iterable[Operation]) -> Schemas:
    """The models of ``operations``, and those of tokens and problems."""
    requests: list[tuple[type[BaseModel], JsonSchemaMode]] = [(TokenRequest, "validation")]
    replies: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (model, "serialization") for model in (Problem, OAuthProblem, TokenReply)
    ]
    for operation in operations:
        if operation.body is not None and operation.method == "POST":
            requests.append((operation.body, "validation"))
        if operation.reply is not None:
            replies.append((operation.reply, "serialization"))
    return _described(tuple(dict.fromkeys([*requests, *replies])))


@functools.cache  # several apps in one process describe the same models
def _described(models: tuple[tuple[type[BaseModel], JsonSchemaMode], ...]) -> Schemas:
    references, document = models_json_schema(models, ref_template=_SCHEMAS)
    return Schemas(
        definitions=document["$defs"], references={model: references[model] for model in models}
    )


def whole(schema: Document, definitions: Document) -> Document:
    """``schema`` referring to nothing, as a parameter's must: what it refers to stands in it."""
    own = {name: _member(member, definitions) for name, member in schema.items() if name != "$ref"}
    if "$ref" not in schema:
        return own
    _, _, named = schema["$ref"].rpartition("/")
    return whole(definitions[named], definitions) | own


def _member(member: object, definitions: Document) -> object:
    if isinstance(member, dict):
        return whole(member, definitions)
    if isinstance(member, list):
        return [_member(one, definitions) for one in member]
    return member
