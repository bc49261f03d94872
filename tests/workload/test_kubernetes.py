"""Kubernetes objects: what pods ask for, Jobs, gangs, several documents, and files that are made to do harm."""

from __future__ import annotations

import json

import pytest

from dcsim.errors import TraceError
from dcsim.workload import traces
from dcsim.workload.traces import _fields, _manifests

GIB = 2.0**30


def pod(name="p", created="2024-05-01T12:00:00Z", requests=None, limits=None, annotations=None, **spec):
    resources = {"requests": {"cpu": "1"} if requests is None and limits is None else requests, "limits": limits}
    metadata = {"name": name, "creationTimestamp": created, "annotations": annotations}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"resources": resources}]} | spec,
    }


def job(created="2024-05-01T12:00:00Z", template=None, **spec):
    template = template or {"spec": pod(requests={"cpu": "2"})["spec"]}
    return {
        "kind": "Job",
        "metadata": {"name": "j", "creationTimestamp": created},
        "spec": {"template": template} | spec,
    }


def text(*objects):
    return "\n---\n".join(each if isinstance(each, str) else json.dumps(each) for each in objects)


@pytest.fixture
def load(tmp_path):
    def loader(*objects, function="read", **options):
        path = tmp_path / "objects.yaml"
        path.write_text(text(*objects), encoding="utf-8")
        return getattr(traces, function)(path, "kubernetes", traces.Reading(**options))

    return loader


def listed(block):
    return {key: values.tolist() for key, values in block.columns.items() if key not in block.labels}


def names(block, label):
    return [block.labels[label][int(code)] for code in block.columns[label]]


def test_a_file_of_several_documents_in_yaml(load):
    block = load(
        """
# A pod, as kubectl shows it
apiVersion: v1
kind: Pod
metadata:
  name: trainer
  namespace: ml
  creationTimestamp: "2024-05-01T12:00:30Z"
  labels: {app: "a --- b"}
spec:
  priorityClassName: high
  nodeSelector: {nvidia.com/gpu.product: H100}
  activeDeadlineSeconds: 3600
  initContainers:
  - resources: {requests: {cpu: 3, memory: 1Gi}}
  containers:
  - name: main
    args:
    - |
      text with --- within
    resources:
      requests: {cpu: 500m, memory: 4Gi}
      limits: {cpu: 1, memory: 8Gi, nvidia.com/gpu: 2}
  - resources: {limits: {cpu: 1500m, memory: 512M}}
""",
        """kind: PriorityClass
metadata: {name: high}
value: 1000""",
        "# nothing but a comment",
        """kind: Pod
metadata: {name: web, creationTimestamp: 2024-05-01T14:00:00+02:00}
spec: {activeDeadlineSeconds: 60, containers: [{resources: {requests: {cpu: 2.5}}}]}
...
""",
    )
    assert block.arrival_s.tolist() == [0.0, 30.0]
    assert listed(block) == {
        "processors": [3.0, 2.0],
        "share": [1.0, 1.0],
        "cores": [2.5, 3.0],
        "memory_bytes": [0.0, 4 * GIB + 512e6],
        "nodes": [1.0, 1.0],
        "requested_s": [60.0, 3600.0],
        "priority": [0.0, 1000.0],
    }
    assert names(block, "device_kind") == ["cpu", "H100"]
    assert names(block, "queue") == ["default", "ml"]
    assert names(block, "slo_class") == ["", "high"]
    assert names(block, "kind") == ["Pod", "Pod"]


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        *(("2", 2), ("500m", 0.5), ("0.1", 0.1), (".5", 0.5), ("2e3", 2e3), ("0", 0), ("100u", 1e-4), ("5n", 5e-9)),
        *(("4Gi", 4 * GIB), ("64Mi", 2.0**26), ("1Ki", 1024), ("1Ti", 2.0**40)),
        *(("1k", 1e3), ("3M", 3e6), ("1E", 1e18)),
    ],
)
def test_quantities(written, amount):
    assert _fields.quantity(written) == pytest.approx(amount, rel=1e-15)


@pytest.mark.parametrize(
    "written", ["", "-1", "1 Gi", "1GB", "1e", "1e400", "9Ei9", "٣", "1_0", "inf", "20E", None, ["1"]]
)
def test_what_is_no_quantity(written):
    assert _fields.quantity(written) is None


def test_openb_annotations_give_shares_and_models(load):
    block = load(
        pod(annotations={"alibabacloud.com/gpu-milli": "460", "alibabacloud.com/gpu-count": "1"}),
        pod(annotations={"alibabacloud.com/gpu-milli": "1000", "alibabacloud.com/gpu-count": "4"}),
        pod(annotations={"alibabacloud.com/gpu-milli": "500", "alibabacloud.com/gpu-card-model": "V100M16|V100M32"}),
        pod(annotations={"alibabacloud.com/gpu-milli": "0", "alibabacloud.com/gpu-count": "0"}),
    )
    assert block.columns["processors"].tolist() == [1.0, 4.0, 1.0, 1.0]
    assert block.columns["share"].tolist() == [0.46, 1.0, 0.5, 1.0]
    assert names(block, "device_kind") == ["gpu", "gpu", "V100M16|V100M32", "cpu"]


def test_a_job_is_as_many_pods_as_it_completes(load):
    block = load(
        job(completions=3, parallelism=2), job("2024-05-01T12:00:10Z", parallelism=2), job("2024-05-01T12:00:20Z")
    )
    assert block.arrival_s.tolist() == [0.0] * 3 + [10.0] * 2 + [20.0]
    assert block.columns["cores"].tolist() == [2.0] * 6
    assert names(block, "kind") == ["Job"] * 6


def test_run_times_come_from_the_status_where_all_jobs_have_one(load):
    ended = {"terminated": {"startedAt": "2024-05-01T12:01:00Z", "finishedAt": "2024-05-01T12:03:00Z"}}
    done = pod() | {"status": {"containerStatuses": [{"state": ended}]}}
    whole = job(activeDeadlineSeconds=50)
    whole["status"] = {"startTime": "2024-05-01T12:00:00Z", "completionTime": "2024-05-01T12:00:40Z"}
    assert load(done, whole).columns["run_s"].tolist() == [120.0, 40.0]
    assert "run_s" not in load(done, pod()).columns
    assert "requested_s" not in load(done, whole).columns


def test_pods_of_a_group_are_one_job(load):
    group = {"kind": "PodGroup", "metadata": {"name": "g"}, "spec": {"minMember": 2}}
    mark = {"scheduling.k8s.io/group-name": "g"}
    block = load(
        group,
        pod(limits={"nvidia.com/gpu": "8", "cpu": "16"}, annotations=mark),
        pod(created="2024-05-01T11:00:00Z"),
        pod(created="2024-05-01T12:00:05Z", limits={"nvidia.com/gpu": "8", "cpu": "4"}, annotations=mark),
    )
    assert block.arrival_s.tolist() == [0.0, 3605.0]
    assert block.columns["processors"].tolist() == [1.0, 16.0]
    assert block.columns["cores"].tolist() == [1.0, 20.0]
    assert block.columns["nodes"].tolist() == [1.0, 2.0]
    assert names(block, "kind") == ["Pod", "PodGroup"]


def test_a_group_of_one_is_no_gang_and_one_without_pods_is_left_out(load):
    one = {"kind": "PodGroup", "metadata": {"name": "g"}, "spec": {"minMember": 1}}
    empty = {"kind": "PodGroup", "metadata": {"name": "h"}, "spec": {}}
    mark = {"scheduling.k8s.io/group-name": "g"}
    block = load(one, empty, pod(annotations=mark), pod(annotations=mark))
    assert block.columns["nodes"].tolist() == [1.0, 1.0]
    assert dict(block.dropped) == {"a PodGroup without pods": 1}


def test_a_job_of_a_group_is_one_gang(load):
    template = {"metadata": {"labels": {"scheduling.x-k8s.io/pod-group": "g"}}, "spec": pod()["spec"]}
    block = load(job(template=template, completions=4, parallelism=4))
    assert block.columns["nodes"].tolist() == [4.0]
    assert block.columns["cores"].tolist() == [4.0]


def test_lists_of_objects(load):
    items = [pod(name="a"), job()]
    assert len(load({"kind": "List", "items": items})) == 2
    untyped = [{key: value for key, value in pod().items() if key != "kind"}]
    assert len(load({"kind": "PodList", "items": untyped})) == 1


def test_objects_without_times_are_a_set_to_pack(load):
    objects = [pod(created=None, requests={"cpu": "2"}), pod(created=None, limits={"nvidia.com/gpu": 1})]
    with pytest.raises(TraceError, match="no object has a creationTimestamp"):
        load(*objects)
    block = load(*objects, function="items")
    assert block.arrival_s.tolist() == [0.0, 0.0]
    assert block.columns["processors"].tolist() == [2.0, 1.0]
    with pytest.raises(TraceError, match="row 2, column 'creationTimestamp': found nothing"):
        load(pod(), objects[0])


def test_one_sort_of_pods_can_be_chosen(load):
    objects = [pod(requests={"cpu": "2"}), pod(limits={"nvidia.com/gpu": 4})]
    block = load(*objects, select="gpu")
    assert block.columns["processors"].tolist() == [4.0]
    assert dict(block.dropped) == {"without GPUs": 1}
    assert load(*objects, select="cpu").columns["processors"].tolist() == [2.0]
    with pytest.raises(TraceError, match="option select: found 'tpu'"):
        load(*objects, select="tpu")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("a: [1", "want a Kubernetes object in YAML"),
        ("a: 1\na: 2", "the key 'a' is there twice (line 4)"),
        ("base: &b {a: 1}\nx: {<<: *b}", "a merge key (<<), which is not read"),
        ("? [1]\n: 2", "a key must be a word"),
        ("&a [*a]", "recursive"),
        ("[" * 100_000, "nested deeper than 50 levels"),
        ("- " * 100_000, "nested deeper than 50 levels"),
        ("a: &a 1\nb: [" + "*a, " * 20_000 + "]", "more than 10000 aliases"),
        ("!!python/object/apply:os.system [ls]", "want a Kubernetes object with a kind"),
        ("just words", "found 'just words', want a Kubernetes object with a kind"),
        ({"kind": "Service", "metadata": {"name": "web"}}, "column 'kind': found 'Service web', want a Pod, Job"),
        ({"metadata": {}}, "column 'kind': found nothing"),
        ({"kind": ["Pod"]}, "column 'kind': found 'a list'"),
        ({"kind": "List", "items": "x"}, "column 'items': found 'x', want a list of objects"),
        ({"kind": "List", "items": [{"kind": "List"}]}, "none of them a list"),
        (pod(requests={}), "column 'resources': found nothing, want requests or limits"),
        (pod(requests={"cpu": "-1"}), "column 'resources': found '-1', want a quantity of cpu"),
        (pod(requests={"memory": "4GiB"}), "found '4GiB', want a quantity of memory"),
        (pod(requests={"cpu": "1E"}), "want at most 1e+07 cores or GPUs"),
        (pod(limits={"nvidia.com/gpu": "0.5"}), "found '0.5 GPUs', want a whole number of GPUs"),
        (
            pod(requests={"nvidia.com/gpu": 1}, limits={"nvidia.com/gpu": 2}),
            "want as many GPUs in limits as in requests",
        ),
        (pod(limits={"nvidia.com/mig-1g.5gb": 1}), "found 'nvidia.com/mig-1g.5gb', want whole GPUs"),
        (pod(annotations={"alibabacloud.com/gpu-milli": "2000"}), "column 'gpu-milli': found '2000'"),
        (pod(annotations={"alibabacloud.com/gpu-milli": "half"}), "found 'half', want a whole number"),
        (pod(annotations=[1]), "column 'annotations': found 'a list', want a mapping"),
        (pod(containers="none"), "column 'containers': found 'none', want a list of mappings"),
        (pod(created="yesterday"), "column 'creationTimestamp': found 'yesterday', want a time with its zone"),
        (pod(created="2024-05-01 12:00:00"), "column 'creationTimestamp'"),
        (pod(created="2024-02-30T12:00:00Z"), "column 'creationTimestamp'"),
        (pod(activeDeadlineSeconds=0), "column 'activeDeadlineSeconds': found '0', want a whole number from 1"),
        (pod(priority="high"), "column 'priority': found 'high'"),
        (job(completions=0), "column 'completions': found '0'"),
        (job(completions=10**8), "column 'completions': found '1e+08', want at most 100000 pods"),
        (
            pod(annotations={"scheduling.k8s.io/group-name": "g", "alibabacloud.com/gpu-milli": "5"}),
            "whole GPUs in a gang",
        ),
    ],
)
def test_a_bad_document_is_refused_by_its_number_or_skipped(load, bad, message):
    with pytest.raises(TraceError) as caught:
        load(pod(), bad)
    assert "row 2" in str(caught.value)
    assert message in str(caught.value)
    block = load(pod(), bad, pod(), bad_rows="skip")
    assert len(block) == 2
    assert message in block.told[0]


def test_a_gang_that_cannot_be_complete_is_bad(load):
    group = {"kind": "PodGroup", "metadata": {"name": "g"}, "spec": {"minMember": 3}}
    with pytest.raises(TraceError, match="row 2, column 'minMember': found '1 pods', want the 3 pods"):
        load(group, pod(annotations={"scheduling.k8s.io/group-name": "g"}))


def test_words_stay_words(load):
    block = load(
        "kind: Pod\nmetadata: {namespace: no}\nspec: {containers: [{resources: {requests: {cpu: 0x1}}}]}",
        pod(),
        bad_rows="skip",
    )
    assert dict(block.dropped) == {"bad resources": 1}


def test_bounds_on_documents(load, monkeypatch):
    monkeypatch.setattr(_manifests, "MAX_DOCUMENTS", 2)
    with pytest.raises(TraceError, match="more than 2 documents"):
        load(*[pod()] * 4)
    monkeypatch.setattr(_manifests, "MAX_DOCUMENT_CHARS", 100)
    with pytest.raises(TraceError, match="line 1: a document of more than 100 characters"):
        load(pod())


@pytest.mark.parametrize(
    "content", ["", "---\n---\n", "# nothing\n", "kind: PriorityClass\nmetadata: {name: a}\nvalue: 1"]
)
def test_a_file_without_jobs_is_refused(load, content):
    with pytest.raises(TraceError, match="no jobs"):
        load(content)
