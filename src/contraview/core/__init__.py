"""What everything stands on: configs, systems, verbs, runs, errors, folders on disk, seeds."""
