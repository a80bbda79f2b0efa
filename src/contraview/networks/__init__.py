"""Building blocks of networks that more than one wing uses; what one wing alone needs is there."""
