"""A Home Assistant with simulated meters, set up for a first look."""
