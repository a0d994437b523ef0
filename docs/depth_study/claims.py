"""Judge each claim of docs/depth-study.md by the numbers of results.json alone."""

import math
from typing import Any

Found = dict[str, Any]


def number(value: float | None) -> str:
    """Return two significant digits, as a decimal where that is short."""
    if value is None or math.isinf(value):
        return "diverged"
    if value == 0:
        return "0"
    value = float(f"{value:.1e}")
    if 1e-3 <= abs(value) < 1e3:
        digits = max(0, 1 - math.floor(math.log10(abs(value))))
        return f"{value:.{digits}f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(share: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * share:.1f} %"


def median_and_range(values: list[float | None]) -> tuple[float, float, float]:
    """Return the median, the least and the greatest value; None (diverged) counts as infinite."""
    ordered = sorted(math.inf if v is None else v for v in values)
    half = len(ordered) // 2
    middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return middle, ordered[0], ordered[-1]


def median(values: list[float | None]) -> float:
    """Return the median, which is infinite where most seeds diverged."""
    return median_and_range(values)[0]


def seed_trains(loss: float | None) -> bool:
    """Tell whether one seed's training loss is below half of the loss of chance."""
    return loss is not None and loss < math.log(10) / 2


def limit(by_depth: Found) -> tuple[int | None, int | None]:
    """Return the depth up to which every net trains, and the first depth at which one does not."""
    last = None
    for depth, found in by_depth.items():
        if not found["trains"]:
            return last, int(depth)
        last = int(depth)
    return last, None


def limit_cells(found: tuple[int | None, int | None]) -> tuple[str, str]:
    """Return the two depths that `limit` finds as text."""
    return (str(found[0] or "none"), str(found[1] or "none"))


def factor_order(training: Found) -> list[str]:
    """Return the factors of the study in ascending order."""
    return sorted(training["factors"], key=float)


def scheme_limit(training: Found, family: str, scheme: str) -> tuple[int | None, int | None]:
    """Return what `limit` finds for one scheme in one family of nets."""
    return limit({depth: found[scheme] for depth, found in training[family].items()})


def limit_text(found: tuple[int | None, int | None]) -> str:
    """Return what `limit` found, in words."""
    last, stopped = found
    if stopped is None:
        return f"trains to depth {last}"
    if last is None:
        return f"does not train even at depth {stopped}"
    return f"trains to depth {last} but not at {stopped}"


def verdict(*conditions: bool) -> str:
    """Return "yes" if all conditions are met, "in part" if some are, and "no" otherwise."""
    return "yes" if all(conditions) else "in part" if any(conditions) else "no"


def ratios_text(found: Found) -> str:
    """Return the ratios of activations and of gradients, in words."""
    up, down = (found[k]["ratio"]["median"] for k in ("activation", "gradient"))
    return f"activations {number(up)}, gradients {number(down)}"


def both_hold(found: Found) -> bool:
    """Tell whether both the activations and the gradients hold."""
    return found["activation"]["holds"] and found["gradient"]["holds"]


def judge(results: Found) -> list[list[str]]:
    """Return the rows of a table of claims, with evidence and verdict."""
    dense, training = results["propagation"]["dense"], results["training"]
    return [
        *_extremes(dense, training),
        *_fixed(training),
        *_rules(dense, training),
    ]


def _extremes(dense: Found, training: Found) -> list[list[str]]:
    """Judge the claims about zeros and about sigma = 1."""
    gaps = {
        name: [f["unit_gap"] for by in training["symmetry"].values() for f in by[name].values()]
        for name in ("zeros", "constant", "he")
    }
    zeros = [
        median(found["zeros"]["test_accuracy"])
        for family in ("dense_relu", "dense_tanh", "conv_relu")
        for found in training[family].values()
    ]
    tanh = dense["tanh"]["sigma_one"]
    large = {f: scheme_limit(training, f, "sigma_one") for f in ("dense_relu", "dense_tanh")}
    return [
        [
            "Zeros never break symmetry",
            "The greatest difference between the units of a layer after training is "
            f"{number(max(gaps['zeros']))} (for equal non-zero weights "
            f"{number(max(gaps['constant']))}, for He {number(min(gaps['he']))} or more). Zeros "
            f"reach a test accuracy of {percent(max(zeros))} at best: only the last bias learns.",
            verdict(max(gaps["zeros"]) == 0, max(zeros) < 0.2),
        ],
        [
            "A very large σ saturates or explodes",
            f"With σ = 1, {percent(tanh['saturated'])} of the last layer's tanh units lie beyond "
            f"±0.99, and the ratio of gradients is {number(tanh['gradient']['ratio']['median'])}. "
            f"Under ReLU: {ratios_text(dense['relu']['sigma_one'])}. "
            f"In training, ReLU {limit_text(large['dense_relu'])}, and "
            f"tanh {limit_text(large['dense_tanh'])}.",
            verdict(
                tanh["saturated"] > 0.5,
                dense["relu"]["sigma_one"]["activation"]["ratio"]["median"] > 2,
                all(found[1] is not None for found in large.values()),
            ),
        ],
    ]


def _fixed(training: Found) -> list[list[str]]:
    """Judge the claims about fixed sigmas by the depths to which they train."""
    names = factor_order(training)
    small = [limit(training["factors"][n]) for n in names if float(n) < 0.95]
    stops = [found[1] for found in small]
    rising = [found[0] or 0 for found in small]
    depths_text = ", ".join(
        f"{float(n) * math.sqrt(2):.2f} ({n}) → {limit(training['factors'][n])[0] or 'none'}"
        for n in names
        if float(n) < 0.95
    )
    unit = limit(training["factors"][names[-1]])
    models = training["vgg"]
    stopped = [m for m in models if not models[m]["trains"]]
    passed = {m: [seed_trains(v) for v in f["training_loss"]] for m, f in models.items()}
    counts = ", ".join(
        f"{m} {sum(v)} (median accuracy {percent(median(models[m]['test_accuracy']))})"
        for m, v in passed.items()
    )
    vgg = verdict("A" not in stopped, all(m in stopped for m in models if m != "A"))
    if vgg == "yes" and not all(passed["A"]):
        vgg = "yes, just"
    return [
        [
            "A fixed σ stops training beyond a depth",
            "The greatest depth that trains, for each σ√fan_in (in brackets σ√(fan_in/2)): "
            f"{depths_text}. "
            f"{float(names[-1]) * math.sqrt(2):.2f} ({names[-1]}), which is He's, "
            f"{limit_text(unit)}.",
            verdict(all(stops), rising == sorted(rising), unit[1] is None),
        ],
        [
            "That depth is 8 layers for σ = 0.01 at VGG's widths",
            f"The number of seeds, of {len(next(iter(passed.values())))}, that train with the "
            f"factors of VGG's models: {counts}. A has 8 convolutions, B 10, D 13, E 16.",
            vgg,
        ],
    ]


def _rules(dense: Found, training: Found) -> list[list[str]]:
    """Judge the claims about Xavier and He."""
    linear, relu = dense["linear"]["xavier"], dense["relu"]["xavier"]
    power = dense["tanh"]["xavier"]["activation"]["power_of_layer"]
    he, prelu = dense["relu"]["he"], dense["prelu"]["he"]
    xavier_trains = scheme_limit(training, "dense_relu", "xavier")
    he_trains = scheme_limit(training, "dense_relu", "he")
    conv = {k: scheme_limit(training, "conv_relu", k) for k in ("xavier", "he")}
    return [
        ["Xavier holds for linear units", ratios_text(linear) + ".", verdict(both_hold(linear))],
        [
            "Xavier fades under ReLU",
            f"{ratios_text(relu)}: a factor of {relu['activation']['factor']:.3f} a layer, where "
            "the formula says 1/√2.",
            verdict(relu["activation"]["ratio"]["median"] < 0.5),
        ],
        [
            "Even under Xavier, tanh decays about as 1/√depth",
            f"The std falls as the layer's number to the power {power:.2f}; "
            f"{ratios_text(dense['tanh']['xavier'])}.",
            verdict(abs(power + 0.5) < 0.1),
        ],
        [
            "He holds under ReLU and PReLU",
            f"ReLU: {ratios_text(he)}; PReLU (a = 0.25): {ratios_text(prelu)}.",
            verdict(both_hold(he), both_hold(prelu)),
        ],
        [
            "He trains deep ReLU nets where Xavier stops",
            f"Fully connected: He {limit_text(he_trains)}, Xavier {limit_text(xavier_trains)}. "
            f"Convolutional: He {limit_text(conv['he'])}, Xavier {limit_text(conv['xavier'])}.",
            verdict(
                he_trains[1] is None and xavier_trains[1] is not None,
                conv["he"][1] is None and conv["xavier"][1] is not None,
            ),
        ],
    ]


def surprises(results: Found) -> str:
    """Return a Markdown list of what differs from the claims, and of what else was found."""
    p, t = results["propagation"], results["training"]
    points = [*_of_propagation(p), *_of_training(t)]
    return "\n".join(f"- {text}" for condition, text in points if condition) + "\n"


def _of_propagation(p: Found) -> list[tuple[bool, str]]:
    dense, uneven = p["dense"], p["uneven"]
    tanh, wrong = dense["tanh"], dense["prelu"]["he_relu"]
    wrap, zero = (
        {k.split()[1]: f for k, f in p["padding"].items() if k.startswith(mode)}
        for mode in ("wrap", "constant")
    )
    size = min(zero, key=int)
    return [
        (
            both_hold(dense["linear"]["sigma_factor"]),
            "A fixed σ is not wrong by itself. The σ whose factor is 0.7 under ReLU holds for "
            f"linear units ({ratios_text(dense['linear']['sigma_factor'])}), because its σ√fan_in "
            "is 0.99. In layers of equal width it differs from Xavier's rule by one per cent, so "
            "the two curves lie on each other.",
        ),
        (
            not tanh["xavier"]["activation"]["holds"],
            "“Xavier for tanh” does not hold by this page's measure: "
            f"{ratios_text(tanh['xavier'])}. The decay is a power of the depth, though, and not an "
            "exponential.",
        ),
        (
            tanh["he"]["activation"]["holds"] and not tanh["he"]["gradient"]["holds"],
            "Under tanh, He's larger variance keeps the activations but makes the gradients grow: "
            f"{ratios_text(tanh['he'])}.",
        ),
        (
            tanh["sigma_one"]["activation"]["holds"],
            "σ = 1 under tanh passes the test of activations "
            f"({number(tanh['sigma_one']['activation']['ratio']['median'])}), since saturated "
            "units have a constant std. Only the gradients show that something is wrong.",
        ),
        (
            not both_hold(uneven["xavier_linear"]),
            "Xavier holds for linear units only if all layers have one width. With widths of "
            f"{p['settings']['uneven'][0]} and {p['settings']['uneven'][1]} in turn: "
            f"{ratios_text(uneven['xavier_linear'])}. Xavier's rule is a compromise between two "
            "conditions, which contradict each other where the fans are unequal. He's rule with "
            f"fan_in has there: {ratios_text(uneven['he_relu'])}.",
        ),
        (
            not wrong["activation"]["holds"],
            "He's rule called without the slope (a = 0) does not hold under a PReLU of slope 0.25: "
            f"{ratios_text(wrong)}.",
        ),
        (
            not zero[size]["activation"]["holds"],
            f"He's rule does not hold in convolutions with zero padding on {size}×{size} maps: "
            f"{ratios_text(zero[size])}, against {ratios_text(wrap[size])} with periodic padding. "
            "fan_in counts inputs that the units at the edge do not have.",
        ),
    ]


def _of_training(t: Found) -> list[tuple[bool, str]]:
    deepest = str(t["settings"]["depths"][-1])
    shallow = str(t["settings"]["depths"][0])
    he = {d: median(t["dense_relu"][d]["he"]["test_accuracy"]) for d in (shallow, deepest)}
    small = {f: scheme_limit(t, f, "sigma_small") for f in ("dense_relu", "dense_tanh")}
    tanh = {
        k: median(t["dense_tanh"][deepest][k]["test_accuracy"])
        for k in ("sigma_factor", "xavier", "he")
    }
    large = scheme_limit(t, "dense_relu", "sigma_one")
    accuracy = median(t["dense_relu"][shallow]["sigma_one"]["test_accuracy"])
    families = {
        "dense_relu": "fully connected ReLU",
        "dense_tanh": "fully connected tanh",
        "conv_relu": "convolutional ReLU",
    }
    lost = [
        f"{label} at depth {d}"
        for family, label in families.items()
        for d, found in t[family].items()
        for loss in found["he"]["training_loss"]
        if not seed_trains(loss)
    ]
    runs = sum(len(t[family]) for family in families) * len(t["settings"]["seeds"])
    ends = []
    for by_depth in t["factors"].items():
        factor, (last, stopped) = float(by_depth[0]), limit(by_depth[1])
        if factor < 0.95 and last and stopped:
            ends.append((factor ** (last - 1), factor ** (stopped - 1)))
    return [
        (
            bool(ends),
            "“More than 8 layers” is not a limit by itself. What stops training is the whole "
            "factor, σ√(fan_in/2) to the power of depth − 1. It is "
            f"{number(min(e[0] for e in ends))} to {number(max(e[0] for e in ends))} in the "
            f"deepest networks that train, and {number(min(e[1] for e in ends))} to "
            f"{number(max(e[1] for e in ends))} in the next deeper ones that were tried. "
            "More training steps would move this limit, which belongs to the budget used here."
            if ends
            else "",
        ),
        (
            True,
            f"With σ = 0.01 at width {t['settings']['width']}, ReLU "
            f"{limit_text(small['dense_relu'])}, and tanh {limit_text(small['dense_tanh'])}. "
            "Narrow networks stop at far smaller depths than VGG's.",
        ),
        (
            large[0] is not None,
            f"A large σ does no harm to a shallow network: with σ = 1, ReLU {limit_text(large)} "
            f"({percent(accuracy)} at depth {shallow}).",
        ),
        (
            bool(lost),
            f"“Trains” is a statement about the median. {len(lost)} of He's {runs} runs in the "
            "tables of training did not get below half of the loss of chance: "
            f"{', '.join(dict.fromkeys(lost))}.",
        ),
        (
            he[deepest] < he[shallow] - 0.02,
            "A network that holds does not learn equally well at every depth: He's test accuracy "
            f"is {percent(he[shallow])} at depth {shallow} and {percent(he[deepest])} at depth "
            f"{deepest}, after the same number of epochs.",
        ),
        (
            True,
            f"Under tanh at depth {deepest}, Xavier reaches {percent(tanh['xavier'])}, the fixed σ "
            f"of factor 0.7 reaches {percent(tanh['sigma_factor'])}, and He reaches "
            f"{percent(tanh['he'])}.",
        ),
    ]
