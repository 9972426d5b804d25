"""Experiments that say pass, near or miss: arms and seeds as run folders, a budget of minutes, results as data.

For example:

    gluon-resnet run fashion_mnist_resnet18_28px --seeds 3
"""
