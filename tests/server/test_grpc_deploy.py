# SPDX-License-Identifier: Apache-2.0
"""The files in deploy/ say what the server, Debian and Kubernetes understand."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from support.servers import cli

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
#: Versions of Kubernetes: an old one that is still in use, and a new one.
KUBERNETES = ["1.27", "1.35"]


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes/server.yaml"])
def test_options_of_the_server(name: str) -> None:
    text = (DEPLOY / name).read_text()
    given = re.findall(r"^ +- (--[a-z-]+)", text, re.MULTILINE)
    assert "--metrics-port" in given
    known = set(re.findall(r"--[a-z-]+", cli("serve", "--help").stdout))
    assert set(given) <= known
    for host in re.findall(r"--host=(\S+)", text):
        assert host == "0.0.0.0"
        assert "--insecure" in given or "--credentials" in given


def test_what_is_published_without_credentials_stays_on_this_machine() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    published = re.findall(r"^ +- \"([\d.:]+)\"$", text, re.MULTILINE)
    assert published
    assert all(each.startswith("127.0.0.1:") for each in published)


def test_prometheus_asks_where_the_server_answers() -> None:
    (port,) = re.findall(r"--metrics-port=(\d+)", (DEPLOY / "compose.yaml").read_text())
    assert f"server:{port}" in (DEPLOY / "prometheus/prometheus.yml").read_text()


def test_the_container_is_built_of_the_packages_that_we_build_with() -> None:
    (ours,) = re.findall(
        r"^build_packages=\(([^)]*)\)", (ROOT / "run").read_text(), re.M
    )
    build, _ = re.split(
        r"\nFROM .*(?=\n)", (DEPLOY / "Containerfile").read_text().split(" AS build")[1]
    )
    (theirs,) = re.findall(r"--no-install-recommends([^&]*)&&", build)
    packages = set(theirs.replace("\\", "").split()) - {"python3", "python3-venv"}
    assert "llvm-22-dev" in packages
    assert packages <= set(ours.split())


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(version: str) -> None:
    text = (DEPLOY / "kubernetes/server.yaml").read_text()
    kinds = []
    for resource in yaml.safe_load_all(text):
        kubernetes_validate.validate(resource, version, strict=True)
        kinds.append(resource["kind"])
    assert kinds == ["Deployment", "Service", "NetworkPolicy"]
    resource = next(yaml.safe_load_all(text.replace("readOnlyRoot", "readOnly")))
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyFilesystem"):
        kubernetes_validate.validate(resource, version, strict=True)
