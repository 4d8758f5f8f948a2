"""A shard's file: what is written is read again, and nothing else is."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyarrow")

from babycry_bench.accuracy.answer import Answer, Recording, SystemSpec
from babycry_bench.corpus.parquet_store import (
    ROW_GROUP,
    arrow_schema,
    is_finished,
    read_shard,
    write_shard,
)
from babycry_bench.corpus.shards import CorpusPlan, Fingerprint, ShardItem, make_plan
from babycry_bench.corpus.work import Row
from babycry_edge.errors import BabycryError

score = st.floats(0, 1)
scores = st.lists(score, max_size=5)
spans = st.lists(st.lists(score, min_size=4, max_size=4), max_size=3)
answers = st.builds(
    Answer,
    model=st.text(max_size=5).map(lambda text: text.encode("utf-8", "replace").decode()),
    recording=st.just("r0"),
    label=st.none() | st.just("cry"),
    duration_s=st.floats(0, 1e6),
    scores=scores,
    reference_scores=scores,
    window_scores=scores,
    reference_window_scores=scores,
    events=spans,
    reference_events=spans,
    true_events=st.none() | spans,
    feature_snr_db=st.none() | score,
    error=st.just("") | st.just("why"),
)


def plan_of(folder: Path, count: int, seconds: float = 100.0) -> CorpusPlan:
    model = folder / "net.model"
    model.write_bytes(b"network")
    items = [
        ShardItem(Recording(Path(f"r{at}"), f"r{at}"), Fingerprint(1, 1), seconds)
        for at in range(count)
    ]
    return make_plan(items, [SystemSpec(model)], {}, 60.0)


def rows_of(plan: CorpusPlan, shard: int = 0) -> list[Row]:
    return [
        Row(Answer("m", item.recording.name, None, 1.0, window_scores=[0.25, 0.5]), "")
        for item in plan.shards[shard].items
    ]


@settings(max_examples=50, deadline=None)
@given(answer=answers, digest=st.text("0123456789abcdef", max_size=64))
def test_every_answer_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, answer: Answer, digest: str
) -> None:
    folder = tmp_path_factory.mktemp("shard")
    plan = plan_of(folder, 1)
    rows = [Row(answer, digest), Row(replace(answer, model="second"), digest)]
    write_shard(folder, plan, plan.shards[0], rows)
    assert list(read_shard(folder, plan, plan.shards[0])) == rows


def test_columns_are_the_fields_of_an_answer() -> None:
    schema = arrow_schema()
    assert schema.names == [field.name for field in fields(Answer)] + ["file_sha256"]
    nullable = {field.name for field in schema if field.nullable}
    assert nullable == {"label", "true_events", "feature_snr_db"}


def test_same_rows_same_bytes_and_row_groups_bound_what_is_read(tmp_path: Path) -> None:
    import pyarrow.parquet

    plan = plan_of(tmp_path, 3 * ROW_GROUP + 1, seconds=1.0)
    first = write_shard(tmp_path, plan, plan.shards[0], rows_of(plan)).read_bytes()
    path = write_shard(tmp_path, plan, plan.shards[0], rows_of(plan))
    assert path.read_bytes() == first
    assert pyarrow.parquet.ParquetFile(path).num_row_groups == 4
    assert list(read_shard(tmp_path, plan, plan.shards[0])) == rows_of(plan)


def test_file_of_another_plan_or_shard_or_with_other_rows(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 2, seconds=3600.0)
    one, two = plan.shards
    path = write_shard(tmp_path, plan, one, rows_of(plan))
    assert is_finished(tmp_path, plan, one)
    assert not is_finished(tmp_path, plan, two)
    path.rename(tmp_path / two.file_name)
    with pytest.raises(BabycryError, match="another shard than its name says: delete it"):
        list(read_shard(tmp_path, plan, two))
    write_shard(tmp_path, replace(plan, settled={**plan.settled, "models": "x"}), one, [])
    with pytest.raises(BabycryError, match="belongs to another plan"):
        list(read_shard(tmp_path, plan, one))
    write_shard(tmp_path, plan, one, [])
    with pytest.raises(BabycryError, match="does not hold the recordings"):
        list(read_shard(tmp_path, plan, one))
    assert not is_finished(tmp_path, plan, one)


def test_damage_anywhere_is_found(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 20)
    shard = plan.shards[0]
    path = write_shard(tmp_path, plan, shard, rows_of(plan))
    whole, rows = path.read_bytes(), rows_of(plan)
    for size in range(0, len(whole), max(1, len(whole) // 50)):
        path.write_bytes(whole[:size])
        assert not is_finished(tmp_path, plan, shard)
    for at in range(0, len(whole), max(1, len(whole) // 400)):
        flipped = whole[at] ^ (0x55, 0x80, 0xFF)[at % 3]
        path.write_bytes(whole[:at] + bytes([flipped]) + whole[at + 1 :])
        try:
            read = list(read_shard(tmp_path, plan, shard))
        except BabycryError as error:
            assert "\n" not in str(error)
        else:
            assert read == rows, f"byte {at}"  # a byte that no reader looks at


def test_columns_of_another_version(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    plan = plan_of(tmp_path, 1)
    pyarrow.parquet.write_table(
        pyarrow.table({"model": ["m"]}), tmp_path / plan.shards[0].file_name
    )
    with pytest.raises(BabycryError, match="has other columns"):
        list(read_shard(tmp_path, plan, plan.shards[0]))
