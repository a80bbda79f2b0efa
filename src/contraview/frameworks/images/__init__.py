"""Encoders of images learnt without labels: what they share; plain SimCLR, MoCo, SimSiam."""
