# SPDX-License-Identifier: Apache-2.0
"""What any service of the protocol owes its clients, as pytest's tests.

A file of tests puts a service under them by the fixture that they take::

    from mlcompiler_gym.testing.compliance import *

    @pytest.fixture
    def service_under_test():
        service = GrpcService("grpc://127.0.0.1:5051")
        yield service
        service.close()

Each test gets a new fixture, and leaves no session behind. With
``params=[...]`` the same tests run for several services.
"""

from mlcompiler_gym.testing.compliance.connecting import *
from mlcompiler_gym.testing.compliance.features import *
from mlcompiler_gym.testing.compliance.limits import *
from mlcompiler_gym.testing.compliance.opening import *
from mlcompiler_gym.testing.compliance.sessions import *

# The tests and nothing else of these files: its own names are its user's.
__all__ = [name for name in dir() if name.startswith("test_")]
