"""The network application: from benign traffic to explained alerts at a chosen false-alarm rate."""
