"""Words for the search of a book in English and Chinese, which has no spaces: every pair of neighbours is a word."""

import re

from sphinx import search

NAME = "en+zh"
WORD = re.compile(r"[\u4e00-\u9fff]+|[^\W\u4e00-\u9fff]+")

#: what :meth:`EnglishAndChinese.split` does, for the query in the browser
SPLIT_QUERY = r"""
var splitQuery = (query) => query
  .split(/[^\p{Letter}\p{Number}_]+/gu)
  .flatMap((word) => word.match(/[\u4e00-\u9fff]+|[^\u4e00-\u9fff]+/g) || [])
  .flatMap((word) => /[\u4e00-\u9fff]/.test(word) && word.length > 2
    ? Array.from({length: word.length - 1}, (_, i) => word.slice(i, i + 2)) : [word]);
"""


def pairs(word):
    """A run of Chinese characters as its pairs; anything else, and a run of one or two, as it is."""
    if not "\u4e00" <= word[0] <= "\u9fff" or len(word) < 3:
        return [word]
    return [word[i : i + 2] for i in range(len(word) - 1)]


class EnglishAndChinese(search.SearchEnglish):
    """English words are stemmed as in an English book, Chinese ones are pairs of characters."""

    lang = "en"
    language_name = "English and Chinese"
    js_splitter_code = SPLIT_QUERY

    def split(self, text):
        """The words of a text."""
        return [pair for word in WORD.findall(text) for pair in pairs(word)]


def register(app):
    """Make the language known to Sphinx."""
    search.languages[NAME] = EnglishAndChinese
