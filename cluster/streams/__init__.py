"""The Twisted shells of XML streams: connections, back-pressure, time limits of peers, TLS."""
