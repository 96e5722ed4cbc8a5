# SPDX-License-Identifier: Apache-2.0
"""A producer of header names that Python's own client cannot write.

Owns a producer made of librdkafka's functions, by way of the module that is linked to it. Imports nothing of the
connector.
"""

from __future__ import annotations

import ctypes

from confluent_kafka import cimpl

_PRODUCER = 0
_ERROR_BYTES = 512
_FLUSH_MS = 30_000
_END, _TOPIC, _VALUE, _FLAGS, _HEADERS = 0, 1, 4, 7, 10
_COPY = 2
_POINTER = ctypes.c_void_p
_SIGNATURES: dict[str, tuple[type, list[type]]] = {
    "rd_kafka_conf_new": (_POINTER, []),
    "rd_kafka_conf_set": (ctypes.c_int, [_POINTER, *[ctypes.c_char_p] * 3, ctypes.c_size_t]),
    "rd_kafka_new": (_POINTER, [ctypes.c_int, _POINTER, ctypes.c_char_p, ctypes.c_size_t]),
    "rd_kafka_headers_new": (_POINTER, [ctypes.c_size_t]),
    "rd_kafka_header_add": (
        ctypes.c_int,
        [_POINTER, ctypes.c_char_p, ctypes.c_ssize_t, ctypes.c_char_p, ctypes.c_ssize_t],
    ),
    "rd_kafka_flush": (ctypes.c_int, [_POINTER, ctypes.c_int]),
    "rd_kafka_destroy": (ctypes.c_int, [_POINTER]),
}


def produce_with_header(bootstrap_servers: str, topic: str, value: bytes, name: bytes) -> None:
    """Write one record with one header of this name; return when the brokers have it."""
    library = ctypes.CDLL(cimpl.__file__)
    for function, (result, arguments) in _SIGNATURES.items():
        getattr(library, function).restype, getattr(library, function).argtypes = result, arguments
    error = ctypes.create_string_buffer(_ERROR_BYTES)
    options = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(options, b"bootstrap.servers", bootstrap_servers.encode(), error, _ERROR_BYTES)
    producer = library.rd_kafka_new(_PRODUCER, options, error, _ERROR_BYTES)
    headers = library.rd_kafka_headers_new(1)
    library.rd_kafka_header_add(headers, name, len(name), b"v", 1)
    refused = library.rd_kafka_producev(
        _POINTER(producer),
        *(_TOPIC, ctypes.c_char_p(topic.encode())),
        *(_VALUE, ctypes.c_char_p(value), ctypes.c_size_t(len(value))),
        *(_FLAGS, _COPY),
        *(_HEADERS, _POINTER(headers)),
        _END,
    )
    unflushed = library.rd_kafka_flush(producer, _FLUSH_MS)
    library.rd_kafka_destroy(producer)
    if refused or unflushed:
        message = f"the record was not written ({refused}, {unflushed})"
        raise RuntimeError(message)
