"""What all tests share: no network, one embedded model, and a witness that nothing of the caller's has changed."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
import torch
from helpers import small_network
from torch import Tensor, nn

import saliency_lib as sl

hypothesis.settings.register_profile("whatever else runs here", deadline=None)
hypothesis.settings.load_profile("whatever else runs here")

LOCAL = {"localhost", "127.0.0.1", "::1", "", None, "0.0.0.0", "::"}


class Network:
    """Lets sockets reach this machine only, and remembers who tried more."""

    def __init__(self) -> None:
        self.attempts: list[object] = []

    def refuse_unless_local(self, host: object) -> None:
        host = host.decode() if isinstance(host, bytes) else host
        if host not in LOCAL and host != socket.gethostname():
            self.attempts.append(host)
            raise ConnectionRefusedError(f"the tests use no network, and this one wants {host!r}")

    def guard(self, patch: pytest.MonkeyPatch) -> None:
        """Put the check in front of connecting and of looking up a host's address."""
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, self._checked(getattr(socket.socket, name)))
        resolve = socket.getaddrinfo

        def checked(host: object, *arguments: Any, **options: Any) -> object:
            self.refuse_unless_local(host)
            return resolve(host, *arguments, **options)

        patch.setattr(socket, "getaddrinfo", checked)

    def _checked(self, method: Callable) -> Callable:
        def checked(of: socket.socket, *arguments: object) -> object:
            address = arguments[-1]
            if of.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
                self.refuse_unless_local(address[0])
            return method(of, *arguments)

        return checked


@pytest.fixture(autouse=True)
def network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """No test reaches beyond this machine, not even one that would survive the failure. Marked `network`: it may."""
    guard = Network()
    if request.node.get_closest_marker("network") is None:
        guard.guard(monkeypatch)
    yield guard
    assert not guard.attempts, f"the test wanted the network: {guard.attempts}"


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test draws the same numbers wherever it runs, with live controls, unlike the chapters beside it."""
    torch.manual_seed(0)
    monkeypatch.delenv("SALIENCY_STATIC", raising=False)


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device there is; tests for the others are skipped."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return torch.device(request.param)


@pytest.fixture(scope="session")
def embedded() -> sl.Model:
    """The embedded model on the CPU. Shared: change nothing of it."""
    return sl.load_model().cpu()


@pytest.fixture(scope="session")
def photos() -> Tensor:
    """Chelsea, the coffee and the bee: (3, 3, 224, 224)."""
    return torch.cat([sl.to_tensor(sl.sample_photo(name)) for name in ("chelsea", "coffee", "bee")])


@pytest.fixture
def net() -> nn.Sequential:
    """A small ReLU network with 5 classes for (N, 3, 8, 8)."""
    return small_network()


@pytest.fixture
def images() -> Tensor:
    """A small batch, (3, 3, 8, 8), in [0, 1]."""
    return torch.rand(3, 3, 8, 8)
