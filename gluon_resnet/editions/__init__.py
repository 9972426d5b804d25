"""The books' own library, d2l, in all its MXNet editions: drop-ins for ``d2l``, ``d2lzh`` and ``gluonbook``.

    from gluon_resnet import d2l        # for: from d2l import mxnet as d2l, or import d2l
    from gluon_resnet import d2lzh      # the Chinese first edition, on mxnet.nd arrays

docs/d2l.md lists every name, the releases that had it, and where it comes from here.
"""
