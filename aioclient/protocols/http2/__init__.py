"""HTTP/2 (RFC 9113): a codec without I/O, and the connection that gives it a socket and time.

=======================  ================================================================================
``connection.py``        the ``asyncio.Protocol`` behind the seam of protocols
``stream_exchange.py``   one exchange on it: its response on the way up
``stream_sender.py``     … and its body on the way down
``losses.py``            what is said of a response that does not come, or not whole
=======================  ================================================================================

``codec.py`` is the whole connection without them: bytes in, streams with news out, and the bytes to send. Below it:

===================  ================================================================================
``errors.py``        error codes, and failures of a connection or of a stream
``states.py``        the states of a stream and the parts of a response, as tables
``responses.py``     field blocks and DATA that come
``control.py``       all other frames that come
``open_streams.py``  the streams of a connection, and their ends
``streams.py``       one exchange: what came of its response, what is left of its request
``flow.py``          windows, both ways
``uploads.py``       bodies that wait to be sent, in turns
``budget.py``        how much a server may ask for that is of no use
``settings.py``      what each side told the other
``request_head.py``  a request as a field block
``response_head.py`` a field block as a response
``encoding.py``      HPACK, outgoing; ``decoding.py`` incoming
``memo.py``          what was encoded or decoded before
``frames.py``        the bytes of frames
===================  ================================================================================

Nothing here is imported until HTTP/2 is asked for: ``decoding.py`` needs the package hpack.
"""
