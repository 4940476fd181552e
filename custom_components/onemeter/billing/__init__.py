"""What is billed: energy balanced within periods, and peaks of their mean power."""
