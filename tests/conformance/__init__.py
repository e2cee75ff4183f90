"""RFC 6120, RFC 6121 and XEP-0045 rule by rule, in raw XML on real sockets: docs/conformance.md is written from it."""
