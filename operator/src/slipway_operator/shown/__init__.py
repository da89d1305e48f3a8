"""Objects as people read them, in the command and in the API: columns, ages, numbers. Pure."""
