"""What runs are compared on: experiments and their seeds, chosen classes, and the sentences in each language."""

import random
import re

import pytest
from scored_runs import CLASSES, report_of, sentences, table_of, with_noise, without, write_run

import report
from ner.scoring.significance import holm

pytestmark = pytest.mark.usefixtures("undrawn")

NUMBERS = ("difference", "low", "high", "p")


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return sentences(random.Random(0), 200)


def test_runs_that_differ_in_seed_only_are_one_experiment(tmp_path, rows, capsys):
    folders = [
        write_run(
            tmp_path / f"{name}{seed}",
            with_noise(rows, rate, 10 * seed + masked),
            masked_training=masked,
            seed=seed,
            run_name=f"{name} with seed {seed}",
        )
        for name, masked, rate in (("a", False, 0.2), ("b", True, 0.1))
        for seed in range(3)
    ]
    result = report_of(tmp_path, *folders)
    shown = "F1 of each class of a0 and b0, of each experiment the first run, with 95 % intervals"
    assert shown in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    first, second = result["groups"]
    assert (first["runs"], second["runs"]) == (["a0", "a1", "a2"], ["b0", "b1", "b2"])
    f1 = [result["runs"][name]["overall"]["f1"] for name in second["runs"]]
    assert second["f1"]["micro"]["mean"] == pytest.approx(sum(f1) / 3)
    d = second["difference"]["micro"]
    assert d["low"] < d["difference"] < d["high"] and d["p"] == d["p_holm"]  # a family of one micro test
    by_class = [second["difference"][c] for c in CLASSES]
    assert [c["p_holm"] for c in by_class] == pytest.approx(holm([c["p"] for c in by_class]))
    # A class needs a larger difference than micro F1: more tests, fewer entities. Macro F1 is not tested.
    assert 0 < d["detectable"] < min(c["detectable"] for c in by_class)
    text = capsys.readouterr().out
    assert "b (3 seeds) is higher than a (3 seeds)" in text and "one seed each" not in text
    assert f"| ±{100 * d['detectable']:.1f} |" in text and "“Detectable” is the smallest true difference" in text
    assert re.search(r"^\| macro \|.*\| described only \|.*\| \N{EN DASH} \|  \|$", text, re.MULTILINE)
    means = table_of(text, "Mean F1 ± standard deviation over seeds")
    for title in ("micro", "macro", *CLASSES):
        cells = [f"{100 * g['f1'][title]['mean']:.1f} ± {100 * g['f1'][title]['sd']:.1f}" for g in (first, second)]
        assert means[title][:2] == cells
    assert "**Confusion of a0**" in text and "**Confusion of a1**" not in text

    alone = write_run(tmp_path / "c", with_noise(rows, 0.1, 99), masked_training=True, seed=0, optim="x")
    *_, second, third = report_of(tmp_path, *folders, alone)["groups"]
    assert third["difference"]["micro"]["p"] is None  # so it does not count in the family
    assert [second["difference"][name]["detectable"] for name in ("micro", *CLASSES)] == [
        each["detectable"] for each in (d, *by_class)
    ]

    more = [
        write_run(tmp_path / f"d{seed}", with_noise(rows, 0.15, 50 + seed), masked_training=True, seed=seed, optim="y")
        for seed in range(3)
    ]
    _, second, third = report_of(tmp_path, *folders, *more)["groups"]
    both = [group["difference"][c] for group in (second, third) for c in CLASSES]  # the family of the classes
    assert [c["p_holm"] for c in both] == pytest.approx(holm([c["p"] for c in both]))
    assert second["difference"]["micro"]["detectable"] > d["detectable"]  # of two tests instead of one

    d = report_of(tmp_path, *folders[:2], folders[3])["groups"][1]["difference"]["micro"]
    assert d["difference"] is not None and d["low"] is d["high"] is d["p"] is d["detectable"] is None
    assert "p_holm" not in d and "Micro F1 of b0 minus a (2 seeds): " in capsys.readouterr().out

    assert len(report_of(tmp_path, *folders[:3])["groups"]) == 1
    assert "**Micro F1 of a (3 seeds) is " in capsys.readouterr().out


def test_copies_of_sentences_are_no_evidence_for_a_difference(tmp_path, rows):
    p = []
    for copies in (1, 3):
        noisy = [with_noise(rows, 0.3, k) * copies for k in (0, 1)]
        runs = [write_run(tmp_path / f"{name}{copies}", each) for name, each in zip("ab", noisy, strict=True)]
        result = report_of(tmp_path, *runs)
        micro_by_language = [of["differences"][0] for of in result["by_language"].values()]
        p.append([d["p"] for d in (*result["groups"][1]["difference"].values(), *micro_by_language)])
    assert p[0] == p[1] and any(each is not None and each < 1 for each in p[0])


def test_errors_to_check_by_eye(tmp_path, capsys):
    gold = ["B-PER", "I-PER", "O", "B-LOC", "O", "B-ORG"]
    for name, predicted in (("a", gold), ("b", ["B-PER", "O", "O", "B-ORG", "B-LOC", "O"])):
        row = {"id": 0, "lang": "en", "tokens": list("uvwxyz"), "gold": gold, "predicted": predicted}
        write_run(tmp_path / name, [row])
    report_of(tmp_path, tmp_path / "a", tmp_path / "b")
    text, page = capsys.readouterr().out, (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    kinds = {
        "type": ["0", "1"],
        "boundary": ["0", "1"],
        "both": ["0", "0"],
        "missed": ["0", "1"],
        "spurious": ["0", "1"],
    }
    assert table_of(text, "Errors by kind") == {"kind": ["a", "b"]} | {"---": ["--:"] * 2} | kinds
    assert table_of(text, "Confusion of b") == {
        "gold": ["PER", "ORG", "LOC", "other borders", "missed"],
        "---": ["--:"] * 5,
        "PER": ["0", "0", "0", "1", "0"],
        "ORG": ["0", "0", "0", "0", "1"],
        "LOC": ["0", "1", "0", "0", "0"],
        "other borders": ["1", "0", "0", "0", "0"],
        "spurious": ["0", "0", "1", "0", "0"],
    }
    assert page.count("--share: 1.0") == 3 + 5  # a row of a has one kind of cell, and so has each of b


def test_a_repeated_seed_is_another_experiment(tmp_path, rows):
    folders = [
        write_run(tmp_path / name, with_noise(rows, 0.3, 1), masked_training=False, seed=seed)
        for name, seed in (("a1", 1), ("a2", 2), ("copy", 2))
    ]
    first, second = report_of(tmp_path, *folders)["groups"]
    assert (first["runs"], second["runs"]) == (["a1", "a2"], ["copy"])


def test_on_chosen_classes_a_report_is_that_of_runs_that_know_no_others(tmp_path, rows):
    noisy = [with_noise(rows, rate, seed) for seed, rate in enumerate((0.1, 0.2))]
    runs = [write_run(tmp_path / "all" / name, each, CLASSES) for name, each in zip("ab", noisy, strict=True)]
    two = [
        write_run(tmp_path / "two" / name, without(each, "ORG"), ["PER", "LOC"])
        for name, each in zip("ab", noisy, strict=True)
    ]
    expected = report_of(tmp_path, *two)
    result = report_of(tmp_path, *runs, "--classes", "LOC", "PER")
    for name in "ab":
        assert result["runs"][name].pop("own")["classes"] == CLASSES
        del expected["runs"][name]["own"]
    assert result == expected and result["classes"] == ["PER", "LOC"]
    text, page = ((tmp_path / "out" / f"report.{kind}").read_text() for kind in ("md", "html"))
    assert "entities of PER and LOC." in text and "| ORG |" not in text
    assert '"classes":["PER","LOC"]' in page


def test_a_class_that_a_run_does_not_know_is_refused(tmp_path, rows, fails):
    a = write_run(tmp_path / "a", with_noise(rows, 0.1, 1), [*CLASSES, "TIME"])
    b = write_run(tmp_path / "b", with_noise(rows, 0.1, 2), CLASSES)
    message = fails(report.main, a, b, "--classes", "PERS")
    assert "--classes: found 'PERS', which a does not know; did you mean 'PER'?" in message
    assert "found 'TIME', which b does not know" in fails(report.main, a, b, "--classes", "PER", "TIME")


def test_gold_tags_may_differ_in_classes_that_are_not_compared(tmp_path, rows, fails):
    noisy = with_noise(rows, 0.1, 1)
    a, b = write_run(tmp_path / "a", noisy, CLASSES), write_run(tmp_path / "b", without(noisy, "LOC"), CLASSES)
    assert "differ in tokens or gold tags" in fails(report.main, a, b)
    result = report_of(tmp_path, a, b, "--classes", "PER", "ORG")
    assert result["groups"][1]["difference"]["micro"]["difference"] == 0


def test_a_language_is_compared_as_if_it_were_alone(tmp_path, rows):
    noisy = [with_noise(rows, rate, seed) for seed, rate in enumerate((0.1, 0.2, 0.11))]
    names = "abc"
    result = report_of(tmp_path, *(write_run(tmp_path / n, r) for n, r in zip(names, noisy, strict=True)))
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    p, corrected = [], []
    for lang, of in result["by_language"].items():
        own = [[r for r in each if r["lang"] == lang] for each in noisy]
        folders = [write_run(tmp_path / lang / n, r) for n, r in zip(names, own, strict=True)]
        alone = report_of(tmp_path / lang, *folders)
        assert "by_language" not in alone
        assert of["sentences"] == alone["sentences"] == len(own[0])
        assert of["gold_entities"] == sum(alone["support"].values())
        for name in names:
            here, there = of["runs"][name], alone["runs"][name]
            assert (here["overall"], here["per_class"]) == (there["overall"], there["per_class"])
            for score, limits in there["intervals"]["overall"].items():
                assert here["intervals"]["overall"][score] == pytest.approx(limits)
        f1 = table_of(text, "Micro F1 by language")[lang]
        assert [cell.split()[0] for cell in f1[:3]] == [f"{100 * of['runs'][n]['overall']['f1']:.1f}" for n in names]
        for d, group in zip(of["differences"], alone["groups"][1:], strict=True):
            assert [d[k] for k in NUMBERS] == [group["difference"]["micro"][k] for k in NUMBERS]
            p.append(d["p"])
            corrected.append(d["p_holm"])
            assert f"{100 * d['difference']:+.1f} | {100 * d['low']:.1f} to {100 * d['high']:.1f} |" in text
    assert len(p) == 4 and corrected == pytest.approx(holm(p)) and corrected != p


def test_a_language_without_gold_entities_is_not_tested(tmp_path, rows):
    empty = [r | {"gold": ["O"] * len(r["gold"])} if r["lang"] == "de" else r for r in rows]
    folders = [
        write_run(tmp_path / n, [r | {"predicted": p["predicted"]} for r, p in zip(empty, noisy, strict=True)])
        for n, noisy in (("a", with_noise(rows, 0.1, 1)), ("b", with_noise(rows, 0.2, 2)))
    ]
    of = report_of(tmp_path, *folders)["by_language"]
    assert of["de"]["gold_entities"] == 0 and of["de"]["differences"] == [None]
    assert of["en"]["differences"][0]["p_holm"] == of["en"]["differences"][0]["p"]
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert f"| de | \N{EN DASH} | \N{EN DASH} | 0 | {of['de']['sentences']} |" in text


def test_classes_without_gold_entities_are_refused(tmp_path, rows, fails):
    a, b = (write_run(tmp_path / n, with_noise(rows, 0.1, i), [*CLASSES, "TIME"]) for i, n in enumerate("ab"))
    assert "the test split has no gold entity of TIME" in fails(report.main, a, b, "--classes", "TIME")
