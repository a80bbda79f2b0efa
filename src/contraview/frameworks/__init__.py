"""The few engines most systems are made of."""
