"""The client's side of SMTP, IMAP, POP3 and TLS."""
