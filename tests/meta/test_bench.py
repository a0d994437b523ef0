"""The benchmark's arithmetic: ratios, spreads, verdicts, what counts as moved. Nothing is timed."""

import fnmatch
from unittest.mock import MagicMock

import pytest
from support import BENCH, modules_of

pytestmark = pytest.mark.meta
if not BENCH.is_dir():
    pytest.skip("bench is not here", allow_module_level=True)


@pytest.fixture(scope="module")
def bench():
    with modules_of(BENCH, ("results", "goal_list", "judge", "compare")) as modules:
        yield modules


@pytest.fixture(scope="module")
def goal_list(bench):
    return bench["goal_list"]


def row(name, seconds, *, script="run", nbytes=4000, elements=1000, times=1, **more):
    library, _, variant = name.partition(" ")
    facts = {"name": name, "library": library, "variant": variant, "what": "", "threads": 1}
    work = {"bytes": nbytes, "elements": elements, "times": times, "seconds": seconds}
    return facts | work | {"script": script} | more


def document(rows, found=(), threads=2, **cpu):
    own = {"isa": "avx2", "threads": threads, "version": "1", "compiler": "cc"}
    machine = {"cpu": {"model": "one", **cpu}, "weightinit_fast": own}
    return {"machine": machine, "found": dict(found), "settings": {}, "rows": rows}


# ---- ratios and spreads ---------------------------------------------------------------------


def test_ratio_is_of_rates_and_of_medians(bench):
    top, bottom = row("a", [1.0, 2.0, 9.0]), row("b", [8.0, 4.0, 6.0])
    assert bench["results"].ratio(top, bottom) == 3.0


def test_ratio_counts_elements_where_both_have_them_and_else_bytes(bench):
    ratio = bench["results"].ratio
    narrow, wide = row("a", [1.0], nbytes=2000), row("b", [1.0])
    store = row("c", [1.0], elements=None)
    assert ratio(narrow, wide) == 1.0
    assert ratio(narrow, store) == 0.5


def test_rounds_pair_the_samples_of_one_repetition(bench):
    top = row("a", [1.0, 2.0])
    bottom = row("b", [2.0, 9.0, 1.0, 8.0, 6.0, 7.0], times=3)
    assert bench["results"].round_ratios(top, bottom) == [2.0, 3.5]


def test_quartiles(bench):
    quartiles = bench["results"].quartiles
    assert quartiles([5.0, 1.0, 2.0, 4.0, 3.0]) == (2.0, 4.0)
    assert quartiles([3.0]) == (3.0, 3.0)


def test_join_refuses_two_machines_and_one_case_twice(bench):
    join, one = bench["results"].join, row("a", [1.0])
    joined = join([document([one]), document([row("b", [1.0])])])
    assert [r["name"] for r in joined["rows"]] == ["a", "b"]
    with pytest.raises(ValueError, match="two machines"):
        join([document([one]), document([], model="two")])
    with pytest.raises(ValueError, match="'a'"):
        join([document([one]), document([one])])


# ---- verdicts -------------------------------------------------------------------------------


def judged(bench, rows, limit, kind="rate", bottom="peer * t{t}", **more):
    goal = bench["goal_list"].Goal("g", "we {isa} t{t}", bottom, limit, ("1",), kind)
    (result,) = bench["judge"].judge([goal], document(rows, **more))
    return result


@pytest.mark.parametrize(("limit", "verdict"), [(2.0, "met"), (2.01, "short")])
def test_a_rate_must_reach_its_limit(bench, limit, verdict):
    result = judged(bench, [row("we avx2 t1", [1.0]), row("peer a t1", [2.0])], limit)
    assert (result.verdict, result.value) == (verdict, 2.0)


@pytest.mark.parametrize(("limit", "verdict"), [(0.5, "met"), (0.49, "short")])
def test_a_time_must_not_pass_its_limit(bench, limit, verdict):
    rows = [row("we avx2 t1", [1.0, 1.0, 2.0]), row("peer a t1", [2.0, 2.0, 2.0])]
    result = judged(bench, rows, limit, "time")
    assert (result.verdict, result.value) == (verdict, 0.5)
    assert result.spread == pytest.approx((0.5, 1 / 1.5))


def test_kib_stand_for_themselves(bench):
    rows = [{"name": "we avx2 t1", "kib": 7, "script": "memory"}]
    assert judged(bench, rows, 7, "KiB", bottom="").verdict == "met"
    assert judged(bench, rows, 6, "KiB", bottom="").verdict == "short"


def test_the_fastest_of_a_peer_counts_and_is_named(bench):
    peers = [row("peer a t1", [3.0]), row("peer b t1", [2.0]), row("peer c t2", [1.0])]
    result = judged(bench, [row("we avx2 t1", [1.0]), *peers], 2.5)
    assert (result.verdict, result.value) == ("short", 2.0)
    assert result.note == "peer b t1 (of 2)"


def test_a_goal_without_its_peer_stays_and_says_why(bench):
    rows = [row("we avx2 t1", [1.0])]
    result = judged(bench, rows, 2.0, found={"peer": "not installed"})
    assert (result.verdict, result.note) == ("not measured", "peer: not installed")
    assert "'peer * t1'" in judged(bench, rows, 2.0).note


def test_all_threads_are_judged_once_where_there_is_one(bench, goal_list):
    goal = goal_list.Goal("g", "", "", 1.0)
    assert bench["judge"].thread_counts(goal, 4) == [1, 4]
    assert bench["judge"].thread_counts(goal, 1) == [1]


def test_goals_have_names_of_their_own_and_scripts_that_exist(goal_list):
    names = [goal.name for goal in goal_list.GOALS]
    assert len(set(names)) == len(names)
    for goal in goal_list.GOALS:
        assert (BENCH / goal.script).is_file()
        assert "{" not in (goal.top + goal.bottom).format(isa="avx2", t=1)
        assert (goal.bottom == "") == (goal.kind == goal_list.KIB)


def test_every_goal_finds_its_cases(bench, goal_list):
    modules = {name: __import__(name) for name in ("ours", "words", "layouts", "fresh", "peers")}
    limit, growth, small = map(__import__, ("store_limit", "growth", "small_calls"))
    library, threads = MagicMock(), [1, 2]  # nothing is loaded, nothing runs
    library.nt_name.return_value = b"avx512f"
    isa, peers = modules["ours"].wi.info()["isa"], modules["peers"]
    cases = [*limit.cases(threads, library), *growth.cases([18, 28], threads, 26, library)]
    cases += modules["fresh"].cases(threads, library) + peers.mkl_cases(threads, library, True)
    cases += [c for name in ("ours", "words", "layouts") for c in modules[name].cases(threads)]
    cases += peers.numpy_cases(threads, True)
    names = [case.name for case in cases]
    names += [row["name"] for row in small.rows({key: ([1], [1]) for key in small.calls()})]
    assert len(set(names)) == len(names)
    for goal in goal_list.GOALS:
        for side in filter(None, (goal.top, goal.bottom)):
            for count in bench["judge"].thread_counts(goal, 2):
                wanted = side.format(isa=isa, t=count)
                elsewhere = wanted.startswith(("torch", "memory", "lazy")) or "avx" in side
                assert elsewhere or fnmatch.filter(names, wanted), wanted


# ---- what moved -----------------------------------------------------------------------------


def figure(bench, value, width=0.0):
    spread = bench["results"].Spread(value * (1 - width), value * (1 + width))
    return bench["compare"].Figure(value, spread)


@pytest.mark.parametrize(
    ("old", "new", "width", "verdict"),
    [
        (1.0, 1.04, 0.0, "same"),  # five per cent at least
        (1.0, 1.06, 0.0, "faster"),
        (1.0, 0.94, 0.0, "slower"),
        (1.0, 0.94, 0.02, "same"),  # three times the noise, √2·0.02
        (1.0, 0.90, 0.02, "slower"),
    ],
)
def test_what_moved(bench, old, new, width, verdict):
    found = bench["compare"].judge(figure(bench, old, width), figure(bench, new, width))
    assert found == verdict


def test_more_memory_is_slower(bench):
    kib = [bench["compare"].Figure(value, None) for value in (20, 276, 277)]
    assert bench["compare"].judge(kib[0], kib[1]) == "same"
    assert bench["compare"].judge(kib[0], kib[2]) == "slower"


def test_cases_are_compared_by_the_store_of_their_own_run(bench):
    def result(own, store):
        other = row("store non-temporal x", [9.0], library="store non-temporal", script="growth")
        limit = row("store non-temporal y", [store], library="store non-temporal")
        ours = row("weightinit_fast avx2", [own])
        return document([other, limit, ours, row("mkl a", [own])])

    compare = bench["compare"].compare
    changes = {c.name: c for c in compare(result(2.0, 1.0), result(4.0, 2.0))}
    assert changes["weightinit_fast avx2"].verdict == "same"
    changes = {c.name: c for c in compare(result(2.0, 1.0), result(4.0, 1.0))}
    assert changes["weightinit_fast avx2"].verdict == "slower"
    assert changes["weightinit_fast avx2"].ours
    assert not changes["mkl a"].ours
    assert not any("store" in name for name in changes)


def test_other_processors_and_settings_are_refused(bench):
    differences, old = bench["compare"].differences, document([])
    assert differences(old, document([])) == []
    assert differences(old, document([], model="two"))
    sized = [document([]) | {"settings": {"run": {"size_mib": n, "quick": True}}} for n in (1, 2)]
    assert differences(*sized) == ["size_mib of run: 1, 2"]
