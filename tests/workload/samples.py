"""A small good file of every trace format, written by hand. Tests load this module with `importlib`.

A format that has no sample fails `test_traces_fuzz.py`. To add one: an entry of SAMPLES, text or bytes or a function
that writes what it needs into a folder and returns the path to read, and, where the format cannot be read without
options, an entry of OPTIONS.
"""

# ruff: noqa: E501  # rows of tables

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet


def _parquet(folder: Path) -> Path:
    jobs = {
        "submit_s": [0.0, 10.0, 20.0],
        "run_s": [120, 300, 60],
        "processors": [2, 1, 4],
        "user": ["ann", "bob", "ann"],
    }
    parquet.write_table(pa.table(jobs), folder / "sample")
    return folder / "sample"


def _servegen(folder: Path) -> Path:
    (folder / "chunk-0-trace.csv").write_text(
        "0,1.5,8.6,Weibull,0.375,0.4\n600,0,0,,0,0\n1200,0.5,6.0,Gamma,0.06,103.7\n", encoding="utf-8"
    )
    (folder / "chunk-1-trace.csv").write_text(
        "0,2,1.1,Gamma,0.9,0.5\n600,2,1.1,Gamma,0.9,0.5\n1200,0,0,,0,0\n", encoding="utf-8"
    )
    (folder / "chunk-0-dataset.json").write_text(
        '{"0": {"input_tokens": "{224: 0.25, 230: 0.75}", "output_tokens": "{40: 1.0}"},'
        ' "1200": {"input_tokens": "{}"}}',
        encoding="utf-8",
    )
    return folder / "chunk-0-trace.csv"


def _opendc(folder: Path) -> Path:
    tasks = {
        "id": [1, 2],
        "submission_time": [0, 60_000],
        "cpu_count": [2, 4],
        "cpu_capacity": [2e3, 4e3],
        "mem_capacity": [10, 20],
    }
    fragments = {"id": [1, 1, 2], "duration": [1000, 2000, 500], "cpu_usage": [500.0, 2000.0, 0.0]}
    parquet.write_table(pa.table(tasks), folder / "sample")
    parquet.write_table(pa.table(fragments), folder / "fragments.parquet")
    return folder / "sample"


SAMPLES: dict[str, str | bytes | Callable[[Path], Path]] = {
    "azure-llm": """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,374,44
2023-11-16 18:17:04.0319600,396,109
2023-11-16 18:17:05.0000000,0,3
""",
    "csv": """job_id,submit_s,run_s,processors,requested_s,user
1,0,120,2,3600,ann
2,10,300,1,3600,bob
3,20,60,4,30,ann
""",
    "swf": """; Version: 2.2
; MaxProcs: 256
1 0 5 100 4 -1 -1 4 200 -1 1 3 1 1 0 1 -1 -1
2 10 -1 0 2 -1 -1 -1 -1 -1 0 4 1 1 1 1 -1 -1
3 5 2 50 8 -1 -1 8 40 -1 5 3 2 2 0 1 -1 -1
""",
    "parquet": _parquet,
    "burstgpt": """Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5,12,1.5,ChatGPT,472,18,490,Conversation log
45,13,2.5,ChatGPT,1087,230,1317,Conversation log
118,12,3.5,GPT-4,417,0,417,API log
119,12,3.5,GPT-4,417,276,693,API log
""",
    "helios": """job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue
1,u1,vcA,8,32,1,COMPLETED,2020-04-01 00:00:10,2020-04-01 00:01:10,2020-04-01 01:01:10,3600,60
2,u2,vcB,0,16,1,FAILED,2020-04-01 00:00:00,2020-04-01 00:00:05,2020-04-01 00:00:35,30,5
3,u1,vcA,1,4,1,CANCELLED,2020-04-01 00:02:00,None,2020-04-01 00:03:00,0,60
4,u3,vcA,16,64,2,TIMEOUT,2020-04-01 00:04:00,2020-04-01 00:05:00,2020-04-02 00:05:00,86400,60
""",
    "acme": """job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time
dlc1a,u1,1,8.0,128,SFT,COMPLETED,2023-03-01 08:00:00+08:00,2023-03-01 08:00:30+08:00,2023-03-01 09:00:30+08:00,3600,30,28800
dlc2b,u2,4,32.0,512,Pretrain,CANCELLED,2023-03-01 08:10:00+08:00,2023-03-01 08:20:00+08:00,2023-03-01 08:30:00+08:00,600,600,19200
dlc3c,u1,1,0.0,4,Other,FAILED,2023-03-01 08:20:00+08:00,2023-03-01 08:20:00+08:00,2023-03-01 08:20:00+08:00,0,0,0
""",
    "philly-sia": """timestamp,duration,num_gpus,gpu_time,cluster
2017-10-09 07:01:55,66.0,1,66.0,11cb48
2017-10-09 06:13:03,2951.0,8,23608.0,6214e9
2017-10-10 06:13:03,5.0,0,0.0,6214e9
""",
    "sia": """name,time,application,num_replicas,batch_size
cifar10-0,0,cifar10,1,128
bert-1,120.5,bert,4,48
imagenet-2,60,imagenet,2,400
""",
    "openb": """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
openb-pod-0000,12000,16384,1,1000,,LS,Running,0,12537496,0
openb-pod-0001,6000,12288,1,460,V100M16|V100M32,LS,Failed,427061,12902960,427065
openb-pod-0002,20000,65536,0,0,,BE,Succeeded,300,900,310
openb-pod-0003,88000,327680,8,1000,,LS,Pending,400,12902960,
""",
    "openb-nodes": """sn,cpu_milli,memory_mib,gpu,model
openb-node-0000,64000,262144,2,P100
openb-node-0001,64000,262144,2,P100
openb-node-0002,96000,393216,8,G2
openb-node-0003,32000,131072,0,
""",
    "alibaba-dlrm": "instance_sn,role,app_name,cpu_request,cpu_limit,gpu_request,gpu_limit,rdma_request,rdma_limit,"
    """memory_request,memory_limit,disk_request,disk_limit,max_instance_per_node,creation_time,scheduled_time,deletion_time
instance_0,HN,app_0,12,12,1,1,25,25,120.0,120.0,640.0,800.0,8,,,
instance_1,HN,app_0,8,8,1,1,25,25,40.0,40.0,85.0,100.0,2,822672.0,822713.0,826195.0
instance_2,CN,app_1,48,48,0,0,25,25,200.0,200.0,680.0,800.0,-1,2057225.0,2057328.0,2223508.0
instance_3,HN,app_1,12,12,1,1,25,25,120.0,120.0,680.0,800.0,8,2049102.0,2060318.0,
""",
    "alibaba-spot": """job_name,organization,gpu_model,cpu_request,gpu_request,worker_num,submit_time,duration,job_type
0,13,A10,20.0,1.0,1,0.0,3600.0,HP
1,4,A100-SXM4-80GB,96.0,8.0,4,60.0,86400.0,Spot
2,4,,8.0,0.0,1,30.0,5.0,Spot
""",
    "pai": """4f05,tensorflow,1.0,Terminated,1739162.0,1739200.0,600.0,29.296875,50.0,MISC
4f06,ps,2.0,Failed,1739100.0,1739300.0,800.0,10.0,,
4f07,worker,4.0,Terminated,1739150.0,1745200.0,600.0,29.296875,200.0,V100
4f08,worker,1.0,Running,1739150.0,,600.0,29.296875,100.0,V100
""",
    "servegen-rates": """model,ts,rate
m-large,0,200.5
m-large,600,180.25
m-large,1200,150
""",
    "sacct": """JobID|User|Account|Partition|QOS|Submit|Eligible|Start|End|ElapsedRaw|TimelimitRaw|State|NNodes|NCPUS|AllocTRES|ReqTRES|Priority|ConsumedEnergyRaw
100|ann|physics|gpu|normal|2024-03-01T08:00:00|2024-03-01T08:00:00|2024-03-01T08:01:00|2024-03-01T09:01:00|3600|120|COMPLETED|1|8|billing=8,cpu=8,gres/gpu=2,gres/gpu:a100=2,mem=64G,node=1|billing=8,cpu=8,gres/gpu=2,mem=64G,node=1|1000|0
100.batch|||||2024-03-01T08:01:00|2024-03-01T08:01:00|2024-03-01T08:01:00|2024-03-01T09:01:00|3600||COMPLETED|1|8|cpu=8,gres/gpu=2,mem=64G,node=1|||0
101_4|bob|biology|gpu|normal|2024-03-01T08:10:00|2024-03-01T08:10:00|2024-03-01T08:20:00|2024-03-01T09:25:00|3900|60|TIMEOUT|2|16|billing=16,cpu=16,gres/gpu:a100=4,gres/gpu:v100=2,mem=512M,node=2|cpu=16|900|
102+0|bob|biology|cpu|low|2024-03-01T08:30:00|2024-03-01T08:30:00|2024-03-01T08:30:00|2024-03-01T08:30:30|30|UNLIMITED|CANCELLED by 1000|1|4||cpu=4,mem=8G,node=1|10|
103|ann|physics|gpu|normal|2024-03-01T09:00:00|Unknown|None|Unknown|0|60|PENDING|1|8||cpu=8,gres/gpu=2|1000|
104|ann|physics|gpu|normal|2024-03-01T09:00:00|2024-03-01T09:00:00|2024-03-01T09:00:01|Unknown|500|60|RUNNING|1|8|cpu=8,gres/gpu=2,mem=64G,node=1||1000|
105|ann|physics|gpu|normal|2024-03-01T09:00:00|2024-03-01T09:00:00|2024-03-01T09:30:00|2024-03-01T09:30:00|0|60|CANCELLED by 1000|0|0||cpu=8|1000|
""",
    "mooncake": """{"timestamp": 0, "input_length": 1100, "output_length": 52, "hash_ids": [0, 1, 2]}
{"timestamp": 0, "input_length": 1024, "output_length": 26, "hash_ids": [0, 1]}
{"timestamp": 3000, "input_length": 600, "output_length": 1, "hash_ids": [0, 3]}
""",
    "qwen": """{"chat_id": 159, "parent_chat_id": -1, "timestamp": 61.114, "input_length": 40, "output_length": 13, \
"type": "text", "turn": 1, "hash_ids": [1089, 1090, 1091]}
{"chat_id": 160, "parent_chat_id": 159, "timestamp": 71.5, "input_length": 60, "output_length": 5, \
"type": "search", "turn": 2, "hash_ids": [1089, 1090, 1091, 7]}
""",
    "philly": """[{"status": "Pass", "vc": "ee9e8c", "jobid": "application_1_1", "user": "ce2f4c",
  "submitted_time": "2017-10-07 01:11:39", "attempts": [
    {"start_time": "2017-10-07 01:12:09", "end_time": "2017-10-07 01:13:23",
     "detail": [{"ip": "m47", "gpus": ["gpu0", "gpu1"]}]},
    {"start_time": "2017-10-07 01:13:30", "end_time": "None", "detail": []},
    {"start_time": "2017-10-07 01:14:00", "end_time": "2017-10-07 01:15:00", "detail": []}]},
 {"status": "Killed", "vc": "ee9e8c", "jobid": "application_1_2", "user": null,
  "submitted_time": "2017-10-07 02:11:39", "attempts": []}]
""",
    "batsim": """{"nb_res": 4,
 "jobs": [{"id": 1, "subtime": 0, "walltime": 30, "res": 1, "profile": "short"},
          {"id": "2", "subtime": 10.5, "res": 4, "profile": "measured"}],
 "profiles": {"short": {"type": "delay", "delay": 20.2},
              "measured": {"type": "parallel_homogeneous", "cpu": 1e9, "com": 0, "runtime": 7}}}
""",
    "kubernetes": """apiVersion: v1
kind: Pod
metadata: {name: one, creationTimestamp: "2024-05-01T12:00:00Z"}
spec:
  containers:
  - resources: {requests: {cpu: 500m, memory: 4Gi}, limits: {nvidia.com/gpu: 1}}
---
kind: Job
metadata: {name: two, creationTimestamp: 2024-05-01T12:01:00+00:00}
spec: {completions: 2, template: {spec: {containers: [{resources: {requests: {cpu: 2}}}]}}}
""",
    "servegen": _servegen,
    "opendc": _opendc,
}

#: Options of `Reading` that a sample needs.
OPTIONS: dict[str, dict[str, Any]] = {"sacct": {"timezone": "Europe/Amsterdam"}}


def sample(format: str, folder: Path) -> Path:
    """Path of a good file of `format`, made in `folder`."""
    content = SAMPLES[format]
    if callable(content):
        return content(folder)
    path = folder / "sample"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
