# SPDX-License-Identifier: Apache-2.0
"""Why a caller is turned away (S21). The texts are ours and hold nothing that the caller sent."""


class Unauthenticated(Exception):  # noqa: N818 - the word of S26
    """The credentials are wrong, or missing where strangers are refused: HTTP 401, code UNAUTHENTICATED."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IssuerUnavailable(Unauthenticated):
    """No key of the issuer can be had, so no token can be checked; the caller may try again."""


class PurposeRefused(Exception):  # noqa: N818 - the word of S21
    """The purpose asked for is not allowed to the caller: HTTP 403, code FORBIDDEN."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MissingSecret(LookupError):  # noqa: N818 - the state of the configuration
    """A reference that `security` names has no value; the text shows the reference as written."""

    def __init__(self, place: str, reference: str) -> None:
        super().__init__(f"{place}: {reference} has no value")
        self.place = place
        self.reference = reference
