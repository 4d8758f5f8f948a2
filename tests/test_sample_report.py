"""The made-up report that other tests read has the shape of a real one."""

import json
from pathlib import Path

import pytest

import babycry_bench.schema
from sample_report import emulated_board, emulated_linux, report

jsonschema = pytest.importorskip("jsonschema", reason="pip install 'babycry-edge[bench]'")
SCHEMA = json.loads((Path(babycry_bench.schema.__file__).parent / "report.schema.json").read_text())


@pytest.mark.parametrize("document", [report(), emulated_linux(), emulated_board()])
def test_the_sample_has_the_shape_of_a_report(document: dict) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    branch = {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{document['kind']}"}
    errors = list(jsonschema.Draft202012Validator(branch).iter_errors(document))
    assert not errors, errors[0]
