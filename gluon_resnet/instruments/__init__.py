"""Tools that look into networks: engines, the microscope, comparisons, class activation maps."""
