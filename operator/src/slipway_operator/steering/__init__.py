"""Steering one ModelDeployment: every decision in its order, and the children that follow.

Takes the observed world apart, asks `decide`, lets `resources` and `routing` build. `plan` compares
the outcome with what exists. No decision is made here.
"""
