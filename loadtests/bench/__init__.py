"""What a message, a login and an idle session cost, beside Debian's Prosody and ejabberd on the same machine."""
