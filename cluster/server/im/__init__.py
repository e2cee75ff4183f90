"""The rules of instant messaging (RFC 6121): accounts, rosters, presence, delivery."""
