# SPDX-License-Identifier: Apache-2.0
"""What the image's tests ask for: podman and the image, built once.

Owns how long a test may take that has to wait for a build.
"""

from __future__ import annotations

import pytest

from tests.support import podman_images
from tests.support.podman_machine import NoPodmanError, Podman

_SECONDS_WITH_A_BUILD = 1_200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs podman, and leave it to one worker: a build of an image is there for all."""
    for item in items:
        if "podman" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(_SECONDS_WITH_A_BUILD))
            item.add_marker(pytest.mark.xdist_group("kafka"))


@pytest.fixture(scope="session")
def podman() -> Podman:
    """Give podman."""
    try:
        return Podman()
    except NoPodmanError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def image(podman: Podman) -> str:
    """Give the name of the connector's image, built from the project as it is now."""
    try:
        return podman_images.build_connector(podman)
    except NoPodmanError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def kafka_image(podman: Podman) -> str:
    """Give the name of the image that a broker in a container is started from."""
    try:
        return podman_images.kafka(podman)
    except NoPodmanError as reason:
        pytest.skip(str(reason))
