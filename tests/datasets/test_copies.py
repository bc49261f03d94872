"""Checksums that were computed from copies: the copies that DCSIM_DATA holds still give them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dcsim import datasets

if not os.environ.get("DCSIM_DATA"):
    pytest.skip("DCSIM_DATA is not set", allow_module_level=True)
DATA = Path(os.environ["DCSIM_DATA"]) / "data"

COPIES = {
    "mooncake-conversation": "traces/mooncake_conversation.jsonl.gz",
    "openb-pods": "traces/openb_pod_list_default.csv",
    "openb-pods-cpu200": "traces/openb_pod_list_cpu200.csv",
    "openb-pods-multigpu20": "traces/openb_pod_list_multigpu20.csv",
    "openb-nodes": "traces/openb_node_list_gpu_node.csv",
    "alibaba-dlrm-2025": "traces/alibaba_dlrm_2025.csv.gz",
    "lublin-256": "traces/lublin_256.swf",
    "weather-phoenix": "weather/USA_AZ_Phoenix-Sky.Harbor.epw.gz",
    "weather-chicago": "weather/USA_IL_Chicago.OHare.epw.gz",
    "weather-leesburg": "weather/USA_VA_Leesburg.Exec.epw.gz",
    "weather-seattle": "weather/USA_WA_Seattle-Tacoma.epw.gz",
}


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def check(name: str, found: bytes) -> None:
    entry = datasets.find(name)
    assert (len(found), hashlib.sha256(found).hexdigest()) == (entry.bytes, entry.sha256)


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_has_the_checksum(name):
    check(name, content(DATA / COPIES[name]))


def test_every_checksum_of_a_copy_is_tested():
    told = {name for name, entry in datasets.known().items() if "copy" in (entry.checksum_from or "")}
    assert told == {*COPIES, "azure-llm-2023-conv"}


def test_the_azure_conversation_trace_is_rebuilt_from_its_seconds():
    """The copy has seconds since the first request; the original has the times of day and lines that end in CR LF."""
    rows = csv.DictReader(io.StringIO(content(DATA / "traces/azure_llm_2023_conv.csv.gz").decode()))
    start = datetime(2023, 11, 16, 18, 15, 46, 680590)
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for row in rows:
        at = start + timedelta(microseconds=round(float(row["arrived_at"]) * 1e6))
        lines.append(f"{at:%Y-%m-%d %H:%M:%S.%f}0,{row['num_prefill_tokens']},{row['num_decode_tokens']}")
    check("azure-llm-2023-conv", "\r\n".join(lines).encode())
