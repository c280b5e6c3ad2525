# SPDX-License-Identifier: Apache-2.0
"""Why a mesh does not start."""


class StartFailed(Exception):  # noqa: N818 - the name says what is the case
    """A dependency of the start is missing (exit code 3, S32); both texts are ours and hold no value."""

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message, cure)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message}; {self.cure}"
