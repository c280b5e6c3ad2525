# SPDX-License-Identifier: Apache-2.0
"""A broker inside librdkafka, and a producer of what its Python face does not let anybody write."""

import ctypes
import os
from pathlib import Path

import confluent_kafka
import pytest

_PRODUCER = 0
_END, _TOPIC, _VALUE, _FLAGS, _HEADERS = 0, 1, 4, 7, 10
_COPY = 2


class Raw:
    """A mock cluster of one broker that lasts as long as the process."""

    def __init__(self) -> None:
        folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
        found = sorted(folder.glob("librdkafka-*")) if folder.is_dir() else []
        if not found:
            reason = "this build of confluent_kafka brings no librdkafka of its own"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        self._lib = ctypes.CDLL(os.fspath(found[0]))
        for name in ("conf_new", "new", "mock_cluster_new", "headers_new"):
            getattr(self._lib, f"rd_kafka_{name}").restype = ctypes.c_void_p
        self._lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        cluster = ctypes.c_void_p(self._lib.rd_kafka_mock_cluster_new(self._client(b""), 1))
        self.bootstrap = self._lib.rd_kafka_mock_cluster_bootstraps(cluster).decode()

    def _client(self, bootstrap: bytes) -> ctypes.c_void_p:
        told = ctypes.create_string_buffer(512)
        settings = ctypes.c_void_p(self._lib.rd_kafka_conf_new())
        chosen = ((b"log_level", b"0"), (b"bootstrap.servers", bootstrap))
        for name, value in chosen if bootstrap else chosen[:1]:
            assert self._lib.rd_kafka_conf_set(settings, name, value, told, 512) == 0, told.value
        return ctypes.c_void_p(self._lib.rd_kafka_new(_PRODUCER, settings, told, 512))

    def write(self, topic: str, value: bytes, header: bytes) -> None:
        """Write a message with one header of this name."""
        client = self._client(self.bootstrap.encode())
        headers = ctypes.c_void_p(self._lib.rd_kafka_headers_new(ctypes.c_size_t(1)))
        self._lib.rd_kafka_header_add(headers, header, ctypes.c_ssize_t(-1), b"v", ctypes.c_ssize_t(1))
        sent = self._lib.rd_kafka_producev(
            client,
            ctypes.c_int(_TOPIC),
            ctypes.c_char_p(topic.encode()),
            ctypes.c_int(_VALUE),
            ctypes.c_char_p(value),
            ctypes.c_size_t(len(value)),
            ctypes.c_int(_FLAGS),
            ctypes.c_int(_COPY),
            ctypes.c_int(_HEADERS),
            headers,
            ctypes.c_int(_END),
        )
        assert sent == 0
        assert self._lib.rd_kafka_flush(client, 10_000) == 0
