# SPDX-License-Identifier: Apache-2.0
"""The suite that any service must pass, for each transport of ours."""

from contextlib import closing

import psutil
import pytest
from support.samples import CALLS, alternate, finish, inlining, pack, wait_until

import mlcompiler_gym
from mlcompiler_gym.client import Service
from mlcompiler_gym.testing.compliance import *  # noqa: F403

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def service_under_test(any_service: Service) -> Service:
    """Local, over a stream that carries all sessions, and over one for each."""
    return any_service


def test_the_version_is_that_of_this_package(any_service: Service) -> None:
    assert any_service.describe().version == mlcompiler_gym.__version__


# These are about services on this machine, whose processes can be seen.


def test_a_session_that_nobody_has_any_more_ends(any_service: Service) -> None:
    session = any_service.open(inlining(), CALLS)
    pid = session.opened.pid
    with closing(session.fork()) as copy:
        state = copy.step(pack(0))
        del session
        wait_until(lambda: not psutil.pid_exists(pid), "the session has ended")
        finish(copy, state, alternate)
