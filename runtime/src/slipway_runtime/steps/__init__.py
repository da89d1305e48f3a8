"""The processes of a build, one module each; `edge` turns whatever happens into a report."""
