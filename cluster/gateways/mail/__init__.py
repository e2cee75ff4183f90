"""The mail gateway: messages to mail addresses leave by SMTP (RFC 5321), mail to accounts arrives by SMTP."""
