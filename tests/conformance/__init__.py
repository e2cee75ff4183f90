"""RFC 6120 and RFC 6121 rule by rule, in raw XML on real sockets: docs/conformance.md is written from it."""
