"""The features of streams: one file, one feature, for both sides; the lists are in clients.py."""
