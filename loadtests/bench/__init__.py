"""The cost of a message, a login and an idle session, next to Debian's Prosody and ejabberd on the same machine."""
