//! Control groups: placement, limits, devices, removal. Knows nothing of containers.
