"""The arithmetic of the benchmarks: ratios, spreads, verdicts, the baseline. Nothing is timed."""

import argparse
import fnmatch
import importlib
import re
from unittest.mock import MagicMock

import pytest
from support import BENCH, modules_of

pytestmark = pytest.mark.meta
if not BENCH.is_dir():
    pytest.skip("bench is not here", allow_module_level=True)


@pytest.fixture(scope="module")
def bench():
    names = ("results", "goal_list", "judge", "goals", "baseline")
    with modules_of(BENCH.parent, [f"bench.report.{name}" for name in names]) as modules:
        yield {name.rpartition(".")[2]: module for name, module in modules.items()}


@pytest.fixture(scope="module")
def goal_list(bench):
    return bench["goal_list"]


def row(name, seconds, *, command="fills", nbytes=4000, elements=1000, samples=1, **more):
    library, _, variant = name.partition(" ")
    facts = {"name": name, "library": library, "variant": variant, "what": "", "threads": 1}
    work = {"bytes": nbytes, "elements": elements, "samples": samples, "seconds": seconds}
    return facts | work | {"command": command} | more


def document(rows, found=(), threads=2, **cpu):
    own = {"isa": "avx512_vaes", "threads": threads, "version": "1", "compiler": "cc"}
    machine = {"cpu": {"model": "one", "family": None, "cpus": 2, **cpu}, "weightinit_fast": own}
    machine |= {"commit": "abc", "date": "2026-01-02", "python": "3.11.7", "system": "Linux"}
    machine |= {"numpy": "2", "torch": None, "mkl": None, "install": "wheel"}
    return {"machine": machine, "found": dict(found), "settings": {}, "rows": rows}


# ---- ratios and spreads ---------------------------------------------------------------------


def test_ratio_is_of_rates_and_of_medians(bench):
    top, bottom = row("a", [1.0, 2.0, 9.0]), row("b", [8.0, 4.0, 6.0])
    assert bench["results"].ratio(top, bottom) == 3.0
    assert bench["results"].best_ratio(top, bottom) == 4.0


def test_ratio_counts_elements_if_both_have_them_and_otherwise_bytes(bench):
    ratio = bench["results"].ratio
    narrow, wide = row("a", [1.0], nbytes=2000), row("b", [1.0])
    store = row("c", [1.0], elements=None)
    assert ratio(narrow, wide) == 1.0
    assert ratio(narrow, store) == 0.5


def test_repetitions_pair_their_own_samples(bench):
    top = row("a", [1.0, 2.0])
    bottom = row("b", [2.0, 9.0, 1.0, 8.0, 6.0, 7.0], samples=3)
    assert bench["results"].repetition_ratios(top, bottom) == [2.0, 3.5]


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


def goal_of(bench, ambition, kind="rate", bottom="peer * t{t}", promise=None):
    return bench["goal_list"].Goal("g", "we {isa} t{t}", bottom, ambition, promise, ("1",), kind)


def judged(bench, rows, limit, kind="rate", bottom="peer * t{t}", **more):
    goal = goal_of(bench, limit, kind, bottom)
    (result,) = bench["judge"].judge([goal], document(rows, **more))
    return result


@pytest.mark.parametrize(("limit", "verdict"), [(2.0, "met"), (2.01, "short")])
def test_a_rate_must_reach_its_limit(bench, limit, verdict):
    result = judged(bench, [row("we avx512_vaes t1", [1.0]), row("peer a t1", [2.0])], limit)
    assert (result.ambition, result.median, result.promise) == (verdict, 2.0, "-")


@pytest.mark.parametrize(("limit", "verdict"), [(0.5, "met"), (0.49, "short")])
def test_a_time_must_not_pass_its_limit(bench, limit, verdict):
    rows = [row("we avx512_vaes t1", [1.0, 1.0, 2.0]), row("peer a t1", [2.0, 2.0, 2.0])]
    result = judged(bench, rows, limit, "time")
    assert (result.ambition, result.median) == (verdict, 0.5)
    assert result.spread == pytest.approx((0.5, 1 / 1.5))


def test_kib_are_judged_without_a_peer(bench):
    rows = [{"name": "we avx512_vaes t1", "kib": 7, "command": "memory"}]
    assert judged(bench, rows, 7, "KiB", bottom="").ambition == "met"
    assert judged(bench, rows, 6, "KiB", bottom="").ambition == "short"


def test_the_fastest_row_of_a_peer_counts_and_is_named(bench):
    peers = [row("peer a t1", [3.0]), row("peer b t1", [2.0]), row("peer c t2", [1.0])]
    result = judged(bench, [row("we avx512_vaes t1", [1.0]), *peers], 2.5)
    assert (result.ambition, result.median) == ("short", 2.0)
    assert result.note == "peer b t1 (of 2)"


def test_a_goal_without_its_peer_is_listed_with_the_reason(bench):
    rows = [row("we avx512_vaes t1", [1.0])]
    result = judged(bench, rows, 2.0, found={"peer": "not installed"})
    assert (result.ambition, result.note) == ("not measured", "peer: not installed")
    assert "'peer * t1'" in judged(bench, rows, 2.0).note


def test_a_machine_of_one_thread_is_judged_once(bench, goal_list):
    goal = goal_list.Goal("g", "", "", 1.0)
    assert bench["judge"].thread_counts(goal, 4) == [1, 4]
    assert bench["judge"].thread_counts(goal, 1) == [1]


def test_goals_have_unique_names_and_commands_that_exist(bench, goal_list):
    names = [goal.name for goal in goal_list.GOALS]
    assert len(set(names)) == len(names)
    commands = importlib.import_module("bench.__main__").COMMANDS
    for goal in goal_list.GOALS:
        assert goal.command in commands
        assert "{" not in (goal.top + goal.bottom).format(isa="avx2", t=1)
        assert (goal.bottom == "") == (goal.kind == goal_list.KIB)


def test_every_goal_finds_its_cases(bench, goal_list):
    own = ("ours", "words", "layouts", "new_arrays", "peers", "store_limit")
    modules = {name: importlib.import_module(f"bench.cases.{name}") for name in own}
    growth, small = (
        importlib.import_module(f"bench.measure.{name}") for name in ("growth", "small_calls")
    )
    limit = modules["store_limit"]
    library, threads = MagicMock(), [1, 2]  # so that nothing is loaded and nothing runs
    library.nt_name.return_value = b"avx512f"
    isa, peers = modules["ours"].wi.info()["isa"], modules["peers"]
    cases = [*limit.cases(threads, library), *growth.cases([18, 28], threads, 26, library)]
    cases += modules["new_arrays"].cases(threads, library) + peers.mkl_cases(threads, library, True)
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


# ---- promises -------------------------------------------------------------------------------


def promised(bench, ours, peer=(2.0,), promise=1.0, kind="rate", second=None):
    goal = goal_of(bench, promise, kind, promise=promise)
    whole = document([row("we avx512_vaes t1", list(ours)), row("peer a t1", list(peer))])
    if second is not None:
        rows = [row("we avx512_vaes t1", list(second)), row("peer a t1", list(peer))]
        whole["second"] = document(rows)
    (result,) = bench["judge"].judge([goal], whole)
    return result.promise


def test_a_promise_is_broken_where_median_and_best_miss_it(bench):
    assert promised(bench, [1.0, 3.0, 3.0]) == "held"  # the best sample alone keeps it
    assert promised(bench, [1.9, 2.0, 2.0], peer=[1.0, 2.0, 3.0]) == "held"  # the median alone
    assert promised(bench, [2.1, 3.0, 3.0]) == "BROKEN"
    assert promised(bench, [1.9], promise=1.0, kind="time") == "held"
    assert promised(bench, [2.1], promise=1.0, kind="time") == "BROKEN"


def test_a_second_run_can_save_a_promise_but_cannot_break_it(bench):
    assert promised(bench, [3.0], second=[1.0]) == "held"
    assert promised(bench, [3.0], second=[3.0]) == "BROKEN"
    assert promised(bench, [1.0], second=[3.0]) == "held"


def test_goals_without_a_promise_or_without_their_peer_break_nothing(bench):
    rows = [row("we avx512_vaes t1", [9.0]), row("peer a t1", [1.0])]
    assert judged(bench, rows, 2.0).promise == "-"
    goal = goal_of(bench, 2.0, promise=2.0)
    assert bench["judge"].judge([goal], document(rows[:1]))[0].promise == "-"


def test_rates_are_promised_for_the_widest_sets_alone_and_memory_for_all(bench):
    rows = [row("we avx2 t1", [9.0]), row("peer a t1", [1.0])]
    whole = document([*rows, {"name": "memory", "kib": 9, "command": "memory"}])
    whole["machine"]["weightinit_fast"]["isa"] = "avx2"
    rate = goal_of(bench, 1.0, promise=1.0)
    memory = goal_of(bench, 8, "KiB", bottom="", promise=8)
    memory = bench["goal_list"].Goal(**(vars(memory) | {"top": "memory"}))
    judge = bench["judge"].judge
    assert [result.promise for result in judge([rate, memory], whole)] == ["-", "BROKEN"]


def test_no_promise_is_stricter_than_its_ambition(goal_list):
    promised = [goal for goal in goal_list.GOALS if goal.promise is not None]
    assert promised
    for goal in promised:
        low, high = sorted((goal.promise, goal.ambition))
        assert goal.promise == (low if goal.kind == goal_list.RATE else high)


def test_the_readme_has_every_promise(goal_list):
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (BENCH / "README.md").read_text(encoding="utf-8").splitlines()
        if line.count("|") == 6
    ]
    rows = [(name, c[2], c[3]) for c in cells for name in re.findall("`([^`]+)`", c[0])]
    found = set()
    for goal in goal_list.GOALS:
        sign = "≥" if goal.kind == goal_list.RATE else "≤"
        unit = " KiB" if goal.kind == goal_list.KIB else ""
        own = [row for row in rows if fnmatch.fnmatchcase(goal.name, row[0])]
        if goal.promise is None:
            assert own == [], goal.name
        else:
            (row,) = own
            limits = [f"{sign} {limit:g}{unit}" for limit in (goal.promise, goal.ambition)]
            assert list(row[1:]) == limits, goal.name
            found.add(row)
    assert found == set(rows)


def options(bench, command, *arguments):
    parser = argparse.ArgumentParser()
    bench[command].configure(parser)
    return parser.parse_args([str(argument) for argument in arguments])


@pytest.mark.parametrize(("seconds", "status"), [(1.0, 0), (9.0, 1)])
def test_the_exit_status_tells_of_broken_promises_and_not_of_short_ambitions(
    bench, tmp_path, monkeypatch, capsys, seconds, status
):
    goal = goal_of(bench, 1.9, promise=1.0)
    monkeypatch.setattr(bench["goals"], "GOALS", (goal,))
    whole = document([row("we avx512_vaes t1", [seconds + 0.5]), row("peer a t1", [2.0])])
    whole["machine"]["cpu"]["model_number"] = None
    bench["results"].save(tmp_path / "r.json", whole)
    args = options(bench, "goals", tmp_path / "r.json", "--markdown", tmp_path / "r.md")
    assert bench["goals"].main(args) == status
    assert "1 short" in capsys.readouterr().out
    assert "commit abc" in (tmp_path / "r.md").read_text()


# ---- the baseline ---------------------------------------------------------------------------


def pair(median, best=None):
    return {"median": median, "best": median if best is None else best}


@pytest.mark.parametrize(
    ("kind", "before", "after", "verdict"),
    [
        ("rate", pair(1.0), pair(0.7), "same"),
        ("rate", pair(1.0), pair(0.6), "WORSE"),
        ("rate", pair(1.0), pair(0.6, 0.9), "same"),  # one of the two is not enough
        ("rate", pair(1.0), pair(0.9, 0.6), "same"),
        ("rate", pair(1.0), pair(1.6), "better"),
        ("rate", pair(1.0), pair(1.6, 1.4), "same"),
        ("time", pair(1.0), pair(1.6), "WORSE"),
        ("time", pair(1.0), pair(0.6), "better"),
        ("KiB", pair(20), pair(276), "same"),
        ("KiB", pair(20), pair(277), "WORSE"),
        ("KiB", pair(600), pair(860), "same"),
        ("KiB", pair(600), pair(1000), "WORSE"),
    ],
)
def test_verdicts_against_the_baseline(bench, kind, before, after, verdict):
    goal = goal_of(bench, 1.0, kind)
    assert bench["baseline"].verdict(goal, before, after, 1.5) == verdict


@pytest.fixture
def compare(bench, tmp_path, monkeypatch):
    """Return a function that records a run in a baseline or compares it, and gives the status."""
    goals = (goal_of(bench, 1.0), goal_of(bench, 1.0, bottom="numpy * t{t}"))
    goals = (goals[0], bench["goal_list"].Goal(**(vars(goals[1]) | {"name": "n"})))
    for module in ("goals", "baseline"):
        monkeypatch.setattr(bench[module], "GOALS", goals)
    monkeypatch.setattr(bench["baseline"].machine, "heading", lambda facts, found: "heading")

    def run(seconds, *arguments, change=None):
        rows = [
            row("we avx512_vaes t1", [seconds]),
            row("peer a t1", [1.0]),
            row("numpy b t1", [1.0]),
        ]
        whole = document(rows)
        (change or (lambda whole: None))(whole)
        target = tmp_path / "run.json"
        bench["results"].save(target, whole)
        kept = tmp_path / "baseline.json"
        return bench["baseline"].main(
            options(bench, "baseline", target, "--baseline", kept, *arguments)
        )

    return run


def test_a_run_is_compared_with_the_entry_of_its_conditions(compare, capsys):
    assert compare(1.0, "--record") == 0
    assert compare(1.1) == 0
    assert compare(2.0) == 1
    assert compare(2.0, "--factor", 3) == 0
    assert "measured on a shared machine" in capsys.readouterr().out


def test_a_run_on_another_processor_is_not_judged_and_says_so(compare, capsys):
    def other(whole):
        whole["machine"]["cpu"]["model"] = "two"

    compare(1.0, "--record")
    assert compare(9.0, change=other) == 0
    assert "not judged" in capsys.readouterr().out
    compare(9.0, "--record", change=other)  # and both entries are kept
    assert compare(9.0, change=other) == 0
    assert compare(9.0) == 1
    compare(9.0, "--record")  # replaces the former entry
    assert compare(9.0) == 0


def test_goals_whose_peer_has_another_version_are_left_out(compare, capsys):
    def newer(whole):
        whole["machine"]["numpy"] = "3"

    compare(1.0, "--record")
    capsys.readouterr()
    assert compare(9.0, change=newer) == 1
    assert "1 WORSE" in capsys.readouterr().out  # of two
    assert compare(9.0) == 1
    assert "2 WORSE" in capsys.readouterr().out


def test_the_kept_baseline_names_goals_that_exist(bench, goal_list):
    kept = bench["baseline"].load(bench["baseline"].KEPT)
    names = {goal.name for goal in goal_list.GOALS}
    assert kept
    for entry in kept:
        assert entry["commit"]
        assert entry["processor"]
        assert {name.rpartition(" ")[0] for name in entry["ratios"]} <= names


# ---- the commands ---------------------------------------------------------------------------


def test_every_command_has_its_parser_and_says_what_it_measures(bench):
    main = importlib.import_module("bench.__main__")
    shown = main.parser().format_help()
    for name, command in main.COMMANDS.items():
        assert command.measures in shown
        assert f"python -m bench {name}" in shown
