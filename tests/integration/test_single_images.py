"""Each image by itself, without a lab around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from labctl import resources
from labctl.engine import images

if TYPE_CHECKING:
    from tests.integration.conftest import Lab

TAGS = {each.name: each.tag for each in images.image_specs(resources.compose_dir() / "images")}


@pytest.fixture(autouse=True)
def _no_reaper(monkeypatch: pytest.MonkeyPatch, standing_lab: Lab) -> None:  # noqa: ARG001  # builds the images
    """Do without testcontainers' reaper: its image would have to come from a registry."""
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415  # reads the environment

    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)


def ended(image: str, *command: str, entrypoint: str | None = None, **environment: str) -> tuple[int, str]:
    """Run a container to its end; return its exit code and what it said."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415  # as above

    wanted = DockerContainer(TAGS[image]).with_command(list(command)).with_kwargs(cap_add=["NET_ADMIN"])
    for name, value in environment.items():
        wanted = wanted.with_env(name, value)
    if entrypoint is not None:
        wanted = wanted.with_kwargs(entrypoint=entrypoint)
    with wanted as container:
        inner: Any = container.get_wrapped_container()
        code = int(inner.wait(timeout=30)["StatusCode"])
        return code, inner.logs().decode()


def test_the_resolver_has_only_the_plugins_that_a_lab_needs() -> None:
    code, said = ended("dns", "-plugins", entrypoint="coredns")

    assert code == 0
    plugins = {each.removeprefix("dns.") for each in said.split()}
    assert {"acl", "erratic", "errors", "file", "querylog", "reload", "template"} <= plugins
    assert not {"forward", "log", "hosts", "kubernetes", "proxy"} & plugins


@pytest.mark.parametrize("image", sorted(TAGS))
def test_without_a_network_to_lay_out_a_host_does_not_start(image: str) -> None:
    code, said = ended(image)

    assert code != 0
    assert "LAB_ENGINE_ADDRESS" in said


@pytest.mark.parametrize("image", sorted(TAGS))
def test_an_address_that_no_interface_has_is_named(image: str) -> None:
    environment = {
        "LAB_ENGINE_ADDRESS": "198.18.99.99",
        "LAB_ADDRESSES": "192.0.2.10/24",
        "LAB_RESOLVER": "203.0.113.53",
        "LAB_HOSTS": "203.0.113.53",
    }
    code, said = ended(image, **environment)

    assert code != 0
    assert "no interface has the address 198.18.99.99" in said


def test_the_three_images_stay_small(docker: Any) -> None:
    layers: dict[str, int] = {}
    for tag in TAGS.values():
        history = [each for each in docker.images.get(tag).history() if each["Size"]]
        for place, layer in enumerate(reversed(history)):
            layers[f"{layer['CreatedBy']} {layer['Created']} {place}"] = layer["Size"]

    assert sum(layers.values()) < 330_000_000
