"""output.json: whole or not there, once, strict, and small enough."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Edge, Node, Report, Source, Table
from cortex_grow.net.redact import Redactor
from cortex_grow.worker.analyzer import fitting
from cortex_grow.worker.output import Output, encode

SEED = Indicator("domain", "seed.example")


def written(folder: Path) -> Any:
    return json.loads((folder / "output" / "output.json").read_text(encoding="utf-8"))


def test_a_result_is_written_once(tmp_path: Path) -> None:
    output = Output(tmp_path)
    wrote = []
    threads = [threading.Thread(target=lambda n=n: wrote.append(output.failure(f"number {n}"))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrote.count(True) == 1
    assert not output.success({"full": {}})
    assert written(tmp_path)["success"] is False
    assert os.listdir(tmp_path / "output") == ["output.json"], "a temporary file was left behind"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"bytes"])
def test_what_is_no_json_becomes_a_failure(tmp_path: Path, value: Any) -> None:
    Output(tmp_path).success({"full": {"value": value}})
    result = written(tmp_path)
    assert result["success"] is False and "cannot be written" in result["errorMessage"]


def test_a_circle_becomes_a_failure(tmp_path: Path) -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    Output(tmp_path).success({"full": circle})
    assert written(tmp_path)["success"] is False


def test_lone_surrogates_do_not_break_the_file() -> None:
    assert json.loads(encode({"a": "\ud800x"}).decode("utf-8")) == {"a": "?x"}


def test_secrets_are_taken_out_of_every_corner(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.redact = Redactor(["s3cr3t/value+1"]).redact_tree
    full = {"a": ["x s3cr3t/value+1 y", {"s3cr3t/value+1": 1}], "url": "https://h/?k=s3cr3t%2Fvalue%2B1"}
    output.success({"full": full, "summary": {"taxonomies": [{"value": "s3cr3t/value+1"}]}})
    text = (tmp_path / "output" / "output.json").read_text(encoding="utf-8")
    assert "s3cr3t" not in text and json.loads(text)["success"] is True


FULL_DISK = """
import resource, sys
from pathlib import Path
from cortex_grow.worker.output import Output
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
Output(Path(sys.argv[1])).success({"full": {"text": "x" * 100000}})
"""


def test_a_full_disk_ends_in_a_short_failure(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = written(tmp_path)
    assert result["success"] is False and "File too large" in result["errorMessage"]


def test_a_report_is_cut_to_size_and_says_so() -> None:
    nodes = {SEED.id: Node(SEED)}
    edges = {}
    for number in range(3000):
        node = Node(Indicator("url", f"http://host-{number}.example/{'a' * 300}"), hub="shared" if number % 2 else None)
        nodes[node.indicator.id] = node
        edge = Edge(node.indicator.id, "hosted-by", SEED.id, "X")
        edges[edge.key] = edge
    rows = tuple((str(number), "y" * 200) for number in range(2000))
    report = Report(Source("X", "1.0"), (SEED,), nodes, edges, facts=(Table("t", "X", ("n", "v"), rows),))
    cut = fitting(report, 1_000_000)
    assert len(json.dumps(cut.to_dict())) < 1_000_000
    assert SEED.id in cut.nodes and len(cut.nodes) > 100
    hubs = sum(1 for node in cut.nodes.values() if node.hub)
    assert hubs < len(cut.nodes) / 2, "dead ends are cut before others"
    known = {*cut.nodes, *cut.suppressed}
    assert all(edge.source in known and edge.target in known for edge in cut.edges.values())
    assert {limit.what for limit in cut.limits} == {"rows of facts", "related indicators"}
    related = next(limit for limit in cut.limits if limit.what == "related indicators")
    assert (related.found, related.kept) == (3001, len(cut.nodes))
    small = Report(Source("X", "1.0"), (SEED,), {SEED.id: Node(SEED)})
    assert fitting(small) is small
