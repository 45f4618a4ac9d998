"""HTTP/2 (RFC 9113): a codec without I/O, and the connection that gives it a socket and time.

=======================  ================================================================================
``connection.py``        the ``asyncio.Protocol``, with the interface of all protocols' connections
``stream_exchange.py``   one exchange on it: its response
``stream_sender.py``     … and its request's body
``tunnel.py``            a stream that another protocol took over: a WebSocket
``losses.py``            the errors for a response that is missing or incomplete
=======================  ================================================================================

``codec.py`` is the whole connection without I/O: bytes go in, streams with news and bytes to send come out. Its parts:

===================  ================================================================================
``errors.py``        error codes, and failures of a connection or of a stream
``states.py``        the states of a stream and the parts of a response, as tables
``responses.py``     incoming field blocks and DATA
``control.py``       all other incoming frames
``open_streams.py``  the streams of a connection, and their ends
``streams.py``       one exchange: its received response, and the unsent part of its request
``flow.py``          windows, in both directions
``uploads.py``       bodies that wait to be sent, in turns
``budget.py``        how many useless frames a server may send
``settings.py``      the settings of both sides
``request_head.py``  a request as a field block
``response_head.py`` a field block as a response
``encoding.py``      HPACK, outgoing; ``decoding.py`` incoming
``memo.py``          a cache of encoded and decoded blocks
``frames.py``        the bytes of frames
===================  ================================================================================

Nothing here is imported until HTTP/2 is asked for: ``decoding.py`` needs the package hpack.
"""
