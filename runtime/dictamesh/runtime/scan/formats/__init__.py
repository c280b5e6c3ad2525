# SPDX-License-Identifier: Apache-2.0
"""Checked formats of personal data; pure functions over one value."""

from dictamesh.runtime.scan.formats.banking import BANKING
from dictamesh.runtime.scan.formats.contact import CONTACT
from dictamesh.runtime.scan.formats.european import EUROPEAN
from dictamesh.runtime.scan.formats.format import LONGEST, Format
from dictamesh.runtime.scan.formats.network import NETWORK
from dictamesh.runtime.scan.formats.people import PEOPLE
from dictamesh.runtime.scan.formats.postal import POSTAL
from dictamesh.runtime.scan.formats.worldwide import WORLDWIDE

__all__ = ["FORMATS", "LONGEST", "Format"]

FORMATS: tuple[Format, ...] = (*CONTACT, *BANKING, *NETWORK, *EUROPEAN, *WORLDWIDE, *POSTAL, *PEOPLE)
"""Every format, what says most first."""
