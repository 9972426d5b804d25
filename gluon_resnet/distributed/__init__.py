"""Training on several machines: who is started where and watched, and what a worker shares with the others."""
