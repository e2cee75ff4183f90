"""Several nodes that serve one domain together: their presence, the owners of accounts, and the assignment of links."""
