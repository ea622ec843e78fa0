# SPDX-License-Identifier: Apache-2.0
"""The files in deploy/ say what the server understands."""

import re
from pathlib import Path

import pytest
from servers import cli

DEPLOY = Path(__file__).parent.parent / "deploy"


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
