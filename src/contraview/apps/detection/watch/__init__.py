"""Detection on sources that grow: in constant memory, through restarts, with its own health."""
