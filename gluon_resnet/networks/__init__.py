"""The networks: a table of families, specs, layouts, the blocks and the Gluon networks made of them."""
