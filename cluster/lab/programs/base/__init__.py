"""What the client programs share: their port to the lab, and file formats of more than one of them."""
