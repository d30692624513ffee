"""Free Chinese text made comparable, and cut where a statement ends. Pure.

Full width and half width, capitals and the traditional characters people type about complaints
become one; lengths stay, so that a place in the result is a place in what was written.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

TEXT_MAX: Final = 500  # characters that are read; nobody describes a complaint in more
# Traditional characters of complaints and bodies, each beside its simplified form.
_PAIRS: Final = (
    "頭头腦脑臉脸頸颈頰颊齒齿顎颚喉喉嚨咙脣唇鬆松腫肿脹胀脈脉臟脏腎肾腸肠膽胆膚肤關关節节"
    "腳脚趾趾脛胫韌韧帶带筋筋骨骨頷颔顱颅裏里裡里麼么沒没無无燒烧熱热發发髮发痠酸癢痒癱瘫"
    "瘡疮癬癣瘋疯癇痫癥症氣气喘喘噁恶嘔呕吐吐瀉泻濕湿乾干嗆呛嚥咽嚇吓咳咳痰痰聽听聾聋鳴鸣"
    "視视覺觉見见眩眩暈晕昏昏厥厥淚泪紅红黃黄紫紫綠绿藍蓝變变硬硬軟软麻麻僵僵動动彈弹搖摇"
    "顫颤揮挥語语話话說说講讲識识糊糊醒醒難难過过絞绞劇剧烈烈擠挤壓压悶闷撕撕裂裂傷伤斷断"
    "創创損损燙烫電电觸触溺溺墜坠車车禍祸撞撞壞坏農农藥药劑剂鹼碱酸酸煙烟酒酒蟲虫蛇蛇貓猫"
    "狗狗蜂蜂針针釘钉鐵铁刀刀懷怀產产婦妇兒儿嬰婴個个歲岁週周陰阴經经漏漏滲渗淌淌噴喷湧涌"
    "飲饮飯饭餐餐餵喂奶奶體体溫温度度壽寿糖糖壓压憂忧鬱郁慮虑緊紧張张殺杀輕轻瀰弥漫漫續续"
    "這这裡里邊边側侧雙双隻只還还從从來来後后間间時时幾几陣阵讓让對对樣样點点種种醫医診诊"
    "檢检驗验檔档術术療疗補补鑲镶矯矫齦龈鏡镜黴霉膿脓皰疱疹疹塊块腺腺癌癌囊囊結结濁浊尿尿"
)
_SIMPLIFIED: Final = {
    ord(_PAIRS[at]): _PAIRS[at + 1]
    for at in range(0, len(_PAIRS), 2)
    if _PAIRS[at] != _PAIRS[at + 1]
}
_SENTENCE_ENDS: Final = "。!?;\n"
_CLAUSE_ENDS: Final = ",:~…()[]<>\"'“”‘’《》|\\ \t"
# Where somebody turns to the other side: what stood before says nothing about what follows.
_TURNS: Final = ("但是", "可是", "就是", "只是", "而是", "现在", "如今", "目前")


@dataclass(frozen=True, slots=True)
class Clause:
    """One statement, of the normalised text."""

    text: str
    sentence: int


def normalised(text: str) -> str:
    """The text with one form for every character, cut at ``TEXT_MAX``."""
    return "".join(_one(character) for character in text[:TEXT_MAX]).translate(_SIMPLIFIED)


def clauses_of(text: str) -> list[Clause]:
    """The statements of a normalised text, in order."""
    return list(_cut(text))


def _one(character: str) -> str:
    if character.isspace() and character != "\n":
        return " "
    folded = unicodedata.normalize("NFKC", character).casefold()
    return folded if len(folded) == 1 else character


def _cut(text: str) -> Iterator[Clause]:
    start, sentence = 0, 0
    for at, character in enumerate(text):
        ends_sentence = character in _SENTENCE_ENDS
        turns = at > start and any(text.startswith(word, at) for word in _TURNS)
        if ends_sentence or turns or character in _CLAUSE_ENDS:
            if at > start:
                yield Clause(text=text[start:at], sentence=sentence)
            start = at if turns else at + 1
            sentence += ends_sentence
    if start < len(text):
        yield Clause(text=text[start:], sentence=sentence)
