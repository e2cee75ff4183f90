"""The driver that runs a lab as processes of this machine, and the parts of its supervisor."""
