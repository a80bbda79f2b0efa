"""Point clouds and surface meshes: readers, views, patches, networks."""
