# SPDX-License-Identifier: Apache-2.0
"""What the catalog raises; texts are written here and never carry a message or a value of the database (S26)."""


class CatalogUnavailable(Exception):  # noqa: N818 - the name says what is the case
    """The catalog cannot be reached, started or used.

    ``message`` names the place, ``cure`` what the user can do. ``sqlstate`` is set when the server answered with an
    error. Ends a start with exit code 3 (S32).
    """

    def __init__(self, message: str, cure: str, *, sqlstate: str | None = None) -> None:
        super().__init__(message, cure)
        self.message = message
        self.cure = cure
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        return f"{self.message}; {self.cure}"


class DataFolderBusy(CatalogUnavailable):
    """Another runtime owns the data folder (S31)."""


class RegistrationRejected(Exception):  # noqa: N818 - the name says what is the case
    """A registration holds an invalid row; nothing of it was written (MC-8).

    ``subject`` is the entity or relation at fault, ``message`` the fault, without a value of a source.
    """

    def __init__(self, subject: str, message: str) -> None:
        super().__init__(subject, message)
        self.subject = subject
        self.message = message

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}"


class EntityNotFound(Exception):  # noqa: N818 - the name says what is the case
    """No active catalog row answers to the name that was asked for (MC-10)."""


class InvalidRequest(ValueError):  # noqa: N818 - the name says what is the case
    """A reader asked for something outside the bounds; the text is ours and may be shown."""
