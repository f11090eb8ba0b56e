"""An executor is opened, or one line says why not; no cluster is needed for that."""

import socket
import sys
import threading

import pytest

from medauc.cli.options import DeviceOption, gpus_for
from medauc.errors import InputError
from medauc.training.cluster import executor as cluster_executor
from medauc.training.cluster.executor import RayExecutor
from medauc.training.executor import LocalExecutor, open_executor


def test_the_local_one_is_the_default():
    with open_executor() as one, open_executor("local", jobs=3, threads=1) as three:
        assert isinstance(one, LocalExecutor)
        assert (one.jobs, three.jobs) == (1, 3)


@pytest.mark.parametrize("where", ["ray", "ray://", "slurm://host", ""])
def test_other_names_are_refused(where):
    with pytest.raises(InputError, match="it must be local, ray://HOST:PORT or ray://auto"):
        open_executor(where)


def test_gpus_are_shared_out_by_clusters_only():
    with pytest.raises(InputError, match="only a cluster shares out GPUs"):
        open_executor("local", gpus=0.5)
    given = [(device, gpus_for(device, "ray://auto", None)) for device in DeviceOption]
    assert given == [(DeviceOption.auto, None), (DeviceOption.cpu, 0.0), (DeviceOption.cuda, 1.0)]
    assert gpus_for(DeviceOption.cuda, "local", None) is None
    assert gpus_for(DeviceOption.cpu, "ray://auto", 2.0) == 2.0


@pytest.mark.parametrize("options", [{"jobs": 0}, {"threads": 0}, {"gpus": -0.5}])
def test_numbers_out_of_range_are_refused_before_anything_is_joined(options):
    with pytest.raises(ValueError, match="1 or more"):
        RayExecutor("auto", **options)


def test_without_ray_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"--executor ray://auto: .*pip install 'medauc\[ray\]'"):
        open_executor("ray://auto")


def test_a_head_that_does_not_answer_is_told_at_once():
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=f"127.0.0.1:{port}: nobody answers there .*is the head running"):
        open_executor(f"ray://127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "head:70000"])
def test_an_address_without_a_port_is_refused(address):
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="write ray://HOST:PORT"):
        open_executor(f"ray://{address}")


def test_files_that_a_network_file_system_shows_late_are_waited_for(tmp_path, monkeypatch):
    late = tmp_path / "evaluation.json"
    timer = threading.Timer(0.3, late.touch)
    timer.start()
    cluster_executor._await(late)
    assert late.exists()
    monkeypatch.setattr(cluster_executor, "_LATE_FILES", 0.1)
    cluster_executor._await(tmp_path / "never.json")  # returns: what is missing is told by who reads it
