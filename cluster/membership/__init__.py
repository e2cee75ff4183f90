"""Several nodes that serve one domain together: who is there, who has which account, and the links between them."""
