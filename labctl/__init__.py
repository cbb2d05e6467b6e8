"""labctl: a mail laboratory of real servers in real containers."""
