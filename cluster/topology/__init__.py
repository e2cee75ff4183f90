"""The topology file: raw (document) → validated (load, model) → resolved (resolve, plan), and its pictures (graph)."""
