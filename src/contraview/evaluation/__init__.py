"""Arrays and truth in, figures out. Labels of evaluation data are seen here and nowhere else."""
