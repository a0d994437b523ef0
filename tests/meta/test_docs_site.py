""".ci/docs_site.py: which releases have pages, and what leads from one to another."""

import importlib.util

import pytest
from support import ROOT

SCRIPT = ROOT / ".ci" / "docs_site.py"
pytestmark = [
    pytest.mark.meta,
    pytest.mark.skipif(not SCRIPT.is_file(), reason="the repository is not beside the tests"),
]


@pytest.fixture(scope="module")
def site():
    spec = importlib.util.spec_from_file_location("docs_site", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_newest_patch_of_each_minor_version(site):
    tags = ["v0.9.0", "v0.10.1", "v0.9.12", "v0.9.2", "v1.0.0", "v1.1.0rc1", "0.8.0", "other"]
    assert site.releases(tags) == ["1.0.0", "0.10.1", "0.9.12"]
    assert site.releases([]) == []


def test_the_first_page_leads_to_the_newest_release(site):
    page = site.index(["dev", "1.0.0", "0.9.12"])
    assert 'url=1.0.0/index.html"' in page
    assert page.index('href="dev/') < page.index('href="1.0.0/') < page.index('href="0.9.12/')


def test_without_a_release_there_is_dev_alone(site):
    assert 'url=dev/index.html"' in site.index(["dev"])
    assert site.announcement("dev", ["dev"]) == ""


def test_what_is_announced(site):
    versions = ["dev", "1.0.0", "0.9.12"]
    assert site.announcement("1.0.0", versions) == ""
    assert "version 0.9.12. The newest release is 1.0.0." in site.announcement("0.9.12", versions)
    assert "the development version" in site.announcement("dev", versions)


def test_the_template_lists_the_other_versions():
    jinja2 = pytest.importorskip("jinja2")
    text = (ROOT / "docs" / "_templates" / "versions.html").read_text(encoding="utf-8")
    template = jinja2.Template(text)

    def render(**given):
        return template.render(pathto=lambda path, _: f"PATH {path}", **given)

    assert render().strip() == render(versions="dev", shown="dev").strip() == ""
    listed = render(versions="dev,1.0.0,0.9.12", shown="1.0.0")
    assert 'href="PATH ../dev/index.html"' in listed
    assert 'href="PATH ../0.9.12/index.html"' in listed
    assert "PATH ../1.0.0" not in listed
