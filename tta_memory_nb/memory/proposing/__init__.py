"""Changes that an agent proposes, and a person approves or rejects."""
