"""What the drawings say, in English and in Chinese.

say("stride", stride=2)      # Words(en="stride 2", zh="步幅 2")
"""

from typing import Any, NamedTuple, Sequence, Union

LANGUAGES = ("en", "zh")


class Words(NamedTuple):
    """One text in both languages."""

    en: str
    zh: str


PHRASES = {
    "title": ("{name} for an input of shape {shape}", "{name}，输入形状 {shape}"),
    # parts of a network
    "input": ("Input", "输入"),
    "output": ("Output", "输出"),
    "gives": ("output {shape}", "输出 {shape}"),
    "stem": ("Stem", "起始层"),
    "stage": ("Stage {number}", "第 {number} 阶段"),
    "head": ("Head", "输出层"),
    "blocks": ("{count} blocks", "{count} 个块"),
    "one_block": ("1 block", "1 个块"),
    "block_at": ("block {first}", "第 {first} 块"),
    "blocks_at": ("blocks {first} to {last}", "第 {first} 至 {last} 块"),
    "parameters": ("{count:,} parameters", "{count:,} 个参数"),
    "work": ("{count:.3f} G multiply-adds a picture", "每张图片 {count:.3f} G 次乘加"),
    "sizes": ("{kind}: {sizes}", "{kind}：{sizes}"),
    "basic": ("basic blocks", "基本块"),
    "bottleneck": ("bottlenecks", "瓶颈块"),
    "plain_blocks": ("{kind} without shortcuts", "无捷径的{kind}"),
    "v2_blocks": ("pre-activation {kind}", "预激活{kind}"),
    # layers
    "conv": ("{kernel}×{kernel} convolution", "{kernel}×{kernel} 卷积"),
    "conv_to": ("{kernel}×{kernel} convolution to {count} channels", "{kernel}×{kernel} 卷积，输出 {count} 个通道"),
    "channels": ("{count} channels", "{count} 个通道"),
    "stride": ("stride {stride}", "步幅 {stride}"),
    "bias": ("bias", "偏置"),
    "groups": ("g={count}", "g={count}"),
    "bn": ("BN", "BN"),
    "relu": ("ReLU", "ReLU"),
    "batch_norm": ("batch norm", "批量归一化"),
    "max_pool": ("3×3 max pooling", "3×3 最大池化"),
    "padding": ("padding {padding}", "填充 {padding}"),
    "average_pool": ("global average pooling", "全局平均池化"),
    "dense": ("dense, {inputs} to {units}", "全连接，{inputs} 到 {units}"),
    "flatten": ("flatten", "展平"),
    "dropout": ("dropout", "dropout（随机丢弃）"),
    "head_relu": ("ReLU", "ReLU"),
    "final_norm": ("batch norm", "批量归一化"),
    "final_relu": ("ReLU", "ReLU"),
    "input_norm": ("batch norm of the picture", "图片的批量归一化"),
    # shortcuts
    "shortcut": ("shortcut", "捷径"),
    "beside": ("beside them the shortcut: {shortcut}", "旁边的捷径为{shortcut}"),
    "identity": ("identity", "恒等"),
    "projection": ("projection", "投影"),
    "projection_p": ("projection P", "投影 P"),
    "means": ("mean 2×2", "2×2 平均"),
    "zeros": ("zero padding", "补零"),
    "more_channels": ("+{count} channels", "+{count} 个通道"),
    "subsampling": ("subsampling", "下采样"),
    "no_shortcut": ("no shortcut", "没有捷径"),
    "option_A": (
        "Shortcuts, option A: X itself, subsampled and padded with zero channels where the shape changes.",
        "捷径选项 A：形状改变处对 X 下采样并补零通道，其余处为恒等。",
    ),
    "option_B": (
        "Shortcuts, option B: a projection where the shape changes, X itself elsewhere.",
        "捷径选项 B：形状改变处用投影，其余处为恒等。",
    ),
    "option_C": ("Shortcuts, option C: a projection in every block.", "捷径选项 C：每个块都用投影。"),
    "option_none": ("A plain network: no shortcuts.", "普通网络：没有捷径。"),
    # blocks
    "residual": ("Residual block", "残差块"),
    "bottleneck_block": ("Bottleneck block", "瓶颈块"),
    "plain": ("Plain block", "普通块"),
    "v2": ("Pre-activation block", "预激活块"),
    "bottleneck_v2": ("Pre-activation bottleneck", "预激活瓶颈块"),
    "with_projection": ("with projection", "带投影"),
    "with_option": ("option {option}", "捷径选项 {option}"),
    "changes": ("where the shape changes", "形状改变处"),
    "stays": ("where the shape stays", "形状不变处"),
    "family": ("Stride, biases and batch norms are those of {family}.", "步幅、偏置与批量归一化同 {family} 系列。"),
    "every_second": ("every 2nd row", "隔行"),
    "and_column": ("and column", "隔列取值"),
    "channels_are": ("channels:", "通道："),
    "of_zeros": ("{count} of zeros", "{count} 个零"),
    "of_x": ("{count} of X", "{count} 个 X"),
    "block_work": ("{count:,} multiply-adds a picture", "每张图片 {count:,} 次乘加"),
    # notes
    "key_conv": (
        "3×3, 64: a convolution with a 3×3 kernel to 64 channels. Shapes are (N, C, H, W).",
        "3×3, 64 表示 3×3 卷积，输出 64 个通道。形状为 (N, C, H, W)。",
    ),
    "key_groups": (
        "g={count}: a convolution in {count} groups, each of which sees its own share of the channels alone.",
        "g={count} 表示分成 {count} 组的卷积，每组只看自己那部分通道。",
    ),
    "no_bias": ("No convolution of a block has a bias.", "块内的卷积都没有偏置。"),
    "norm_behind": (
        "In a block a batch norm follows every convolution; a ReLU follows each but the last, and the sum.",
        "块内每个卷积之后是批量归一化；除最后一个外，其后再接 ReLU；相加之后也是 ReLU。",
    ),
    "norm_behind_plain": (
        "In a block a batch norm and a ReLU follow every convolution.",
        "块内每个卷积之后是批量归一化和 ReLU。",
    ),
    "norm_but_last": (
        "In a block a batch norm and a ReLU follow every convolution but the last; a ReLU follows the sum.",
        "块内除最后一个卷积外，其后是批量归一化和 ReLU；相加之后是 ReLU。",
    ),
    "norm_in_front": (
        "In a block a batch norm and a ReLU come before every convolution; nothing follows the sum.",
        "块内每个卷积之前是批量归一化和 ReLU；相加之后什么也没有。",
    ),
    "behind_first": (
        "A projection takes what the block's first batch norm and ReLU give.",
        "投影的输入是块内第一个批量归一化和 ReLU 的输出。",
    ),
    "eps": ("BN is batch norm, with eps {eps:g}.", "BN 即批量归一化，eps 为 {eps:g}。"),
    "eps_no_gamma": (
        "BN is batch norm, with eps {eps:g}, inside blocks without gamma.",
        "BN 即批量归一化，eps 为 {eps:g}，块内的没有 gamma。",
    ),
}


def say(key: str, **values: Any) -> Words:
    """The phrase ``key`` as :class:`Words`, its fields filled in; of a value that is Words, in the same language."""

    def filled(number: int) -> str:
        own = {name: value[number] if isinstance(value, Words) else value for name, value in values.items()}
        return PHRASES[key][number].format(**own)

    return Words(filled(0), filled(1))


def name(key: str) -> Words:
    """What ``key`` is called: its phrase, or ``key`` itself, if a new row of the tables needs one without a phrase."""
    return say(key) if key in PHRASES else both(key.replace("_", " "))


def both(text: Union[str, Words]) -> Words:
    """``text`` as Words: a plain string, such as a shape, is the same in both languages."""
    return text if isinstance(text, Words) else Words(text, text)


def join(parts: Sequence[Union[str, Words]], between: Union[str, Words]) -> Words:
    """One text of several parts with ``between`` between them."""
    texts = [both(part) for part in parts]
    return Words(*(glue.join(text[number] for text in texts) for number, glue in enumerate(both(between))))


def sentences(parts: Sequence[Union[str, Words]]) -> Words:
    """Several texts as one, each a sentence."""
    texts = [both(part) for part in parts]
    english = " ".join(f"{text.en.rstrip('.')}." for text in texts)
    return Words(english, "".join(f"{text.zh.rstrip('。')}。" for text in texts))
