"""Mail as its protocols know it: submission, mailboxes, queues, logs, delivery reports; no Docker here."""
