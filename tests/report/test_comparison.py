"""What runs are compared on: chosen classes, and the sentences in each language."""

import random

import pytest
from scored_runs import CLASSES, report_of, sentences, with_noise, write_run

import report
from ner.scoring.significance import holm


def without(rows: list[dict], *classes: str) -> list[dict]:
    """The same with `O` for the tags of some classes."""
    return [r | {s: ["O" if t[2:] in classes else t for t in r[s]] for s in ("gold", "predicted")} for r in rows]


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return sentences(random.Random(0), 200)


def test_on_chosen_classes_a_report_is_that_of_runs_that_know_no_others(tmp_path, rows):
    noisy = [with_noise(rows, rate, seed) for seed, rate in enumerate((0.1, 0.2))]
    runs = [write_run(tmp_path / "all" / name, each, CLASSES) for name, each in zip("ab", noisy, strict=True)]
    two = [
        write_run(tmp_path / "two" / name, without(each, "ORG"), ["PER", "LOC"])
        for name, each in zip("ab", noisy, strict=True)
    ]
    expected = report_of(tmp_path, *two)
    result = report_of(tmp_path, *runs, "--classes", "LOC", "PER")
    assert result.pop("not_compared") == ["ORG"] and "not_compared" not in expected
    for name in "ab":
        assert result["runs"][name].pop("own")["classes"] == CLASSES
        del expected["runs"][name]["own"]
    assert result == expected and result["classes"] == ["PER", "LOC"]
    text = (tmp_path / "out" / "report.md").read_text()
    assert "on the chosen classes: PER, LOC (all runs also know ORG)." in text and "| ORG |" not in text
    page = (tmp_path / "out" / "report.html").read_text()
    assert '"classes":["PER","LOC"]' in page and "F1 on the chosen classes" in page


def test_all_classes_that_are_shared_may_be_named(tmp_path, rows):
    a = write_run(tmp_path / "a", with_noise(rows, 0.1, 1), CLASSES)
    b = write_run(tmp_path / "b", with_noise(rows, 0.1, 2), [*CLASSES, "TIME"])
    assert report_of(tmp_path, a, b, "--classes", *CLASSES) == report_of(tmp_path, a, b)


def test_a_class_that_a_run_does_not_know_is_refused(tmp_path, rows, fails):
    a = write_run(tmp_path / "a", with_noise(rows, 0.1, 1), [*CLASSES, "TIME"])
    b = write_run(tmp_path / "b", with_noise(rows, 0.1, 2), CLASSES)
    message = fails(report.main, a, b, "--classes", "PERS")
    assert "--classes: found 'PERS', which a does not know" in message
    assert "PER, ORG, LOC; did you mean 'PER'?" in message
    assert "found 'TIME', which b does not know" in fails(report.main, a, b, "--classes", "PER", "TIME")


def test_gold_tags_may_differ_in_classes_that_are_not_compared(tmp_path, rows, fails):
    noisy = with_noise(rows, 0.1, 1)
    a, b = write_run(tmp_path / "a", noisy, CLASSES), write_run(tmp_path / "b", without(noisy, "LOC"), CLASSES)
    assert "differ in gold tags" in fails(report.main, a, b)
    result = report_of(tmp_path, a, b, "--classes", "PER", "ORG")
    assert result["differences"]["b"]["micro"]["difference"] == 0


def test_a_language_is_compared_as_if_it_were_alone(tmp_path, rows):
    noisy = [with_noise(rows, rate, seed) for seed, rate in enumerate((0.1, 0.2, 0.11))]
    names = "abc"
    result = report_of(tmp_path, *(write_run(tmp_path / n, r) for n, r in zip(names, noisy, strict=True)))
    text = (tmp_path / "out" / "report.md").read_text()
    p, corrected = [], []
    for lang, of in result["by_language"].items():
        own = [[r for r in each if r["lang"] == lang] for each in noisy]
        folders = [write_run(tmp_path / lang / n, r) for n, r in zip(names, own, strict=True)]
        alone = report_of(tmp_path / lang, *folders)
        assert "by_language" not in alone and "languages" not in alone
        assert of["sentences"] == alone["sentences"] == len(own[0])
        assert of["gold_entities"] == sum(alone["support"].values())
        for name in names:
            assert result["languages"][lang][name] == alone["runs"][name]["overall"]
        for name in "bc":
            d, micro = of["differences"][name], alone["differences"][name]["micro"]
            assert [d[k] for k in ("difference", "low", "high", "p")] == [
                micro[k] for k in ("difference", "low", "high", "p")
            ]
            p.append(d["p"])
            corrected.append(d["p_holm"])
            cells = f"{100 * d['difference']:+.1f} | {100 * d['low']:.1f} to {100 * d['high']:.1f} |"
            assert f"| {lang} | {of['gold_entities']} | " in text and cells in text
    assert len(p) == 4 and corrected == pytest.approx(holm(p)) and corrected != p


def test_the_finding_names_the_languages_with_a_difference(tmp_path, rows, capsys):
    good = with_noise(rows, 0.05, 1)
    bad = [b if b["lang"] == "de" else g for g, b in zip(good, with_noise(rows, 0.4, 2), strict=True)]
    result = report_of(tmp_path, write_run(tmp_path / "good", good), write_run(tmp_path / "bad", bad))
    points = 100 * result["by_language"]["de"]["differences"]["bad"]["difference"]
    text = capsys.readouterr().out
    assert f" By language, bad is lower in de ({points:.1f} points).**" in text
    assert "**bad against good, micro F1 by language**" in text
    report_of(tmp_path, tmp_path / "good", write_run(tmp_path / "same", good))
    assert " No language shows a difference.**" in capsys.readouterr().out


def test_a_language_without_gold_entities_is_not_tested(tmp_path, rows):
    empty = [r | {"gold": ["O"] * len(r["gold"])} if r["lang"] == "de" else r for r in rows]
    folders = [
        write_run(tmp_path / n, [r | {"predicted": p["predicted"]} for r, p in zip(empty, noisy, strict=True)])
        for n, noisy in (("a", with_noise(rows, 0.1, 1)), ("b", with_noise(rows, 0.2, 2)))
    ]
    of = report_of(tmp_path, *folders)["by_language"]
    assert of["de"]["gold_entities"] == 0 and of["de"]["differences"] == {"b": None}
    assert of["en"]["differences"]["b"]["p_holm"] == of["en"]["differences"]["b"]["p"]
    text = (tmp_path / "out" / "report.md").read_text()
    assert f"| de | {of['de']['sentences']} | 0 | \N{EN DASH} | \N{EN DASH} |" in text
