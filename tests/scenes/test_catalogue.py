"""The catalogue is data that other floors and the codes' layout rely on."""

from scenes.catalogue import CLASS_BY_CODE, CLASSES, SCENE_BY_CODE, SCENES

WIRE_SCOPE_BITS = {
    "bus": 0,
    "hospital": 1,
    "scenic": 2,
    "school": 3,
    "community": 4,
    "parking": 5,
    "venue": 6,
    "service_window": 7,
    "retail": 8,
}


def test_there_are_ten_classes_with_the_names_of_the_design() -> None:
    assert [scene_class.name_zh for scene_class in CLASSES] == [
        "社会保障",
        "医疗健康",
        "公共交通",
        "智慧停车",
        "教育校园",
        "文化旅游",
        "文体场馆与图书馆",
        "社区物业与养老",
        "公共服务",
        "企业服务",
    ]


def test_codes_are_unique_and_every_class_has_a_scene() -> None:
    assert len(CLASS_BY_CODE) == len(CLASSES)
    assert len(SCENE_BY_CODE) == len(SCENES)
    assert {scene.class_code for scene in SCENES} == set(CLASS_BY_CODE)


def test_scope_bits_are_those_of_the_code_layout() -> None:
    assert {code: SCENE_BY_CODE[code].scope_bit for code in WIRE_SCOPE_BITS} == WIRE_SCOPE_BITS
    assert SCENE_BY_CODE["hospital"].scope == 2


def test_every_class_names_a_department_and_at_least_one_fund() -> None:
    for scene_class in CLASSES:
        assert scene_class.department_zh
        assert scene_class.department_en
        assert scene_class.funds
