"""TLS on the connections of clients: Twisted's layer, for streams that gather what they write and are mostly idle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from twisted.internet._newtls import _BypassTLS
from twisted.internet.abstract import FileDescriptor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

_RECORD_BYTES = 1 << 14
"""The most that one TLS record holds (RFC 8446 section 5.1)."""
_START = ffi.new("char **")


class TlsLayer(TLSMemoryBIOProtocol):
    """Encrypts what a stream writes, and decrypts what it reads.

    Twisted's usual layer gathers what is written with a timer in each turn, reads until OpenSSL raises an exception,
    and declares the interfaces of each connection anew. It also keeps the buffers of the largest flight.
    """

    factory: Any
    transport: Any

    def makeConnection(self, transport: Any) -> None:
        """Twisted: begin the handshake."""
        self._tlsConnection: Any = self.factory._creatorCallable(self)
        self._appSendBuffer: list[bytes] = []
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        if self._connectWrapped:
            ProtocolWrapper.makeConnection(self, transport)
        self._checkHandshakeStatus()  # type: ignore[no-untyped-call]

    def _flushReceiveBIO(self) -> None:
        """Pass on what can be decrypted; as Twisted's, but OpenSSL is not asked again when nothing is left."""
        connection = self._tlsConnection
        while not self._lostTLSConnection:
            try:
                data = connection.recv(_RECORD_BYTES)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self._shutdownTLS()  # type: ignore[no-untyped-call]
                self._tlsShutdownFinished(None)  # type: ignore[no-untyped-call]
            except SSL.Error:
                self._tlsShutdownFinished(Failure())  # type: ignore[no-untyped-call]
            else:
                if not self._aborted:
                    ProtocolWrapper.dataReceived(self, data)
                if not _held(connection._into_ssl) and not connection.pending():
                    break
        if _held(connection._from_ssl):
            self._flushSendBIO()  # type: ignore[no-untyped-call]

    def rest(self) -> None:
        """Nothing came for a while: free the buffers between OpenSSL and the transport, which only ever grow."""
        connection = self._tlsConnection
        if self._handshakeDone and not _held(connection._into_ssl) and not _held(connection._from_ssl):
            connection._into_ssl, connection._from_ssl = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
            lib.SSL_set_bio(connection._ssl, connection._into_ssl, connection._from_ssl)  # frees the former ones


def _held(buffer: Any) -> int:
    """Bytes in a buffer of OpenSSL."""
    return int(lib.BIO_get_mem_data(buffer, _START))


class TlsFactory(TLSMemoryBIOFactory):
    """The streams of a port on which TLS comes first."""

    protocol = TlsLayer

    def __init__(self, options: Any, streams: Any, clock: Any) -> None:
        super().__init__(options, False, streams, clock)


def starter(options: CertificateOptions | None, clock: Any) -> Callable[[Any], None]:
    """Starts TLS on a transport, as its server. No options: the transports have their own, as in a simulation."""
    if options is None:
        return lambda transport: transport.startTLS(None)
    factory = TlsFactory(options, Factory(), clock)

    def start(transport: Any) -> None:  # as Twisted's startTLS, with this layer, and one factory for all
        producer, streaming = transport.producer, transport.streamingProducer
        if producer is not None:
            transport.unregisterProducer()
        layer = TlsLayer(factory, transport.protocol, False)  # type: ignore[no-untyped-call]
        transport.protocol, transport.TLS = layer, True
        transport.getHandle = layer.getHandle
        layer.makeConnection(_BypassTLS(FileDescriptor, transport))
        if producer is not None:
            transport.registerProducer(producer, streaming)

    return start


def rest(transport: Any) -> None:
    """Free what an idle connection does not need."""
    layer = transport if isinstance(transport, TlsLayer) else getattr(transport, "protocol", None)
    if isinstance(layer, TlsLayer):
        layer.rest()
