"""What `up` finds out and writes before anything starts: addresses, certificates, Redis."""
