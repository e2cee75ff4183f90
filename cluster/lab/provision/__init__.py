"""What `up` chooses and writes before anything starts: addresses, certificates, Redis."""
