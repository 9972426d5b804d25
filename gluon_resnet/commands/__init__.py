"""The commands of ``gluon-resnet``, by what they are about; cli.py puts them together."""
