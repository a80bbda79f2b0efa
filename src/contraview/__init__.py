"""contraview: published self-supervised systems behind one interface."""
