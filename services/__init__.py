"""The services: three that own event streams, a gateway that owns none, and the chassis they stand on."""
