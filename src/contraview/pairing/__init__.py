"""Who is compared with whom: teachers, queues, masks, batches that know about groups."""
