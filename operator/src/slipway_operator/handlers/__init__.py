"""The operator process: Kopf brings the events, a queue of ours does the work, a Lease says who."""
