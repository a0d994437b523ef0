"""The page of inspect: what is in it, and that a real browser shows it and runs its script."""

import re
import struct

import numpy as np
import pytest
from support.browser import Reader, chromium
from support.internals import inspect as module
from support.internals import inspect_html, inspect_pictures, recipe
from weight_files import safetensors_of

import weightinit_fast as wi

inspect, Recipe = module.inspect, recipe.Recipe

HOSTILE = "<script>alert(1)</script>&\"'\x1b[31m"
LAYERS = 4
RECIPE = Recipe(
    [("*.bias", "zeros"), ("*.t", "truncated_normal(std=0.02)"), ("*", "normal(std=0.02)")]
)


def model():
    """Return a model with the four planted faults."""
    shapes = {f"h.{n}.fc.weight": (64, 48) for n in range(LAYERS)}
    shapes |= {f"h.{n}.fc.bias": (64,) for n in range(LAYERS)} | {"v.t": (40, 30), "b.u": (9, 9)}
    tensors = {n: RECIPE.initializer_for(n)(s, rng=0, stream=n) for n, s in shapes.items()}
    tensors["h.0.fc.weight"][:] = 0
    tensors["h.1.fc.weight"][9] = tensors["h.1.fc.weight"][2]
    tensors["h.2.fc.weight"][1, 1] = np.nan
    tensors["h.3.fc.weight"] *= np.float32(np.sqrt(2))
    return tensors | {HOSTILE: np.ones((4, 3), "f4")}


def page_of(path, tensors, recipe=None):
    path = path / "model.safetensors"
    path.write_bytes(safetensors_of({name: ("F32", array) for name, array in tensors.items()}))
    return inspect(path, recipe=recipe).to_html()


@pytest.mark.parametrize("recipe", [RECIPE, None])
def test_the_page_is_whole_and_loads_nothing(tmp_path, recipe):
    page = page_of(tmp_path, model(), recipe)
    reader = Reader(page)
    assert reader.tags.count("script") == 1
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("src", "href", "srcset", "action", "data"):
            assert re.fullmatch(r"#t\d+|data:,", value), (tag, name, value)
    assert "url(" not in page
    assert "@import" not in page
    assert "\x1b" not in page
    assert "alert(1)</script>" not in page
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {
        value[1:] for _, name, value in reader.attributes if name == "href" and value[0] == "#"
    }
    assert links <= set(ids)
    assert reader.tags.count("tr") == 1 + len(model())
    drawn = sum(pair == ("path", "class", "bars") for pair in reader.attributes)
    lines = sum(pair == ("path", "class", "density") for pair in reader.attributes)
    assert drawn == len(model())
    # Every law has a line, also that of the biases' zeros.
    assert lines == (len(model()) if recipe else 0)


def test_what_looks_wrong_is_on_top(tmp_path):
    page = page_of(tmp_path, model(), RECIPE)
    kinds = re.findall(r'<span class="kind">([^<]*)', page)
    assert kinds[:2] == ["NaN", "zero"]
    assert set(kinds) == {"NaN", "zero", "constant", "equal rows", "std"}
    assert page.index('class="findings"') < page.index("<table")
    nothing = page_of(tmp_path, {"w": wi.normal((9, 9), std=0.02, rng=0)})
    assert "<p>Nothing.</p>" in nothing
    assert "Std by depth" not in nothing


def test_notes_stand_apart(tmp_path):
    tensors = {f"extra.{n}": wi.normal((4, 4), rng=n) for n in range(3)} | model()
    tensors["extra.1"][0, 0] = np.nan
    page = page_of(tmp_path, tensors, Recipe([("h.*", "normal(std=0.02)")]))
    wrong, notes = page.index("<h2>What looks wrong</h2>"), page.index("<h2>Notes</h2>")
    assert "The recipe has no rule for 6 tensors" in page[notes:]
    assert "no rule" not in page[wrong:notes]
    # In the table the tag of a note is none of something wrong.
    row = page[page.index('data-n="extra.1"') :]
    assert '<ul><li>NaN</li><li class="note">no rule</li></ul>' in row[: row.index("</tr>")]


def test_a_std_of_zero_shows_in_the_picture_of_depth(tmp_path):
    tensors = {f"h.{n}.w": wi.normal((20, 20), std=0.1 + 0.01 * n, rng=n) for n in range(5)}
    page = page_of(tmp_path, tensors)
    assert 'class="zeros"' not in page
    line = re.search(r'<path d="([^"]*)" fill="none" stroke="#0072b2" stroke-width="2"', page)[1]
    assert re.sub("[^ML]", "", line) == "MLLLL"
    ticks = re.findall(r'text-anchor="end">([^<]*)', page)
    assert len(ticks) >= 3
    assert all(len(tick) <= 4 for tick in ticks), "round numbers"
    tensors["h.2.w"][:] = 0
    page = page_of(tmp_path, tensors)
    assert page.count('class="zeros"') == 1
    line = re.search(r'<path d="([^"]*)" fill="none" stroke="#0072b2" stroke-width="2"', page)[1]
    assert re.sub("[^ML]", "", line) == "MLML", "the line has a gap"
    assert ">0</text>" in page


def test_ticks_are_round():
    for low, high in ((0.0915, 0.163), (0.0199, 0.0204), (0.3, 0.9), (1e-9, 3.0), (97, 131)):
        ticks = inspect_pictures._ticks(low, high)
        assert 2 <= len(ticks) <= 10
        for tick in ticks:
            assert low <= tick <= high
            assert len(f"{tick:e}".rstrip("0").partition("e")[0].replace("0", "")) <= 6


def test_a_page_of_thousands_of_tensors(tmp_path, monkeypatch):
    monkeypatch.setattr(inspect_html, "_MOST_HISTOGRAMS", 100)
    monkeypatch.setattr(inspect_html, "_FIRST_ROWS", 50)
    tensors = {f"h.{n}.w": wi.normal((4, 4), rng=n) for n in range(500)}
    tensors["h.499.w"] = np.zeros((4, 4), "f4")
    page = page_of(tmp_path, tensors)
    assert len(page) < 1_000_000
    assert page.count('class="bars"') == 100
    assert "400 histograms are left out" in page
    assert page.count('class="more"') == 449  # the first 50 are shown, and the one of the finding
    assert "Show all 500 tensors" in page


# A real browser ----------------------------------------------------------------------------------


def dom_of(path, page):
    path = path / "report.html"
    path.write_text(page, encoding="utf-8")
    return chromium("--dump-dom", path.as_uri())


def probed(page, script):
    """Return a page without its policy and with a script, which stores its result as the title."""
    page = re.sub(r"<meta http-equiv=[^>]*>", "", page)
    return page.replace("</body>", f"<script>document.title = {script};</script></body>")


@pytest.mark.process
def test_a_browser_runs_the_page_without_errors(tmp_path):
    dom, console = dom_of(tmp_path, page_of(tmp_path, model(), RECIPE))
    assert console == []
    assert '<div class="tools">' in dom  # the script has run: it shows what needs it


@pytest.mark.process
def test_a_foreign_script_does_not_run(tmp_path):
    page = page_of(tmp_path, model(), RECIPE)
    page = page.replace("</body>", "<script>document.title = 'changed'</script></body>")
    dom, console = dom_of(tmp_path, page)
    assert "<title>changed" not in dom
    assert any("Content Security Policy" in line for line in console)


@pytest.mark.process
def test_the_script_sorts_and_filters(tmp_path):
    script = """(() => {
      const names = () => [...document.querySelectorAll("tbody tr")]
        .filter((row) => row.offsetParent !== null).map((row) => row.cells[0].firstChild
          && row.dataset.n);
      const click = (label) => [...document.querySelectorAll("th button")]
        .find((button) => button.textContent === label).click();
      const results = [];
      click("tensor"); results.push(names()[0]);
      click("tensor"); results.push(names()[0]);
      click("std"); results.push(names().slice(-3)[0]);
      click("std"); results.push(names()[0]);
      const search = document.querySelector("#search");
      search.value = "Bias"; search.dispatchEvent(new Event("input"));
      results.push(names().length);
      search.value = ""; search.dispatchEvent(new Event("input"));
      document.querySelector("#only").click();
      results.push(names().length);
      return results.join("|");
    })()"""
    dom, console = dom_of(tmp_path, probed(page_of(tmp_path, model(), RECIPE), script))
    assert console == []
    first, last, before_largest, largest, biases, wrong = re.search(r"<title>(.*?)</title>", dom)[
        1
    ].split("|")
    assert (first[:4], last) == ("&lt;", "v.t") or (first, last) == ("b.u", "v.t")
    assert largest == "h.3.fc.weight"
    assert before_largest != largest
    assert int(biases) == LAYERS
    assert int(wrong) == 5


@pytest.mark.process
def test_a_phone_need_not_scroll_sideways(tmp_path):
    probe = "document.documentElement.scrollWidth + ' of ' + innerWidth"
    long_name = "model.layers.0." + "a_very_long_name_without_any_dot" * 3 + ".weight"
    tensors = model() | {long_name: np.ones(3, "f4")}
    page = probed(page_of(tmp_path, tensors, RECIPE), f"({probe})")
    page = page.replace(
        "</body>", "<script>parent.postMessage(document.title, '*')</script></body>"
    )
    (tmp_path / "inner.html").write_text(page, encoding="utf-8")
    # A window has a least width, a frame has none.
    outer = (
        "<script>onmessage = (event) => { document.title = event.data; };</script>"
        '<iframe src="inner.html" width="360" height="700" style="border: 0"></iframe>'
    )
    dom, _ = dom_of(tmp_path, outer)
    assert re.search(r"<title>(.*?)</title>", dom)[1] == "360 of 360"


@pytest.mark.process
def test_a_desktop_of_1400_pixels_need_not_scroll_sideways(tmp_path):
    probe = """(() => {
      const box = document.querySelector(".scroll");
      return box.scrollWidth + " of " + box.clientWidth;
    })()"""
    tensors = {
        f"model.layers.{n}.post_attention_layernorm.{part}": init((48, 40, 3, 3), rng=n)
        for n in range(3)
        for part, init in {
            "weight": wi.initializer("truncated_normal(std=0.01234)"),
            "projection.weight": wi.initializer("uniform(low=-0.0123, high=0.0123)"),
        }.items()
    }
    recipe = Recipe(
        {"*norm.weight": "truncated_normal(std=0.01234)", "*": "uniform(low=-0.05, high=0.05)"}
    )
    tensors["model.layers.0.post_attention_layernorm.weight"][3, 3, 1, 1] = np.nan
    tensors["model.layers.1.post_attention_layernorm.weight"][3, 3, 1, 1] = np.inf
    tensors["model.layers.2.post_attention_layernorm.weight"][3] = 0.01
    tensors["model.layers.2.post_attention_layernorm.weight"][5] = 0.01
    page = tmp_path / "report.html"
    page.write_text(probed(page_of(tmp_path, tensors, recipe), probe), encoding="utf-8")
    dom, _ = chromium("--window-size=1400,1000", "--dump-dom", page.as_uri())
    needed, there = re.search(r"<title>(\d+) of (\d+)</title>", dom).groups()
    assert int(needed) <= int(there)


@pytest.mark.process
@pytest.mark.parametrize("size", [(1400, 1000), (500, 900)])
def test_a_picture_of_the_page(tmp_path, size):
    page = tmp_path / "report.html"
    page.write_text(page_of(tmp_path, model(), RECIPE), encoding="utf-8")
    picture = tmp_path / "report.png"
    chromium(f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", page.as_uri())
    data = picture.read_bytes()
    assert struct.unpack(">II", data[16:24]) == size
    assert len(data) > 30_000  # an empty page takes some 6,000 bytes
