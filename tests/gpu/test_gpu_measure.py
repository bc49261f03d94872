"""The parts of benchmarks/gpu_measure.py that need no GPU: arguments, work counts, statistics, the CSV."""

from __future__ import annotations

import csv
import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_PATH = Path(__file__).parents[2] / "benchmarks" / "gpu_measure.py"


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_measure", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_measure"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_arguments(measure: ModuleType) -> None:
    wanted = measure.parse(["--out", "x.csv", "--only", "gemm, copy"])
    assert wanted.only == ("gemm", "copy")
    assert (wanted.device, wanted.seconds) == (0, 1.0)
    assert measure.parse(["--out", "x.csv"]).only == measure.KINDS


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "gem"], "found gem; allowed: idle, gemm"),
        (["--only", ","], "found nothing"),
        (["--seconds", "0"], "--seconds: found 0"),
        (["--seconds", "nan"], "--seconds: found nan"),
        (["--device", "-1"], "--device: found -1"),
    ],
)
def test_bad_arguments(
    measure: ModuleType, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        measure.parse(["--out", "x.csv", *arguments])
    assert stop.value.code == 2
    assert says in capsys.readouterr().err


def test_work_of_a_product(measure: ModuleType) -> None:
    case = measure.gemm_case(2, 10, "bf16")
    assert case.flop == 2 * 2 * 10 * 10
    assert case.moved_bytes == 2 * (2 * 10 + 10 * 10 + 2 * 10)
    assert measure.gemm_case(2, 10, "fp8").moved_bytes == 1 * (20 + 100) + 2 * 20


def test_work_of_a_decoder_block(measure: ModuleType) -> None:
    """The block of Llama 3.1 8B: 218 M weights, 4 kB of cache per token."""
    one = measure.decoder_case(1, 1, 0)
    weights = 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336
    assert one.flop == 2 * weights + 4 * 4096
    assert one.moved_bytes == 2 * weights + 4096
    more = measure.decoder_case(8, 1, 1023)
    assert more.moved_bytes - 2 * weights == 8 * 1024 * 4096
    assert measure.decoder_case(1, 100, 0).flop == 100 * 2 * weights + 4 * 4096 * 5050


def test_statistics_of_a_timing(measure: ModuleType) -> None:
    case = measure.Case("copy", "bytes=100", "bytes", 50.0, 200.0)
    machine = measure.Machine("toy", "1.0", "2.0", "2026-01-01")
    got = measure.line(case, measure.Timing((1.0, 2.0, 3.0, 2.0), 10, 400.0), machine)
    assert got.calls == 40
    assert got.latency_s == pytest.approx(0.2)
    assert got.power_w == pytest.approx(50.0)
    assert got.energy_j == pytest.approx(10.0)
    assert (got.flop_per_s, got.bytes_per_s) == pytest.approx((250.0, 1000.0))
    assert got.latency_spread == pytest.approx((0.275 - 0.125) / 0.2)
    with pytest.raises(ValueError, match="nothing was timed"):
        measure.line(case, measure.Timing((), 1, 0.0), machine)


def test_one_group_has_no_spread(measure: ModuleType) -> None:
    case, machine = measure.Case("idle", "context", "-", 0.0, 0.0), measure.Machine("toy", "1", "2", "d")
    got = measure.line(case, measure.Timing((5.0,), 1, 500.0), machine)
    assert (got.latency_spread, got.power_w) == (0.0, 100.0)


def test_csv(measure: ModuleType) -> None:
    machine = measure.Machine("NVIDIA H100, 80GB", "1", "2", "d")
    got = measure.line(measure.gemm_case(1, 64, "fp16"), measure.Timing((1 / 3,), 1, 1.0), machine)
    out = io.StringIO()
    measure.write([got, got], out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == 2
    assert rows[0]["gpu"] == "NVIDIA H100, 80GB"
    assert rows[0]["latency_s"] == "0.333333"
    assert rows[0]["calls"] == "1"


def test_the_list_of_works_needs_no_gpu(measure: ModuleType) -> None:
    cases = [case for case, _ in measure.works(None, measure.KINDS)]
    assert {case.kind for case in cases} == {"gemm", "copy", "resnet", "decoder"}
    assert len({(case.kind, case.detail, case.precision) for case in cases}) == len(cases)
    assert all(case.flop + case.moved_bytes > 0 for case in cases)


def test_calls_are_grouped_until_a_group_can_be_timed(measure: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Meter:
        def energy_j(self) -> float:
            return 0.0

    timed = []

    def each_takes_a_millisecond(call: object, torch: object, calls: int) -> float:
        assert (call, torch) == (print, None)
        timed.append(calls)
        return calls * 1e-3

    monkeypatch.setattr(measure, "_timed", each_takes_a_millisecond)
    got = measure.measure(print, None, Meter(), 1.0)
    assert got.calls_per_group == 32  # the first power of two that takes 20 ms
    assert sum(got.group_s) == pytest.approx(1.024)
    assert timed[:7] == [1, 2, 4, 8, 16, 32, 200]  # then a fifth of a second to warm up


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(_PATH), "--out", str(tmp_path / "x.csv"), "--device", "999"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("gpu_measure: ")
    assert len(done.stderr.strip().splitlines()) == 1
