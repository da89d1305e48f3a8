"""What a build takes in and what it makes: fetched files, the manifest, the OCI artifact."""
