"""Sets of pictures with attributes or captions in their own files: what is read, and what is refused."""

import io
import json
import tarfile

import numpy as np
import pytest
from scipy.io import savemat

from blip_core.errors import TableError
from blip_core.recipes import NativeSource
from blip_core.sources import check_native, native_digest, read_native, read_native_pictures
from tests.unit.examples import png, world_pixels

SHOES = (
    "Shoes/Oxfords/Bostonian/100627.72.jpg",
    "Boots/Ankle/Bella Vita/7000.1.jpg",
    "Shoes/Flats/A.P.C./99.5.jpg",
)
META = (
    "CID,Category,SubCategory,HeelHeight,Insole,Closure,Gender,Material,ToeStyle",
    "100627-72,Shoes,Oxfords,1in - 1 3/4in,,Lace up,Men,Leather,",
    "7000-1,Boots,Ankle,2in - 2 3/4in,,Zipper;Buckle,Women,Suede;Rubber,Round Toe",
    "99-5,Shoes,Flats,,,,Women,,",
)
DRESSED = (
    "WOMEN-Dresses-id_00000002-02_1_front.jpg",
    "MEN-Pants-id_00000007-01_2_side.jpg",
    "MEN-Tees_Tanks-id_00000009-01_1_front.jpg",
)
ITEMS = (
    "img/WOMEN/Dresses/id_00000002/02_1_front.jpg",
    "img/WOMEN/Dresses/id_00000002/02_3_back.jpg",
    "img/MEN/Pants/id_00000007/01_1_front.jpg",
)
STATES = ("ancient city/a.jpg", "sliced apple/b.jpg", "adj aluminum/c.jpg", "ripe apple/d.jpg")


def put(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pictures(root, names):
    for number, name in enumerate(names):
        put(root, name, png(world_pixels(number)))


def zappos(root, form="mat"):
    pictures(root, [f"ut-zap50k-images/{name}" for name in SHOES])
    put(root, "ut-zap50k-data/meta-data.csv", "\n".join(META))
    if form == "mat":
        cells = np.empty((len(SHOES), 1), dtype=object)
        cells[:, 0] = SHOES
        savemat(root / "ut-zap50k-data/image-path.mat", {"imagepath": cells})
    else:
        put(root, "ut-zap50k-data/image-path.csv", "\n".join(SHOES))


def mit_states(root, below="release_dataset/images"):
    pictures(root, [f"{below}/{name}" for name in STATES])


def fashion(root):
    pictures(root, [f"images/{name}" for name in DRESSED])
    put(root, "captions.json", json.dumps({name: f"They wear number {n}." for n, name in enumerate(DRESSED)}))
    put(
        root,
        "labels/shape/shape_anno_all.txt",
        f"{DRESSED[0]} 0 3 3 0 0 1 1 0 1 0 2 1\n{DRESSED[1]} 5 4 3 2 4 2 2 2 4 6 2 2\n",
    )
    put(root, "labels/texture/fabric_ann.txt", f"{DRESSED[0]} 5 7 7\n{DRESSED[1]} 7 0 7\n")
    put(root, "labels/texture/pattern_ann.txt", f"{DRESSED[0]} 0 7 7\n{DRESSED[1]} 7 3 7\n")


def in_shop(root, attributes="Anno/attributes"):
    pictures(root, [f"Img/{name}" for name in ITEMS])
    parts = zip(ITEMS, ("train", "query", "gallery"), strict=True)
    rows = [f"{name}   {name.split('/')[3]}  {part}" for name, part in parts]
    put(root, "Eval/list_eval_partition.txt", "\n".join(["3", "image_name item_id evaluation_status", *rows]))
    told = [
        {"item": "id_00000002", "color": "Cream", "description": ["A floral dress. ", "90% cotton"]},
        {"item": "id_00000007", "color": "Black", "description": ["Plain trousers."]},
    ]
    put(root, "Anno/list_description_inshop.json", json.dumps(told))
    put(root, f"{attributes}/list_attr_cloth.txt", "3\nattribute_name\nfloral\na-line\nfaux leather\n")
    put(
        root,
        f"{attributes}/list_attr_items.txt",
        "2\nitem_id labels\nid_00000002 1 1 -1\nid_00000007 -1 -1 1\n",
    )


def shard(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def pair(number, **changes):
    name = f"{number:09d}"
    about = json.dumps(
        {"caption": f"told {number}", "url": "https://example.org", "key": name, "status": "success"}
    )
    files = {"jpg": png(world_pixels(number)), "txt": f"text {number}", "json": about} | changes
    return [(f"{name}.{ending}", content) for ending, content in files.items() if content is not None]


def shards(root):
    shard(root / "00000.tar", [*pair(0), *pair(1)])
    shard(root / "00001.tar", pair(2))


def alt_texts(root):
    pictures(root, [f"{number}.jpg" for number in range(3)])
    put(
        root,
        "alt-texts.jsonl",
        "".join(json.dumps({"file": f"{n}.jpg", "alt": f"dish {n}"}) + "\n" for n in range(3)),
    )


WRITERS = {
    "ut-zappos": zappos,
    "mit-states": mit_states,
    "deepfashion-multimodal": fashion,
    "in-shop": in_shop,
    "shards": shards,
    "alt-texts": alt_texts,
}
CAPTIONS = {
    "ut-zappos": ["a photo of leather oxfords", "a photo of suede and rubber ankle"],
    "mit-states": ["a photo of ancient city", "a photo of ripe apple", "a photo of sliced apple"],
    "deepfashion-multimodal": [f"They wear number {n}." for n in range(3)],
    "in-shop": ["A floral dress. 90% cotton"] * 2 + ["Plain trousers."],
    "shards": ["text 0", "text 1", "text 2"],
    "alt-texts": ["dish 0", "dish 1", "dish 2"],
}


@pytest.fixture(params=WRITERS)
def layout(request):
    return request.param


@pytest.fixture
def source(layout, tmp_path):
    WRITERS[layout](tmp_path)
    return native(layout, tmp_path)


def native(layout, root, **settings):
    return NativeSource(kind="native", layout=layout, path=str(root), settings=settings)


def captions(source):
    return [row.target for row in read_native(source, "caption")[0]]


def refusals(source, task="caption"):
    return [one.reason for one in read_native(source, task)[1]]


def test_rows_are_read_with_their_captions(layout, source):
    assert captions(source) == CAPTIONS[layout]
    missing = {"ut-zappos": 1, "mit-states": 1}.get(layout, 0)  # a shoe of no material, a noun of no state
    assert refusals(source) == ["missing-attribute"] * missing


def test_pictures_are_read_to_be_labelled(layout, source):
    found, refused = read_native_pictures(source)
    assert len(found) == {"mit-states": 4}.get(layout, 3)
    assert not refused


def test_the_digest_follows_every_picture(layout, source, tmp_path):
    first = native_digest(source)
    file = next(iter(sorted([*tmp_path.rglob("*.jpg"), *tmp_path.rglob("*.tar")])))
    file.write_bytes(file.read_bytes() + b"\0" * 512)
    assert native_digest(source) != first


def test_a_missing_file_is_named_with_where_to_get_it(layout, source, tmp_path):
    indices = [one for one in tmp_path.rglob("*") if one.is_file() and one.suffix != ".jpg"]
    for file in indices:
        file.unlink()
    if layout == "mit-states":
        for file in tmp_path.rglob("*.jpg"):
            file.unlink()
    with pytest.raises(TableError, match=r"Where to get it|holds no picture"):
        check_native(source, "caption")


@pytest.mark.parametrize("layout", ["ut-zappos", "deepfashion-multimodal", "in-shop", "alt-texts"])
def test_a_picture_that_is_gone_costs_its_row(layout, tmp_path):
    WRITERS[layout](tmp_path)
    min(tmp_path.rglob("*.jpg")).unlink()
    settings = {"undefined": "plain"} if layout == "ut-zappos" else {}
    assert refusals(native(layout, tmp_path, **settings)) == ["unreadable-picture"]


@pytest.mark.parametrize("form", ["mat", "csv"])
def test_shoes_have_their_attributes_by_the_order_of_the_paths(tmp_path, form):
    zappos(tmp_path, form)
    texts = captions(
        native("ut-zappos", tmp_path, caption="{gender} {object}: {closure}, {heel}, {brand}", undefined="?")
    )
    assert texts == [
        "men oxfords: lace up, 1in - 1 3/4in, Bostonian",
        "women ankle: zipper and buckle, 2in - 2 3/4in, Bella Vita",
        "women flats: ?, ?, A.P.C.",
    ]


def test_attributes_become_questions(tmp_path):
    zappos(tmp_path)
    rows, refused = read_native(
        native("ut-zappos", tmp_path, question="What is it made of?", answer="{material}"), "vqa"
    )
    assert [(row.question, row.target) for row in rows] == [
        ("What is it made of?", "leather"),
        ("What is it made of?", "suede and rubber"),
    ]
    assert [one.detail for one in refused] == ["row 3: material is not told"]


@pytest.mark.parametrize("template", ["a {colour} shoe", "{material:>5}", "{", "{material!r}"])
def test_a_template_of_what_is_no_attribute_is_refused(template):
    with pytest.raises(ValueError, match="caption"):
        native("ut-zappos", "x", caption=template)


@pytest.mark.parametrize("content", [b"", b"no matlab file", b"MATLAB 5.0 MAT-file" + b" " * 200])
def test_a_broken_mat_file_is_named(tmp_path, content):
    zappos(tmp_path)
    put(tmp_path, "ut-zap50k-data/image-path.mat", content)
    with pytest.raises(TableError, match=r"image-path.mat cannot be read as a MATLAB file"):
        check_native(native("ut-zappos", tmp_path), "caption")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (META[1:], "no column CID"),
        (META[:3], "has 2 rows and .* has 3"),
        ((*META, "1-1,Shoes,Flats,,,,,,"), "has 4 rows and .* has 3"),
    ],
)
def test_meta_data_that_do_not_fit_are_told(tmp_path, line, message):
    zappos(tmp_path)
    put(tmp_path, "ut-zap50k-data/meta-data.csv", "\n".join(line))
    with pytest.raises(TableError, match=message):
        check_native(native("ut-zappos", tmp_path), "caption")


def test_a_path_of_another_shoe_costs_its_row(tmp_path):
    zappos(tmp_path, "csv")
    put(tmp_path, "ut-zap50k-data/image-path.csv", "\n".join([SHOES[0], SHOES[2], SHOES[2]]))
    source = native("ut-zappos", tmp_path, undefined="plain")
    assert refusals(source) == ["contradicting-path"]


@pytest.mark.parametrize("below", ["images", "release_dataset/images", "."])
def test_states_are_found_whichever_folder_is_named(tmp_path, below):
    mit_states(tmp_path, below)
    assert captions(native("mit-states", tmp_path)) == CAPTIONS["mit-states"]


@pytest.mark.parametrize("folder", ["city", "ancient ", " city"])
def test_a_folder_that_is_no_pair_is_refused(tmp_path, folder):
    mit_states(tmp_path)
    put(tmp_path, f"release_dataset/images/{folder}/x.jpg", png(world_pixels(7)))
    assert sorted(refusals(native("mit-states", tmp_path))) == ["missing-attribute", "unreadable-folder"]


def test_labels_of_clothes_become_words(tmp_path):
    fashion(tmp_path)
    shown = "{gender}'s {garment}: {sleeves}, {neckline}, {upper-fabric}, {upper-pattern}, {lower-fabric}"
    assert captions(native("deepfashion-multimodal", tmp_path, caption=shown, undefined="-")) == [
        "women's dresses: sleeveless, v-shape, chiffon, floral, -",
        "men's pants: -, -, -, -, denim",
        "men's tees tanks: -, -, -, -, -",
    ]


@pytest.mark.parametrize(
    "line", ["name.jpg 1 2", "name.jpg a b c", f"{DRESSED[0]} 1 1 1", "name.jpg 1 2 3 4"]
)
def test_a_line_of_labels_that_cannot_be_read_is_named(tmp_path, line):
    fashion(tmp_path)
    path = tmp_path / "labels/texture/fabric_ann.txt"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(TableError, match=r"fabric_ann.txt, line 3: "):
        check_native(native("deepfashion-multimodal", tmp_path), "caption")


@pytest.mark.parametrize("part", ["train", "query", "gallery"])
def test_a_part_of_the_shop_is_read_with_attributes(tmp_path, part):
    in_shop(tmp_path, "Anno")
    words = {
        "train": "cream: floral, a-line",
        "query": "cream: floral, a-line",
        "gallery": "black: faux leather",
    }
    assert captions(native("in-shop", tmp_path, part=part, caption="{color}: {attributes}")) == [words[part]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "Eval/list_eval_partition.txt",
            "image_name item_id\n",
            "does not begin with the number of its rows",
        ),
        ("Eval/list_eval_partition.txt", "9\nhead\na b c\n", "says that it has 9 rows and has 1"),
        ("Anno/list_description_inshop.json", "{}", "a dict where a list of items is owed"),
        ("Anno/list_description_inshop.json", '[{"color": "red"}]', "entry 1: it is no object with an item"),
        (
            "Anno/list_description_inshop.json",
            '[{"item": "a"}, {"item": "a"}]',
            "entry 2: the item a comes twice",
        ),
        (
            "Anno/attributes/list_attr_items.txt",
            "1\nhead\nid_00000002 1\n",
            "1 values, and .* names 3 attributes",
        ),
    ],
)
def test_a_list_of_the_shop_that_is_cut_or_another_is_named(tmp_path, name, content, message):
    in_shop(tmp_path)
    put(tmp_path, name, content)
    with pytest.raises(TableError, match=message):
        check_native(native("in-shop", tmp_path), "caption")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"txt": None}, "missing-text"),
        ({"jpg": None}, "missing-picture"),
        ({"png": b"x"}, "several-pictures"),
        ({"txt": b"\xff\xfe\x00"}, "unreadable-text"),
        ({"txt": " "}, "empty-text"),
        ({"jpg": b"no picture"}, "unreadable-picture"),
    ],
)
def test_a_broken_pair_of_a_shard_is_refused_and_the_rest_is_read(tmp_path, changes, reason):
    shard(tmp_path / "0.tar", [*pair(0), *pair(1, **changes), *pair(2)])
    assert refusals(native("shards", tmp_path)) == [reason]
    assert captions(native("shards", tmp_path)) == ["text 0", "text 2"]


@pytest.mark.parametrize("about", ["{", "[]", '{"caption": 3}', "{}"])
def test_a_caption_of_the_json_is_taken_where_it_is_a_text(tmp_path, about):
    shard(tmp_path / "0.tar", [*pair(0), *pair(1, json=about), *pair(2)])
    source = native("shards", tmp_path, caption_key="caption")
    assert captions(source) == ["told 0", "told 2"]
    assert len(refusals(source)) == 1


def test_a_pair_that_comes_twice_is_refused_the_second_time(tmp_path):
    shard(tmp_path / "0.tar", [*pair(0), *pair(1), *pair(0)])
    assert refusals(native("shards", tmp_path)) == ["repeated-id"]


@pytest.mark.parametrize("keep", [100, 700])
def test_a_cut_shard_is_named(tmp_path, keep):
    shards(tmp_path)
    path = tmp_path / "00001.tar"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TableError, match=r"00001.tar is no whole TAR file"):
        read_native(native("shards", tmp_path), "caption")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "unreadable-row"),
        ("3", "not-an-object"),
        ('{"alt": "x"}', "missing-picture"),
        ('{"file": "0.jpg"}', "missing-text"),
        ('{"file": "0.jpg", "alt": "again"}', "repeated-id"),
        ('{"file": "../out.jpg", "alt": "x"}', "link-leads-out"),
        ('{"file": "https://example.org/a.jpg", "alt": "x"}', "unreadable-picture"),
    ],
)
def test_a_line_of_alt_texts_that_cannot_be_used_is_refused(tmp_path, line, reason):
    alt_texts(tmp_path)
    path = tmp_path / "alt-texts.jsonl"
    path.write_text(path.read_text() + line + "\n")
    found = refusals(native("alt-texts", tmp_path))
    assert len(found) == 1
    assert found[0] in (reason, "unreadable-picture")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"address": "https://x.example/a.jpg", "licence": ""}, {"address": "https://x.example/a.jpg"}),
        (
            {"licence": "https://cc.example/by/4.0/", "page": "https://x.example/"},
            {"licence": "https://cc.example/by/4.0/"},
        ),
        ({"address": 3, "licence": None}, {}),
        ({"address": "https://x.example/" + "a" * 500, "licence": "a\u202eb"}, {}),
    ],
)
def test_where_a_gathered_picture_comes_from_stays_with_its_row(tmp_path, told, kept):
    alt_texts(tmp_path)
    line = json.dumps({"file": "0.jpg", "alt": "a dish", **told})
    (tmp_path / "alt-texts.jsonl").write_text(line + "\n")
    (row,) = read_native(native("alt-texts", tmp_path), "caption")[0]
    assert row.attributes == kept


def test_what_a_set_tells_of_a_picture_stays_with_its_row(tmp_path):
    zappos(tmp_path)
    rows, _ = read_native(native("ut-zappos", tmp_path, undefined="plain"), "caption")
    first = next(row for row in rows if row.id == "100627-72")
    assert first.attributes["material"] == "leather"
    assert first.attributes["closure"] == "lace up"
    assert "heel" not in next(row for row in rows if row.id == "99-5").attributes
