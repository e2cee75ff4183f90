"""The lab's message centre (FN1): the server side of SMPP, with phones (FC1) as its subscribers."""
