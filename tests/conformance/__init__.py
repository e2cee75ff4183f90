"""The rules of RFCs and XEPs one by one, in raw XML on real sockets: docs/conformance.md is written from it."""
