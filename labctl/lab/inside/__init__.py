"""What the hosts of a running lab hold: logs, queues and mailboxes."""
