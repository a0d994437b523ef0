"""What a SignalReport prints and draws: the table, the page, the picture, and a real browser."""

import json
import re
import struct
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from signal_nets import adapter, net, normals, torch
from signal_nets import one_thread as one_thread  # noqa: PLC0414  a fixture
from support.browser import Reader, chromium


@pytest.fixture(scope="module")
def reports(_frameworks):
    sample = normals(64, 32)
    rules = {"small": "normal(std=0.01)", "he": "he_normal", "zeros": "zeros"}
    return {name: adapter.signal(net(12, 32, "ReLU", rule), sample) for name, rule in rules.items()}


def test_the_table(reports):
    lines = str(reports["small"]).splitlines()
    assert lines[0].split() == ["layer", "kind", "shape", "activation", "gradient", "zeros", "dead"]
    rows = reports["small"].rows
    assert len(rows) == 25
    row = rows[1]
    assert lines[2].split()[:2] == ["0", "Linear"]
    assert f"{row.std:.4g}" in lines[2]
    assert f"{row.gradient_std:.4g}" in lines[2]
    assert lines[26] == ""
    assert lines[27] == "What looks wrong:"
    assert lines[28].startswith("  Activations vanish by a factor of ")
    assert "Nothing looks wrong." in str(reports["he"])
    assert all(len(line) <= 100 for line in lines[:26])
    assert repr(reports["small"]) == "<SignalReport of Sequential: 25 layers, 2 findings, 1 note>"


def test_a_long_table_has_its_first_and_last_rows(reports):
    lines = reports["small"].to_text(rows=6).splitlines()
    assert lines[4] == "... 19 layers ..."
    assert lines[3].startswith("1 ")
    assert lines[5].startswith("21 ")
    assert lines[8] == ""
    assert len(reports["small"].to_text(rows=None).splitlines()) > 26


def test_columns_that_say_nothing_are_left_out():
    found = adapter.signal(torch.nn.Sequential(torch.nn.Linear(8, 8)), normals(16, 8))
    assert str(found).split("\n")[0].split() == ["layer", "kind", "shape", "activation", "gradient"]
    module = torch.nn.Sequential(torch.nn.Linear(8, 8))
    with torch.no_grad():
        module[0].weight[0, 0] = torch.nan
    assert str(adapter.signal(module, normals(16, 8))).split("\n")[0].endswith("  bad")


def test_to_dict_is_json(reports):
    for report in reports.values():
        text = json.dumps(report.to_dict(), allow_nan=False)
        assert len(json.loads(text)["rows"]) == 25
    assert {finding["kind"] for finding in reports["small"].to_dict()["findings"]} == {
        *("vanishes", "dead by chance"),
    }


@pytest.mark.parametrize("name", ["small", "he", "zeros"])
def test_the_page_is_whole_and_loads_nothing(reports, name):
    page = reports[name].to_html()
    reader = Reader(page)
    assert "script" not in reader.tags
    for tag, attribute, value in reader.attributes:
        assert not attribute.startswith("on"), (tag, attribute, value)
        if attribute in ("src", "href", "srcset", "action", "data"):
            assert value == "data:,", (tag, attribute, value)
    assert "url(" not in page
    ids = [value for _, attribute, value in reader.attributes if attribute == "id"]
    assert len(ids) == len(set(ids)) == 25
    assert reader.tags.count("tr") == 26
    # Two pictures, each with a mark for the layers and the sample, and two colours in the key.
    assert reader.tags.count("circle") == 2 * 25
    assert ('class="zeros"' in page) == (name == "zeros")
    assert page.count('<span class="kind">') == len(reports[name].findings)


def test_names_are_escaped():
    module = torch.nn.Sequential()
    module.add_module("<script>alert(1)</script>&\x1b[31m", torch.nn.Linear(4, 4))
    page = adapter.signal(module, normals(8, 4)).to_html()
    Reader(page)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\x1b" not in str(adapter.signal(module, normals(8, 4)))


def test_the_picture_stands_alone(reports):
    for name, report in reports.items():
        root = ElementTree.fromstring(report.to_svg())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        marks = list(root.iter("{http://www.w3.org/2000/svg}circle"))
        assert len(marks) == 50, name
        assert all(0 < float(mark.attrib["cy"]) < 250 for mark in marks), name
        width, height = (float(n) for n in root.attrib["viewBox"].split()[2:])
        for text in root.iter("{http://www.w3.org/2000/svg}text"):
            assert 0 <= float(text.attrib["x"]) <= width
            assert 0 <= float(text.attrib["y"]) <= height


def test_the_heights_of_the_picture_are_those_of_the_numbers(reports):
    """On the logarithmic scale a signal that falls evenly is a straight line."""
    report = reports["small"]
    root = ElementTree.fromstring(report.to_svg())
    groups = root.findall("{http://www.w3.org/2000/svg}g")
    for group, sign in zip(groups, (1, -1), strict=True):
        marks = {
            mark[0].text.split(" ")[0]: float(mark.attrib["cy"])
            for mark in group.iter("{http://www.w3.org/2000/svg}circle")
        }
        heights = [marks[str(number)] for number in range(0, 24, 2)]
        steps = [sign * (b - a) for a, b in pairwise(heights)]
        assert min(steps) > 0.7 * max(steps) > 0


def test_write_html(reports, tmp_path):
    path = tmp_path / "signal.html"
    reports["he"].write_html(path)
    reports["small"].write_html(path)  # an older page is replaced
    assert path.read_text(encoding="utf-8") == reports["small"].to_html()
    path.write_text("a text of mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="force=True"):
        reports["he"].write_html(path)
    reports["he"].write_html(path, force=True)
    assert "Nothing." in path.read_text(encoding="utf-8")


@pytest.mark.process
@pytest.mark.parametrize("size", [(1400, 1000), (500, 900)])
def test_a_browser_shows_the_page(reports, tmp_path, size):
    page = tmp_path / "signal.html"
    probe = "document.title = document.documentElement.scrollWidth"
    text = re.sub(r"<meta http-equiv=[^>]*>", "", reports["small"].to_html())
    page.write_text(text.replace("</body>", f"<script>{probe}</script></body>"), encoding="utf-8")
    dom, console = chromium(f"--window-size={size[0]},{size[1]}", "--dump-dom", page.as_uri())
    assert console == []
    assert int(re.search(r"<title>(\d+)", dom)[1]) <= size[0]
    reports["small"].write_html(page, force=True)
    picture = tmp_path / "signal.png"
    chromium(f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", page.as_uri())
    data = picture.read_bytes()
    assert struct.unpack(">II", data[16:24]) == size
    assert len(data) > 30_000
