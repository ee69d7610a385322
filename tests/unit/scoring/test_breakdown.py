from blip_core.scoring import LetterScore, by_category, by_kind, per_letter


def test_kinds_are_scored_apart_and_rows_without_one_left_out(prediction):
    rows = [
        prediction(0, kind="place"),
        prediction(1, kind="count"),
        prediction(2, kind="count", is_right=False),
        prediction(3, kind=""),
    ]
    scores = by_kind(rows)
    assert [(kind, score.value, score.n) for kind, score in scores.items()] == [
        ("count", 0.5, 2),
        ("place", 1.0, 1),
    ]


def test_categories_are_scored_apart(prediction):
    rows = [prediction(0, category="food"), prediction(1, category="travel", is_right=False)]
    assert {name: score.value for name, score in by_category(rows).items()} == {"food": 1.0, "travel": 0.0}


def test_a_favoured_letter_shows(prediction):
    rows = [
        prediction(0, truth="A"),
        prediction(1, truth="A"),
        prediction(2, truth="B"),
        prediction(3, ranked="C", truth="B"),
    ]
    scores = per_letter(rows)
    assert scores["A"] == LetterScore(chosen=3, right=2, recall=1.0)
    assert scores["B"] == LetterScore(chosen=0, right=2, recall=0.0)
    assert scores["D"] == LetterScore(chosen=0, right=0, recall=None)


def test_letters_beyond_d_stand_where_questions_have_them(prediction):
    four = prediction(0)
    six = prediction(1, offered=6, p_a=0.2, p_more=(0.1, 0.7), ranked="F", truth="F")

    assert list(per_letter([four])) == ["A", "B", "C", "D"]
    assert list(per_letter([four, six])) == ["A", "B", "C", "D", "E", "F"]
    assert per_letter([four, six])["F"].recall == 1.0
